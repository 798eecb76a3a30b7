"""Small stand-ins for what is too large for a unit test."""

from __future__ import annotations

import numpy as np

from photorig.shared.parameters.responses import BY_LATENTS, Response
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle
from photorig.worker.reenactment.methods import load_method
from photorig.worker.reenactment.target import Drive, Target

MODEL_ID = "tiny"


class TinyGenerator:
    """Paints latents: every pixel is a fixed mixture of all 16 rows, so each shift can be seen."""

    name = "default"
    model_id = MODEL_ID
    pixels_id = "tiny heads"
    n_rows = 16
    w_dim = z_dim = 512
    sizes = (8, 16)
    backend = "tiny"
    device = "cpu"
    mean_latent = np.zeros(512, np.float32)
    latent_std = np.ones(512, np.float32)

    def map(self, z: np.ndarray, truncation: float = 1.0) -> np.ndarray:
        return z * truncation

    def expand(self, w: np.ndarray) -> np.ndarray:
        return np.repeat(w[:, None], self.n_rows, 1)

    def synthesize(self, latents: np.ndarray, size: int, styles: object = None) -> np.ndarray:
        mixture = np.random.default_rng(size).standard_normal((16 * 512, size * size * 3))
        pixels = latents.reshape(len(latents), -1) @ mixture
        return np.clip(128 + pixels, 0, 255).astype(np.uint8).reshape(-1, size, size, 3)


def tiny_bundle(n_rows: int = 8, limit: float = 0.5) -> ModelBundle:
    """Random directions for all parameters, trained for values of ±limit; motion = value."""
    shape = (len(FACE_SCHEMA), n_rows, 512)
    directions = np.random.default_rng(1).standard_normal(shape).astype(np.float32) * 0.05
    response = Response(BY_LATENTS, -limit, limit, 1.0, 1.0, 0.0, -limit, limit)
    longest = np.full(len(FACE_SCHEMA), 0.8, np.float32)
    curve = np.tile(np.array([-100, 100], np.float32), (len(FACE_SCHEMA), 1))
    gram = np.eye(len(FACE_SCHEMA), dtype=np.float32)
    responses = (response,) * len(FACE_SCHEMA)
    return ModelBundle(
        "tiny",
        directions,
        curve,
        curve,
        FACE_SCHEMA,
        MODEL_ID,
        responses,
        gram,
        longest,
        {"brows": 0.6},
        1.0,
    )


def tiny_portrait(seed: int = 0, size: int = 40) -> Portrait:
    """A portrait whose photo is noise and whose face fills the middle half of it."""
    random = np.random.default_rng(seed)
    side = size / 2
    return Portrait(
        latents=random.standard_normal((16, 512)).astype(np.float32) * 0.1,
        parameters=random.uniform(0, 0.2, len(FACE_SCHEMA)).astype(np.float32),
        photo=random.integers(0, 256, (size, size, 3), np.uint8),
        alignment=Alignment(np.array([[1 / side, 0, -0.5], [0, 1 / side, -0.5]])),
        model_id=MODEL_ID,
        name=f"tiny {seed}",
    )


def driven(name: str, bundle: ModelBundle, portrait: Portrait, shift: np.ndarray) -> Drive:
    """What a method makes of a Δp (n,)."""
    return load_method(name, bundle, TinyGenerator()).drive(portrait, Target(shift))
