"""The device side: bundle, sessions, search-interleaved decoding, answers with their sources (no torch)."""
