"""The same faces driven by the same footage through every method: ``photorig evaluate methods``."""
