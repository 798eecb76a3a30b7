"""Portraits of people who do not exist, drawn from the generator by seed."""

from __future__ import annotations

import numpy as np

from photorig.shared.errors import InputError
from photorig.worker.faces.net3d import Net3D
from photorig.worker.generators import Generator
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait

MAXIMUM_SEED = 2**32 - 1


def sample_portrait(
    generator: Generator, net3d: Net3D, seed: int, truncation: float = 0.7
) -> Portrait:
    """The person of that seed, whose photo is the generator's own largest image.

    Args:
        seed: 0 … 2³² − 1; the same seed is the same person for ever.
        truncation: ψ in [0, 1]; 0 is the mean face, 1 the full variety with odd faces in it.

    Raises:
        InputError: a seed or truncation out of range, or no face that Net3D finds in the image.
    """
    if not 0 <= seed <= MAXIMUM_SEED:
        raise InputError(f"Seed {seed} is out of range", f"Give 0 to {MAXIMUM_SEED}.")
    if not 0 <= truncation <= 1:
        raise InputError(f"Truncation {truncation} is out of range", "Give 0 to 1.")
    z = np.random.RandomState(seed).randn(1, generator.z_dim).astype(np.float32)
    latents = generator.expand(generator.map(z, truncation))[0]
    size = max(generator.sizes)
    photo = generator.synthesize(latents[None], size)[0]
    try:
        measurement = net3d.analyze_one(photo)
    except InputError as error:
        raise InputError(
            f"Seed {seed} at truncation {truncation} gives no usable face",
            "Try another seed or a smaller truncation.",
        ) from error
    return Portrait(
        latents=np.ascontiguousarray(latents, np.float32),
        parameters=measurement.parameters,
        photo=photo,
        alignment=Alignment.upright(size),
        model_id=generator.model_id,
        name=f"seed {seed}",
    )
