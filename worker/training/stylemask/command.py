"""``photorig train stylemask``: from nothing to the mask networks and what they are worth."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from photorig.worker.generators import load_generator
from photorig.worker.generators.memory import keep_freed_memory
from photorig.worker.generators.people import HELD_OUT, TRAINING
from photorig.worker.places import cache_folder
from photorig.worker.reenactment.bundle import load_bundle
from photorig.worker.reenactment.mask_networks import WEIGHTS_FILE, MaskNetworks

from ..pair_measurement import measured
from ..performances import (
    FIRST_PERSON,
    add_performance_arguments,
    load_observers,
    load_performances,
    out_file,
)
from ..reenactment_loss import LossWeights, ReenactmentLoss
from ..two_stages import MatrixTeacher, StageSettings, add_stage_arguments, train_in_stages
from .training import MaskObjective


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train StyleMask's mask networks on pairs of generated people: first towards what the "
        "direction matrix does, then through pictures. A stopped run continues where it was."
    )
    parser.add_argument("--out", type=Path, help="file (where it is looked for)")
    add_performance_arguments(parser)
    add_stage_arguments(parser, StageSettings())


def run(args: argparse.Namespace) -> int:
    started = time.process_time()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    cache = args.cache or cache_folder() / "performances"
    out = out_file(args, WEIGHTS_FILE)
    observers = load_observers(args.generator, args.device)
    bundle = load_bundle(args.generator)
    people = range(FIRST_PERSON, FIRST_PERSON + args.people)
    known = load_performances(observers, bundle, people, args.seed, TRAINING, cache, _say)
    networks = MaskNetworks(load_generator("cpu", name=args.generator).style_rows)
    loss, teacher = ReenactmentLoss(observers, LossWeights()), MatrixTeacher(bundle, known)
    objective = MaskObjective(networks, observers, known, teacher, loss)
    settings = StageSettings().with_steps(args.matrix_steps, args.picture_steps)
    state = settings.state(cache, f"stylemask-{bundle.model_id[:8]}", args.seed)
    train_in_stages(networks, objective, settings, args.seed, state, _say)
    save_file({name: one.half() for name, one in networks.state_dict().items()}, out)
    _say(f"Wrote {out} after {time.process_time() - started:.0f} s of processor time")
    others = range(FIRST_PERSON, FIRST_PERSON + args.measured)
    strangers = load_performances(observers, bundle, others, args.seed, HELD_OUT, cache, _say)
    networks.eval().requires_grad_(False)
    with torch.no_grad():
        styles, read = (observers.network.styles(w) for w in (strangers.latents, strangers.codes))

    def drive(source: Tensor, driver: Tensor) -> tuple[Tensor, Tensor]:
        """As a recording does: by what the photo encoder reads of it."""
        return strangers.latents[source], networks.offsets(styles[source], read[driver])

    _say(measured(observers, strangers, drive))
    return 0


def _say(text: str) -> None:
    print(text, flush=True)
