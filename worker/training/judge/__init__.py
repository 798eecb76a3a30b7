"""Trains the regression of one of the evaluation's estimators."""
