"""``photorig train stylemask``: from nothing to the mask networks and what they are worth."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from photorig.worker.generators.memory import keep_freed_memory
from photorig.worker.generators.style_space import row_slices
from photorig.worker.generators.weights import load_weights
from photorig.worker.places import cache_folder
from photorig.worker.reenactment.bundle import load_bundle
from photorig.worker.reenactment.mask_networks import WEIGHTS_FILE, MaskNetworks
from photorig.worker.registry.registry import MODELS_FOLDER

from ..directions.people import HELD_OUT, TRAINING
from ..performances import load_observers, load_performances
from .losses import LossWeights, ReenactmentLoss
from .measurement import measured
from .training import StyleMaskSettings, StyleMaskTraining

FIRST_PERSON = 30_000
MEASURED = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train StyleMask's mask networks on pairs of generated people: first towards what the "
        "direction matrix does, then through pictures. A stopped run continues where it was."
    )
    settings = StyleMaskSettings()
    parser.add_argument("--out", type=Path, default=MODELS_FOLDER / WEIGHTS_FILE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--people", type=int, default=250, help="to learn from, four frames each")
    parser.add_argument("--matrix-steps", type=int, default=settings.matrix_steps)
    parser.add_argument("--picture-steps", type=int, default=settings.picture_steps)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="folder for what a stopped run had done")


def run(args: argparse.Namespace) -> int:
    started = time.process_time()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    cache = args.cache or cache_folder() / "performances"
    observers, bundle = load_observers(), load_bundle()
    people = range(FIRST_PERSON, FIRST_PERSON + args.people)
    known = load_performances(observers, bundle, people, args.seed, TRAINING, cache, _say)
    settings = StyleMaskSettings(matrix_steps=args.matrix_steps, picture_steps=args.picture_steps)
    networks = MaskNetworks(row_slices(load_weights()))
    state = cache / f"stylemask-{args.seed}-{args.matrix_steps}-{args.picture_steps}.safetensors"
    training = StyleMaskTraining(observers, bundle, known, networks, settings, args.seed, state)
    loss = ReenactmentLoss(observers, LossWeights())
    training.run(loss, _say)
    tensors = {name: values.half() for name, values in networks.state_dict().items()}
    save_file(tensors, args.out)
    _say(f"Wrote {args.out} after {time.process_time() - started:.0f} s of processor time")
    others = range(FIRST_PERSON, FIRST_PERSON + MEASURED)
    strangers = load_performances(observers, bundle, others, args.seed, HELD_OUT, cache, _say)
    _say(measured(observers, networks.eval(), strangers))
    return 0


def _say(text: str) -> None:
    print(text, flush=True)
