"""Knowledge packs: SQLite holds the truth, hnswlib a rebuildable cache; build, verify, search (no torch)."""
