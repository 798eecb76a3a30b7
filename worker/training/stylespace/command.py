"""``photorig train stylespace``: the 32 directions of method stylespace, and what they do."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from photorig.worker.generators.memory import keep_freed_memory
from photorig.worker.generators.people import TRAINING, person_latents
from photorig.worker.reenactment.bundle import load_bundle
from photorig.worker.reenactment.stylespace import N_CHANNELS, WEIGHTS_FILE
from photorig.worker.registry.registry import MODELS_FOLDER

from ..performances import FIRST_PERSON, load_observers
from .locality import ROWS, best_rows, chosen, directions, measure, part_of

PEOPLE = 2
"""Each direction is measured on so many people over each range of rows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Choose the 32 directions of StyleSpace by how locally they move the face, and measure "
        "what each does. Nothing is trained."
    )
    parser.add_argument("--out", type=Path, default=MODELS_FOLDER / WEIGHTS_FILE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--people", type=int, default=PEOPLE, help="to measure on")
    parser.add_argument("--threads", type=int, default=1)


def run(args: argparse.Namespace) -> int:
    started = time.process_time()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    observers, bundle = load_observers(), load_bundle()
    people = range(FIRST_PERSON, FIRST_PERSON + args.people)
    latents = torch.stack(
        [person_latents(observers.network, i, args.seed, TRAINING) for i in people]
    )
    by_rows = {rows: directions(observers, bundle, rows) for rows in ROWS}
    found = []
    for position in np.flatnonzero(bundle.moves_latents & bundle.is_coefficient):
        name = bundle.schema.ids[position]
        tried = [
            measure(observers, latents, name, rows, offsets[position])
            for rows, offsets in by_rows.items()
        ]
        found.append(best_rows(tried))
    picked = chosen(found, N_CHANNELS)
    tensors = {
        "offsets": torch.stack([one.offsets for one in picked]).half(),
        "moves": torch.stack([one.moves for one in picked]),
    }
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, args.out)
    _say(f"Wrote {args.out} after {time.process_time() - started:.0f} s of processor time")
    for one in picked:
        rows = f"{one.rows[0]}-{one.rows[1] - 1}"
        moved = f"{10 * one.strength:.2f} mm, locality {one.locality:.2f}"
        _say(f"{part_of(one.name)}: {one.name}, rows {rows}, {moved}")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)
