"""``photorig train directions``: from nothing to a committed direction matrix and its pictures."""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
import torch
from torch import Tensor

from photorig.shared.schema import ARKIT_52
from photorig.worker.generators import load_generator
from photorig.worker.reenactment.bundle import ModelBundle, ParameterResponse

from .calibration import (
    FRACTIONS,
    MAXIMUM_EXPRESSION_SHIFT,
    People,
    Rig,
    calibrate,
    responses,
    shift_gram,
)
from .contact_sheet import contact_sheet
from .gradient import GradientSettings, train
from .jacobian import JacobianWeights, collect_jacobians, solve_directions
from .observation import FaceObserver, full_move, learnable
from .people import HELD_OUT, TRAINING, person_latents
from .whitening import Whitening

REACH_PEOPLE = range(20_000, 20_003)
REACH_FRACTIONS = (0.5, 1.0)
REACH_ROUNDS, CALIBRATION_ROUNDS = 0, 1
CALIBRATION_PEOPLE = range(20_000, 20_006)
REPORTED_PEOPLE = range(12)
PICTURED_PEOPLE = range(100, 110)
COVARIANCE_SAMPLES = 20_000


@dataclass(frozen=True)
class _Run:
    """What all stages of one run share."""

    observer: FaceObserver
    rig: Rig
    positions: list[int]
    seed: int
    cache: Path

    def say(self, text: str) -> None:
        print(text, flush=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train the direction matrix: Jacobians of many people in closed form, then gradients, then "
        "calibration by measurement. The same seed gives the same matrix on the same machine; a "
        "stopped run continues where it was."
    )
    parser.add_argument("--out", type=Path, required=True, help="file.safetensors to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--people", type=int, default=100, help="for the Jacobians (100)")
    parser.add_argument("--steps", type=int, default=250, help="of gradient training (250)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", type=Path, help="folder for what a stopped run had done")
    parser.add_argument("--sheet", type=Path, help="contact sheet to write (JPEG)")
    parser.add_argument("--report", type=Path, help="measured responses to write (Markdown)")


def run(args: argparse.Namespace) -> int:
    started = time.perf_counter()
    work = _prepare(args)
    covariance = _covariance(work)
    whitening = Whitening.of(covariance)
    start = _closed_form(work, args.people, covariance)
    reach = _reach(work, start, whitening)
    settings = GradientSettings(steps=args.steps)
    trained = train(
        work.observer,
        start,
        reach,
        work.positions,
        whitening,
        settings,
        seed=work.seed,
        cache=work.cache,
        progress=lambda step, terms: _say_step(work, step, settings.steps, terms),
    )
    directions, measured = _finish(work, trained, whitening)
    bundle = ModelBundle(
        name="default",
        directions=directions.numpy(),
        schema=ARKIT_52,
        model_id=work.rig.generator.model_id,
        responses=tuple(measured),
        shift_gram=shift_gram(directions, whitening),
        longest_expression=MAXIMUM_EXPRESSION_SHIFT,
    )
    bundle.save(args.out)
    work.say(f"Wrote {args.out} after {(time.perf_counter() - started) / 60:.0f} minutes")
    if args.sheet:
        people = _latents(work, PICTURED_PEOPLE, HELD_OUT).numpy()
        contact_sheet(work.rig.generator, bundle, people, args.sheet)
        work.say(f"Wrote {args.sheet}")
    if args.report:
        args.report.write_text(_table(measured), encoding="utf-8")
        work.say(f"Wrote {args.report}")
    return 0


def _prepare(args: argparse.Namespace) -> _Run:
    from photorig.worker.faces.descriptor import load_descriptor
    from photorig.worker.faces.landmarker import load_landmarker
    from photorig.worker.generators.mobile_stylegan import load_mobile_stylegan

    keep_freed_memory()
    torch.set_num_threads(args.threads)
    network = load_mobile_stylegan()
    observer = FaceObserver(network, load_landmarker(), load_descriptor())
    generator = load_generator("cpu")
    positions = learnable()
    key = hashlib.sha256(repr((network.model_id, positions)).encode()).hexdigest()[:12]
    cache = args.cache or Path(platformdirs.user_cache_dir("photorig")) / f"directions-{key}"
    return _Run(observer, Rig(generator, observer), positions, args.seed, cache)


