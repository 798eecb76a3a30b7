"""``photorig train transfer``: motion encoder and mapper from nothing, and what they are worth."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from photorig.worker.generators.memory import keep_freed_memory
from photorig.worker.generators.people import HELD_OUT, TRAINING
from photorig.worker.places import cache_folder
from photorig.worker.reenactment.bundle import load_bundle
from photorig.worker.reenactment.transfer_networks import WEIGHTS_FILE, TransferNetworks

from ..pair_measurement import measured
from ..performances import (
    FIRST_PERSON,
    SIDE,
    add_performance_arguments,
    load_observers,
    load_performances,
    out_file,
)
from ..reenactment_loss import LossWeights, ReenactmentLoss
from ..two_stages import MatrixTeacher, StageSettings, add_stage_arguments, train_in_stages
from .training import TransferObjective

SETTINGS = StageSettings(
    matrix_steps=3000, matrix_batch=64, matrix_rate=6e-4, picture_steps=250, weight_decay=0.0
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train the motion encoder and the mapper of method transfer on generated performances. "
        "A stopped run continues where it was."
    )
    parser.add_argument("--out", type=Path, help="file (where it is looked for)")
    add_performance_arguments(parser)
    add_stage_arguments(parser, SETTINGS)


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
    networks = TransferNetworks(observers.network.n_rows, observers.network.w_dim)
    loss, teacher = ReenactmentLoss(observers, LossWeights()), MatrixTeacher(bundle, known)
    objective = TransferObjective(networks, observers, known, teacher, loss)
    settings = SETTINGS.with_steps(args.matrix_steps, args.picture_steps)
    train_in_stages(
        networks,
        objective,
        settings,
        args.seed,
        settings.state(cache, f"transfer-{bundle.model_id[:8]}", args.seed),
        _say,
    )
    save_file({name: one.half() for name, one in networks.state_dict().items()}, out)
    _say(f"Wrote {out} after {time.process_time() - started:.0f} s of processor time")
    others = range(FIRST_PERSON, FIRST_PERSON + args.measured)
    strangers = load_performances(observers, bundle, others, args.seed, HELD_OUT, cache, _say)
    motion = networks.eval().motion_part(strangers.landmarks / SIDE).detach()

    def drive(source: Tensor, driver: Tensor) -> tuple[Tensor, None]:
        """As the method does it: what the driver shows more than the source."""
        return strangers.latents[source] + motion[driver] - motion[source], None

    _say(measured(observers, strangers, drive))
    return 0


def _say(text: str) -> None:
    print(text, flush=True)
