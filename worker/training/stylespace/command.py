"""``photorig train stylespace``: the 32 channels of method stylespace, and what they do."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from photorig.worker.generators.memory import keep_freed_memory
from photorig.worker.generators.people import TRAINING
from photorig.worker.generators.style_space import affine_slices
from photorig.worker.generators.weights import load_weights
from photorig.worker.places import cache_folder
from photorig.worker.reenactment.bundle import load_bundle
from photorig.worker.reenactment.stylespace import WEIGHTS_FILE
from photorig.worker.registry.registry import MODELS_FOLDER

from ..performances import (
    FIRST_PERSON,
    FRAMES,
    add_performance_arguments,
    load_observers,
    load_performances,
)
from .locality import PARTS, QUOTAS, Locality, measure_locality
from .selection import candidates, chosen, measured_moves

SURVEYED, MOVED = 10, 4
"""People whose factors are surveyed by gradients, and on whom candidates are really moved."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Choose the 32 channels of StyleSpace by how locally they move the face, and measure what "
        "each does. Nothing is trained."
    )
    parser.add_argument("--out", type=Path, default=MODELS_FOLDER / WEIGHTS_FILE)
    add_performance_arguments(parser)


def run(args: argparse.Namespace) -> int:
    started = time.process_time()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    cache = args.cache or cache_folder() / "performances"
    observers, bundle = load_observers(), load_bundle()
    people = range(FIRST_PERSON, FIRST_PERSON + args.people)
    known = load_performances(observers, bundle, people, args.seed, TRAINING, cache, _say)
    rest = known.latents[::FRAMES]
    with torch.no_grad():
        deviation = torch.cat([observers.network.styles(w) for w in rest.split(100)]).std(0)
    locality = measure_locality(observers, rest[:SURVEYED], deviation, args.seed)
    _say(f"surveyed after {time.process_time() - started:.0f} s of processor time")
    found = candidates(locality)
    everything = [channel for part in PARTS for channel in found[part]]
    moves = measured_moves(observers, rest[-MOVED:], deviation, everything)
    by_channel = dict(zip(everything, moves, strict=True))
    picked = chosen(found, by_channel)
    tensors = {
        "channels": torch.tensor(picked),
        "deviation": deviation[picked],
        "moves": torch.stack([by_channel[channel] for channel in picked]),
    }
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, args.out)
    _say(f"Wrote {args.out} after {time.process_time() - started:.0f} s of processor time")
    _say(_listed(picked, locality))
    return 0


def _listed(picked: list[int], locality: Locality) -> str:
    """Channels by part, each as row.layer.number with cm a deviation and its score."""
    rows = affine_slices(load_weights())
    names = {
        index: f"{row}.{layer}.{index - part.start}"
        for row, parts in enumerate(rows)
        for layer, part in enumerate(parts)
        for index in range(part.start, part.stop)
    }
    lines, start = [], 0
    for part in PARTS:
        some = picked[start : start + QUOTAS[part]]
        start += QUOTAS[part]
        moves, scores = locality.moves[part] * 10, locality.score(part)
        told = [f"{names[c]} ({float(moves[c]):.2f} mm, {float(scores[c]):.2f})" for c in some]
        lines.append(f"{part}: " + ", ".join(told))
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, flush=True)
