"""Measures the mean and spread of w once, so that both are the same numbers everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from photorig.worker.generators.mobile_stylegan import (
    MODEL_CARD,
    STATISTICS_FILE,
    W_DIM,
    LatentStatistics,
    read_mobile_stylegan,
)
from photorig.worker.registry import fetch
from photorig.worker.registry.registry import MODELS_FOLDER
from photorig.worker.registry.seal import seal

N_SAMPLES = 65536
SEED = 0


def measure(folder: Path, n_samples: int = N_SAMPLES, seed: int = SEED) -> LatentStatistics:
    """Mean and standard deviation of w over ``n_samples`` random z, summed in double precision."""
    unknown = LatentStatistics(torch.zeros(W_DIM), torch.ones(W_DIM))
    network = read_mobile_stylegan(folder, unknown)
    random = np.random.default_rng(seed)
    total, total_of_squares = np.zeros(W_DIM), np.zeros(W_DIM)
    for start in range(0, n_samples, 4096):
        count = min(4096, n_samples - start)
        z = random.standard_normal((count, W_DIM), dtype=np.float32)
        with torch.no_grad():
            w = network.map(torch.from_numpy(z)).double().numpy()
        total += w.sum(axis=0)
        total_of_squares += np.square(w).sum(axis=0)
    mean = total / n_samples
    std = np.sqrt(total_of_squares / n_samples - np.square(mean))
    return LatentStatistics(torch.from_numpy(mean).float(), torch.from_numpy(std).float())


def main() -> None:
    """Writes models/latent-statistics.safetensors and seals its card."""
    from safetensors.torch import save_file

    statistics = measure(fetch(MODEL_CARD))
    tensors = {"mean_latent": statistics.mean, "latent_std": statistics.std}
    save_file(tensors, MODELS_FOLDER / STATISTICS_FILE)
    seal(MODELS_FOLDER / "latent-statistics.toml")


if __name__ == "__main__":
    main()
