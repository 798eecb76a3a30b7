"""How large the numbers in a portrait may be: whoever made it may be a stranger."""

from __future__ import annotations

import numpy as np


def check_magnitude(array: np.ndarray, greatest: float) -> None:
    """Raise ValueError unless all numbers are finite and not larger than this."""
    # Written so that NaN, which is not less than anything, is refused as well.
    if array.size and not float(np.abs(array).max()) <= greatest:
        raise ValueError("numbers that are not finite, or too large")
