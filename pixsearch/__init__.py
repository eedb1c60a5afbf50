"""PixSearch on the edge: a glasses assistant that looks, searches a local index and answers."""

__version__ = "0.1.0"
