"""Choosing the channels of method stylespace: ``photorig train stylespace``."""
