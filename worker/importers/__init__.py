"""Readers of other programs' model files: they run nothing of a file, and trust no number in it."""
