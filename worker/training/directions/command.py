"""``photorig train directions``: from nothing to a committed direction matrix and its pictures."""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.faces.net3d import Net3D
from photorig.worker.generators import DEFAULT, load_generator, load_network
from photorig.worker.generators.memory import keep_freed_memory
from photorig.worker.generators.people import HELD_OUT, TRAINING, person_latents
from photorig.worker.places import cache_folder
from photorig.worker.reenactment.bundle import ModelBundle, read_bundle

from .calibration import Rig, assemble, calibrate, longest_motion, measured
from .contact_sheet import contact_sheet
from .gradient import GradientSettings, train
from .jacobian import JacobianWeights, collect_jacobians, solve_directions
from .motion import MotionScale, learnable
from .observation import FaceObserver
from .whitening import Whitening

CALIBRATION_PEOPLE = range(20_000, 20_200)
REPORTED_PEOPLE = range(300, 400)
PICTURED_PEOPLE = range(400, 410)
COVARIANCE_SAMPLES = 20_000

START_LENGTH = 0.6
"""Standard deviations of w that a full move of an expression has when gradient training begins."""


@dataclass(frozen=True)
class _Run:
    """What all stages of one run share."""

    observer: FaceObserver
    rig: Rig
    scale: MotionScale
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
    settings = GradientSettings()
    parser.add_argument("--out", type=Path, required=True, help="file.safetensors to write")
    parser.add_argument("--generator", default=DEFAULT, help="for which (default: the project's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--people", type=int, default=32, help="for the Jacobians (32)")
    parser.add_argument("--start", type=Path, help="begin with this matrix instead of Jacobians")
    parser.add_argument(
        "--steps", type=int, default=settings.steps, help=f"of gradients ({settings.steps})"
    )
    parser.add_argument("--batch", type=int, default=settings.batch, help="people in a step")
    parser.add_argument("--pool", type=int, default=settings.pool, help="people for gradients")
    parser.add_argument("--calibrated-on", type=int, default=20, help="people for curves (20)")
    parser.add_argument("--reported-on", type=int, default=16, help="held-out people (16)")
    parser.add_argument("--device", default="cpu", help="where pictures are made: cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", type=Path, help="folder for what a stopped run had done")
    parser.add_argument("--sheet", type=Path, help="contact sheet to write (JPEG)")
    parser.add_argument("--report", type=Path, help="measured responses to write (Markdown)")


def run(args: argparse.Namespace) -> int:
    started = time.perf_counter()
    work = _prepare(args)
    covariance = _covariance(work)
    whitening = Whitening.of(covariance)
    start = _start(work, args, covariance, whitening)
    settings = GradientSettings(steps=args.steps, batch=args.batch, pool=args.pool)
    trained = train(
        work.observer,
        start,
        work.scale,
        whitening,
        settings,
        seed=work.seed,
        cache=work.cache,
        progress=lambda step, terms: _say_step(work, step, settings.steps, terms),
    )
    bundle = _calibrated(work, args, trained, whitening)
    bundle.save(args.out)
    work.say(f"Wrote {args.out} after {(time.perf_counter() - started) / 60:.0f} minutes")
    if args.sheet:
        people = work.rig.people(_latents(work, PICTURED_PEOPLE, HELD_OUT))
        contact_sheet(work.rig.generator, bundle, people, args.sheet)
        work.say(f"Wrote {args.sheet}")
    if args.report:
        args.report.write_text(_table(bundle), encoding="utf-8")
        work.say(f"Wrote {args.report}")
    return 0


