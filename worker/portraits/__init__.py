"""Portraits: a source photo made drivable."""
