"""Published corpora, read from local copies in their published layouts; a reader is one file of this folder.

A reader takes a folder and a split, and yields an `Example` for each picture, or the Fault of what is broken.
"""
