"""Figures of an evaluation: from readings of frames to the numbers of the report."""