def keep_freed_memory() -> None:
    """Let glibc keep what torch frees; mapping it anew each step costs up to half of the time."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return  # another system's allocator, which does not have this habit
    trim_threshold, mmap_max, top_pad = -1, -4, -2
    for name, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 1 << 28)):
        mallopt(name, value)


def _covariance(work: _Run) -> Tensor:
    generator = torch.Generator().manual_seed(work.seed)
    z = torch.randn(COVARIANCE_SAMPLES, 512, generator=generator)
    with torch.no_grad():
        return torch.cov(work.observer.network.map(z).T)


def _closed_form(work: _Run, n_people: int, covariance: Tensor) -> Tensor:
    jacobians = collect_jacobians(
        work.observer,
        work.positions,
        work.cache,
        n_people=n_people,
        seed=work.seed,
        progress=lambda done, count: work.say(f"Jacobians of {done} of {count} people"),
    )
    is_angle = full_move()[work.positions] != 1
    return solve_directions(jacobians, covariance, is_angle, JacobianWeights())


def _reach(work: _Run, start: Tensor, whitening: Whitening) -> Tensor:
    """(k,) part of a full move that the closed-form shifts reach with the person kept."""
    people = work.rig.people(_latents(work, REACH_PEOPLE, TRAINING))
    directions, ranges = _calibrated(work, start, people, whitening, REACH_ROUNDS, REACH_FRACTIONS)
    full = full_move()[work.positions]
    # The start of the training is the calibrated matrix, in full moves again.
    start.copy_(directions[work.positions] * full[:, None, None])
    return torch.from_numpy(ranges)[work.positions].float() / full


def _finish(
    work: _Run, trained: Tensor, whitening: Whitening
) -> tuple[Tensor, list[ParameterResponse]]:
    people = work.rig.people(_latents(work, CALIBRATION_PEOPLE, TRAINING))
    directions, ranges = _calibrated(
        work, trained, people, whitening, CALIBRATION_ROUNDS, FRACTIONS
    )
    reported = work.rig.people(_latents(work, REPORTED_PEOPLE, HELD_OUT))
    work.say(f"Measured on {len(reported.latents)} people that nothing was fitted to:")
    measured, _ = responses(work.rig, directions, ranges, work.positions, reported, work.say)
    for position, response in enumerate(measured):
        if not response.controllable:
            directions[position] = 0
    return directions, measured


def _calibrated(
    work: _Run,
    shifts: Tensor,
    people: People,
    whitening: Whitening,
    rounds: int,
    fractions: tuple[float, ...],
) -> tuple[Tensor, np.ndarray]:
    """Per full move of the learnable parameters to per unit of all, scaled by measurement."""
    full = full_move()
    directions = torch.zeros(len(ARKIT_52), *shifts.shape[1:])
    directions[work.positions] = shifts / full[work.positions][:, None, None]
    return calibrate(
        work.rig,
        directions,
        work.positions,
        people,
        whitening,
        rounds=rounds,
        fractions=fractions,
        progress=work.say,
    )


def _latents(work: _Run, people: range, group: int) -> Tensor:
    network = work.observer.network
    return torch.stack([person_latents(network, i, work.seed, group) for i in people])


def _say_step(work: _Run, step: int, steps: int, terms: dict[str, float]) -> None:
    if step % 10 == 0:
        values = ", ".join(f"{name} {value:.3f}" for name, value in terms.items())
        work.say(f"step {step} of {steps}: {values}")


def _table(measured: list[ParameterResponse]) -> str:
    lines = [
        "| parameter | controlled | range | gain | R² | crosstalk |",
        "|---|---|---|---|---|---|",
    ]
    for name, response in zip(ARKIT_52.ids, measured, strict=True):
        controlled = "yes" if response.controllable else "no"
        lines.append(
            f"| {name} | {controlled} | ±{response.maximum:.2f} | {response.gain:.2f} | "
            f"{response.linearity:.2f} | {response.crosstalk:.3f} |"
        )
    return "\n".join(lines) + "\n"
