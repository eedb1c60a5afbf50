"""The live view: one page in a browser that shows what the loop sees, asks it, and shows its answers."""