def _prepare(args: argparse.Namespace) -> _Run:
    from photorig.worker.faces.attributes import load_attributes
    from photorig.worker.faces.landmarker import load_landmarker
    from photorig.worker.faces.recognition import load_recognition

    keep_freed_memory()
    torch.set_num_threads(args.threads)
    network = load_network(args.generator, args.device)
    observer = FaceObserver(network, load_landmarker(), load_recognition(), load_attributes())
    generator = load_generator(args.device, name=args.generator)
    scale = MotionScale(FACE_SCHEMA, learnable(FACE_SCHEMA))
    key = hashlib.sha256(repr((network.model_id, scale.positions)).encode()).hexdigest()[:12]
    cache = args.cache or cache_folder() / f"directions-{key}"
    return _Run(observer, Rig(generator, Net3D()), scale, args.seed, cache)


def _covariance(work: _Run) -> Tensor:
    generator = torch.Generator().manual_seed(work.seed)
    z = torch.randn(COVARIANCE_SAMPLES, work.observer.network.z_dim, generator=generator)
    with torch.no_grad():
        return torch.cov(work.observer.network.map(z).T)


def _start(
    work: _Run, args: argparse.Namespace, covariance: Tensor, whitening: Whitening
) -> Tensor:
    """(k, n_rows, w_dim) per motion, from another matrix or the closed form.

    Head angles keep their length, which is a full move already; expressions begin short, so that
    what they learn is not what the start has to unlearn.
    """
    if args.start:
        known = read_bundle(args.start)
        rows = torch.from_numpy(known.directions)[work.scale.positions]
    else:
        rows = _closed_form(work, args.people, covariance)
    whitened = whitening.whiten(rows)
    length = whitened.square().sum(-1).mean(1).sqrt()
    shorter = (START_LENGTH / length.clamp_min(START_LENGTH))[:, None, None]
    return whitening.shift(
        torch.where(work.scale.is_angle[:, None, None], whitened, whitened * shorter)
    )


def _closed_form(work: _Run, n_people: int, covariance: Tensor) -> Tensor:
    jacobians = collect_jacobians(
        work.observer,
        work.scale.positions,
        work.cache,
        n_people=n_people,
        seed=work.seed,
        progress=lambda done, count: work.say(f"Jacobians of {done} of {count} people"),
    )
    return solve_directions(jacobians, covariance, work.scale.is_angle, JacobianWeights())


def _calibrated(
    work: _Run, args: argparse.Namespace, trained: Tensor, whitening: Whitening
) -> ModelBundle:
    people = work.rig.people(_latents(work, CALIBRATION_PEOPLE[: args.calibrated_on], TRAINING))
    longest = longest_motion(trained, work.scale, whitening)
    curves = calibrate(work.rig, trained, work.scale, people, longest, work.say)
    model_id = work.rig.generator.model_id
    bundle = assemble(trained, curves, work.scale, people, longest, whitening, model_id)
    bundle = replace(bundle, name=args.generator)
    people_to_report = REPORTED_PEOPLE[: args.reported_on]
    reported = work.rig.people(_latents(work, people_to_report, HELD_OUT))
    work.say(f"Measured on {len(reported)} people that nothing was fitted to:")
    return measured(work.rig, bundle, reported, work.say)


def _latents(work: _Run, people: range, group: int) -> np.ndarray:
    network = work.observer.network
    latents = [person_latents(network, i, work.seed, group).numpy() for i in people]
    return np.stack(latents)


def _say_step(work: _Run, step: int, steps: int, terms: dict[str, float]) -> None:
    if step % 10 == 0:
        values = ", ".join(f"{name} {value:.3f}" for name, value in terms.items())
        work.say(f"step {step} of {steps}: {values}")


def _table(bundle: ModelBundle) -> str:
    lines = [
        "| parameter | controlled | by | range | gain | R² | crosstalk |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, response in zip(bundle.schema.ids, bundle.responses, strict=True):
        controlled = "yes" if response.is_controllable else "no"
        lines.append(
            f"| {name} | {controlled} | {response.realised_by} | {response.lowest:.2f} to "
            f"{response.highest:.2f} | {response.gain:.2f} | {response.linearity:.2f} | "
            f"{response.crosstalk:.3f} |"
        )
    return "\n".join(lines) + "\n"
