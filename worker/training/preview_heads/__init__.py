"""Trains the preview heads: small generators of the first layers, taught by the large one."""
