"""What generated people are made to do, to learn from and to be measured on."""

from __future__ import annotations

import numpy as np

from .bundle import ModelBundle


def random_motion(bundle: ModelBundle, random: np.random.Generator) -> np.ndarray:
    """(p,) motion: mostly some head and some of the face, as far as faces bear it."""
    motion = np.zeros(len(bundle.schema), np.float32)
    if random.random() < 0.8:
        motion[list(bundle.head_angles)] = random.uniform(-1.1, 1.1, 2)
    choices = np.flatnonzero(bundle.moves_latents & bundle.is_coefficient)
    if random.random() < 0.8:
        count = min(int(random.integers(1, 6)), len(choices))
        for position in random.choice(choices, count, replace=False):
            amount = random.uniform(0.3, 1.0)
            motion[position] = amount
            mirror = bundle.schema.index[bundle.schema.parameters[position].mirror]
            if random.random() < 0.7:
                motion[mirror] = amount
    return bundle.clamped_motion(motion)
