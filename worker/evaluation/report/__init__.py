"""The report of an evaluation: its file, its pages, its pictures."""
