"""Faces of the system: command line, glasses loop, demo page."""
