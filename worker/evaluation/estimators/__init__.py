"""Estimators that look at frames and that no training loss uses."""
