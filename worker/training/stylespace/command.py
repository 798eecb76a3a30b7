"""``photorig train stylespace``: the 32 directions of method stylespace, and what they do."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from photorig.worker.generators.memory import keep_freed_memory
from photorig.worker.generators.people import TRAINING, person_latents
from photorig.worker.places import cache_folder
from photorig.worker.reenactment.bundle import load_bundle
from photorig.worker.reenactment.stylespace import N_CHANNELS, WEIGHTS_FILE

from ..performances import FIRST_PERSON, add_observer_arguments, load_observers, out_file
from .locality import (
    ROWS,
    best_rows,
    chosen,
    directions,
    keep_measured,
    measure,
    part_of,
    read_measured,
)

PEOPLE = 2
"""Each direction is measured on so many people over each range of rows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Choose the 32 directions of StyleSpace by how locally they move the face, and measure "
        "what each does. Nothing is trained."
    )
    parser.add_argument("--out", type=Path, help="file (where it is looked for)")
    add_observer_arguments(parser)
    parser.add_argument("--people", type=int, default=PEOPLE, help="to measure on")


def run(args: argparse.Namespace) -> int:
    started = time.process_time()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    out = out_file(args, WEIGHTS_FILE)
    observers = load_observers(args.generator, args.device)
    bundle = load_bundle(args.generator)
    cache = args.cache or cache_folder() / "performances"
    run_name = f"stylespace-{bundle.id[:8]}-{args.seed}-{args.people}"
    people = range(FIRST_PERSON, FIRST_PERSON + args.people)
    latents = torch.stack(
        [person_latents(observers.network, i, args.seed, TRAINING) for i in people]
    )
    by_rows = {rows: directions(observers, bundle, rows) for rows in ROWS}
    found = []
    for position in np.flatnonzero(bundle.moves_latents & bundle.is_coefficient):
        name = bundle.schema.ids[position]
        kept = cache / f"{run_name}-{name}.safetensors"
        one = read_measured(kept, name)
        if one is None:
            one = best_rows(
                [
                    measure(observers, latents, name, rows, offsets[position])
                    for rows, offsets in by_rows.items()
                ]
            )
            keep_measured(kept, one)
        found.append(one)
    picked = chosen(found, N_CHANNELS)
    tensors = {
        "offsets": _filled([one.offsets for one in picked]).half(),
        "moves": _filled([one.moves for one in picked]),
    }
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, out)
    _say(f"Wrote {out} after {time.process_time() - started:.0f} s of processor time")
    for one in picked:
        rows = f"{one.rows[0]}-{one.rows[1] - 1}"
        moved = f"{10 * one.strength:.2f} mm, locality {one.locality:.2f}"
        _say(f"{part_of(one.name)}: {one.name}, rows {rows}, {moved}")
    return 0


def _filled(rows: list[Tensor]) -> Tensor:
    """So many as there are channels: where a matrix moves fewer, the others do nothing."""
    return torch.stack([*rows, *[torch.zeros_like(rows[0])] * (N_CHANNELS - len(rows))])


def _say(text: str) -> None:
    print(text, flush=True)
