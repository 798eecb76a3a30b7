"""Measures the mean and spread of w once, so that both are the same numbers everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from photorig.worker.generators.latents import map_latents
from photorig.worker.generators.weights import (
    MODEL_CARD,
    STATISTICS_FILE,
    W_DIM,
    LatentStatistics,
    read_weights,
)
from photorig.worker.registry import fetch
from photorig.worker.registry.registry import MODELS_FOLDER
from photorig.worker.registry.seal import seal

N_SAMPLES = 65536
SEED = 0


def measure(folder: Path, n_samples: int = N_SAMPLES, seed: int = SEED) -> LatentStatistics:
    """Mean and standard deviation of w over ``n_samples`` random z, summed in double precision."""
    unknown = LatentStatistics(np.zeros(W_DIM, np.float32), np.ones(W_DIM, np.float32))
    weights = read_weights(folder, unknown, {})
    random = np.random.default_rng(seed)
    total, total_of_squares = np.zeros(W_DIM), np.zeros(W_DIM)
    for _ in range(n_samples):
        z = random.standard_normal((1, W_DIM), dtype=np.float32)
        w = map_latents(weights, z, truncation=1.0)[0].astype(np.float64)
        total += w
        total_of_squares += np.square(w)
    mean = total / n_samples
    std = np.sqrt(total_of_squares / n_samples - np.square(mean))
    return LatentStatistics(mean.astype(np.float32), std.astype(np.float32))


def main() -> None:
    """Writes models/latent-statistics.safetensors and seals its card."""
    from safetensors.numpy import save_file

    statistics = measure(fetch(MODEL_CARD))
    tensors = {"mean_latent": statistics.mean, "latent_std": statistics.std}
    save_file(tensors, MODELS_FOLDER / STATISTICS_FILE)
    seal(MODELS_FOLDER / "latent-statistics.toml")


if __name__ == "__main__":
    main()
