"""Training of StyleMask's mask networks: ``photorig train stylemask``."""
