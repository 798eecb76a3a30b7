"""Generated performances: people who do not exist, each with several poses and expressions.

What methods learn from that are driven by pictures. A frame's latents are known, and so is what
moved them; what is seen in it is measured once and kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from photorig.worker.faces.landmarker import FaceLandmarker
from photorig.worker.faces.recognition import Recognition
from photorig.worker.fitting.encoder import FirstGuess
from photorig.worker.generators import DEFAULT
from photorig.worker.generators.network import Network
from photorig.worker.generators.people import person_latents
from photorig.worker.reenactment.bundle import ModelBundle
from photorig.worker.reenactment.random_motion import random_motion
from photorig.worker.registry.imported import imported_folder
from photorig.worker.registry.registry import MODELS_FOLDER

FIRST_PERSON = 30_000
"""Index of the first of the people; those of other trainings lie elsewhere."""
MEASURED = 12
"""People that a method is measured on who it was not trained on."""
FRAMES = 4
"""Frames of one person: at rest first, then moved."""
SIDE = 256
CHUNK = 25
"""People in one cache file; a stopped run goes on with the first file that is missing."""


@dataclass(frozen=True, eq=False)
class Performances:
    """n frames, `FRAMES` of each person in a row.

    Attributes:
        latents: (n, n_rows, w_dim) what each was drawn from.
        motion: (n, p) motion of the direction matrix between the person at rest and the frame.
        images: (n, 3, 256, 256) uint8.
        codes: (n, n_rows, w_dim) what the photo encoder takes each picture for.
        parameters: (n, 58) what Net3D reads.
        aligned: (n, 468, 3) cm, the face's shape without its pose.
        landmarks: (n, 478, 3) pixels.
        regions: (n, 4) crop of the face.
        identity: (n, 128) unit vectors of face recognition.
        found: (n,) whether a face was seen.
    """

    latents: Tensor
    motion: Tensor
    images: Tensor
    codes: Tensor
    parameters: Tensor
    aligned: Tensor
    landmarks: Tensor
    regions: Tensor
    identity: Tensor
    found: Tensor

    def __len__(self) -> int:
        return len(self.latents)

    @property
    def n_people(self) -> int:
        return len(self) // FRAMES


@dataclass(frozen=True)
class Observers:
    """All that looks at a generated frame, frozen."""

    network: Network
    landmarker: FaceLandmarker
    recognition: Recognition
    encoder: FirstGuess


def add_performance_arguments(parser: argparse.ArgumentParser) -> None:
    add_observer_arguments(parser)
    parser.add_argument("--people", type=int, default=250, help="to learn from, four frames each")
    parser.add_argument("--measured", type=int, default=MEASURED, help="others, to be measured on")


def add_observer_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--generator", default=DEFAULT, help="for which (default: the project's)")
    parser.add_argument("--device", default="cpu", help="where pictures are made: cpu, cuda or mps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="folder for what a stopped run had done")


def out_file(args: argparse.Namespace, file_name: str) -> Path:
    """Where what is trained goes: as said, else where it is looked for."""
    if args.out is not None:
        return Path(args.out)
    if args.generator == DEFAULT:
        return MODELS_FOLDER / file_name
    return imported_folder(args.generator) / file_name


def load_observers(generator: str = DEFAULT, device: str = "cpu") -> Observers:
    """Of a generator; raises ModelError, or InputError where the device is not there."""
    from photorig.worker.faces.landmarker import load_landmarker
    from photorig.worker.faces.recognition import load_recognition
    from photorig.worker.fitting.encoder import load_first_guess
    from photorig.worker.generators import load_network

    network = load_network(generator).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    encoder = load_first_guess(generator, network)
    if device != "cpu":
        network = load_network(generator, device)
    return Observers(network, load_landmarker(), load_recognition(), encoder)


def rendered(network: Network, latents: Tensor, offsets: Tensor | None = None) -> Tensor:
    """(b, 3, 256, 256) in about [0, 1], differentiable; in bf16, which is three times as quick."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        images = network(latents, SIDE, styles=offsets)
    return images.float() * 0.5 + 0.5


def load_performances(
    observers: Observers,
    bundle: ModelBundle,
    people: range,
    seed: int,
    group: int,
    cache: Path,
    say: Callable[[str], None] = print,
) -> Performances:
    """Frames of ``people`` (indices of `person_latents`); what an earlier run has is read."""
    parts = []
    for start in range(people.start, people.stop, CHUNK):
        some = range(start, min(start + CHUNK, people.stop))
        name = f"performances-{observers.network.model_id[:8]}-{bundle.id[:8]}-{seed}-{group}"
        path = cache / f"{name}-{some.start}-{some.stop}.safetensors"
        try:
            part = Performances(**load_file(path))
        except (FileNotFoundError, SafetensorError, TypeError):
            part = _performed(observers, bundle, some, seed, group)
            cache.mkdir(parents=True, exist_ok=True)
            save_file(_tensors(part), path)
            say(f"{some.stop - people.start} of {len(people)} people performed")
        parts.append(part)
    names = [field.name for field in fields(Performances)]
    return Performances(*(torch.cat([getattr(part, n) for part in parts]) for n in names))


@torch.no_grad()
def _performed(
    observers: Observers, bundle: ModelBundle, people: range, seed: int, group: int
) -> Performances:
    rows = []
    for index in people:
        random = np.random.default_rng((seed, group, index))
        rest = person_latents(observers.network, index, seed, group).numpy()
        motion = np.stack(
            [np.zeros(len(bundle.schema), np.float32)]
            + [random_motion(bundle, random) for _ in range(FRAMES - 1)]
        )
        latents = np.stack([bundle.shifted(rest, one) for one in motion])
        rows.append(_seen(observers, torch.from_numpy(latents), torch.from_numpy(motion)))
    names = [field.name for field in fields(Performances)]
    return Performances(*(torch.cat([getattr(row, name) for row in rows]) for name in names))


def _seen(observers: Observers, latents: Tensor, motion: Tensor) -> Performances:
    images = rendered(observers.network, latents).clamp(0, 1)
    regions, found = observers.landmarker.detect_regions(images)
    seen = observers.landmarker.measure(images, regions)
    return Performances(
        latents,
        motion,
        (images * 255).round().to(torch.uint8),
        observers.encoder(images),
        seen.parameters,
        seen.aligned,
        seen.landmarks_px,
        regions,
        observers.recognition(images, seen.landmarks_px),
        found,
    )


def _tensors(performances: Performances) -> dict[str, Tensor]:
    return {
        field.name: getattr(performances, field.name).contiguous() for field in fields(Performances)
    }
