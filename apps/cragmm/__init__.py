"""CRAG-MM (arXiv 2510.26160): its data, its agent and search interfaces over our packs, and its scores."""
