"""`make torture`: what must hold whatever happens to a pack, tried many thousand times."""
