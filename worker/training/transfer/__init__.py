"""Training of method transfer: ``photorig train transfer``."""
