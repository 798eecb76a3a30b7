"""Fits as the server runs them: a queue, one process each, and the program in it."""
