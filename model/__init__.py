"""The segmenting multimodal model: its parts, data, training and evaluation (torch)."""
