"""``photorig train encoder``: from nothing to the encoder's weights and what they are worth."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from photorig.worker.faces.segmentation import PersonMatte
from photorig.worker.fitting.encoder import PhotoEncoder, load_trunk, read_head
from photorig.worker.generators import DEFAULT, load_generator
from photorig.worker.registry.cache import default_cache_folder

from .features import VERSIONS, both, load_features, photographs
from .measurement import as_tensor, load_observers, measure
from .regression import RegressionSettings, explained, fit_head, head_tensors
from .samples import CHUNK, HELD_OUT, TRAINING, load_samples, observed_people


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train the encoder of photos on generated faces that look photographed. The same seed "
        "gives the same encoder on the same machine; a stopped run continues where it was."
    )
    settings = RegressionSettings()
    parser.add_argument("--out", type=Path, required=True, help="file.safetensors to write")
    parser.add_argument("--generator", default=DEFAULT, help="for which (default: the project's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faces", type=int, default=3000, help="to learn from (3000)")
    parser.add_argument(
        "--people", type=Path, help="faces that `train directions` keeps in its cache, to add"
    )
    parser.add_argument("--rank", type=int, default=settings.rank, help="of the linear map")
    parser.add_argument("--measured", type=int, default=24, help="held-out photos to measure on")
    parser.add_argument("--device", default="cpu", help="where pictures are made: cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="folder for what a stopped run had done")


def run(args: argparse.Namespace) -> int:
    """Samples, what is seen of them, the head, and its similarity on held-out photographs."""
    torch.set_num_threads(args.threads)
    cache = args.cache or default_cache_folder() / "encoder"
    generator, trunk, matte = (
        load_generator(args.device, "f32", args.generator),
        load_trunk(),
        PersonMatte(),
    )
    samples = load_samples(generator, TRAINING, args.seed, args.faces, cache, _say_rendered)
    name = f"{generator.pixels_id[:12]}-{TRAINING}-{args.seed}"
    started = time.process_time()
    trunk_features = load_features(trunk, matte, samples, cache, name, _say_seen)
    if args.people:
        people = observed_people(args.people)
        trunk_features = both(
            trunk_features, load_features(trunk, matte, people, cache, args.people.stem, _say_seen)
        )
    head = fit_head(trunk_features, RegressionSettings(rank=args.rank), _say)
    save_file(head_tensors(head), args.out)
    _say(f"Wrote {args.out} after {time.process_time() - started:.0f} s of processor time")

    tests = load_samples(generator, HELD_OUT, args.seed, CHUNK, cache)
    encoder = PhotoEncoder(trunk, read_head(args.out), generator.n_rows)
    observers = load_observers(args.generator)
    for version in range(VERSIONS):
        photos = photographs(tests, 0, version, matte)[: args.measured]
        kind = "photographed" if version else "as generated"
        for rounds in (0, 1, 2):
            result = measure(observers, encoder, photos, tests.images[: args.measured], rounds)
            _say(f"{kind}, {rounds} corrections: {result}")
    shares = _explained(encoder, photographs(tests, 0, 1, matte), tests.codes, head.code)
    _say("explained of w by group of rows: " + ", ".join(f"{share:.2f}" for share in shares))
    return 0


def _explained(
    encoder: PhotoEncoder, photos: np.ndarray, codes: np.ndarray, mean: torch.Tensor
) -> list[float]:
    features = torch.cat([encoder.head.features(encoder.trunk(as_tensor(p))) for p in photos])
    wanted = torch.from_numpy(codes)
    return explained(encoder.head.codes(features), wanted, mean.view(wanted.shape[1:]))


def _say(text: str) -> None:
    print(text, flush=True)


def _say_rendered(done: int, count: int) -> None:
    _say(f"{done} of {count} faces rendered")


def _say_seen(done: int, count: int) -> None:
    _say(f"{done} of {count} faces seen")
