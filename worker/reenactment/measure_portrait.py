"""Drives a portrait's face once through every control and keeps what it was seen to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from photorig.shared.errors import InputError
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.generators import Generator
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.response import KNOTS, PortraitResponse, believable

from .bundle import ModelBundle

MIDDLE = KNOTS // 2
PART = 0.75
"""Of the motion that a face has room for: coefficients are measured at one amount, head angles at
all knots."""

LEAST_MOTION = 0.15
"""A face that has less room than this is taken to move as the average face does."""

SIZE = 256


class Analyzer(Protocol):
    """Net3D, or what stands in for it."""

    def analyze_one(self, image: np.ndarray) -> FaceMeasurement: ...


def with_response(
    portrait: Portrait, bundle: ModelBundle, generator: Generator, net3d: Analyzer
) -> Portrait:
    """The portrait with the answer of its face to this bundle; some 50 small renderings."""
    return replace(portrait, response=measure_response(portrait, bundle, generator, net3d))


def measure_response(
    portrait: Portrait, bundle: ModelBundle, generator: Generator, net3d: Analyzer
) -> PortraitResponse:
    """What the face does when each parameter moves alone, for the method ``calibrated``."""
    face = _Face(portrait, bundle, generator, net3d)
    up, down = _room(portrait, bundle)
    longest = np.maximum(np.maximum(up, down), LEAST_MOTION)
    moved = longest[:, None] * np.linspace(-1, 1, KNOTS)
    seen = moved.copy()
    turned = np.zeros((*moved.shape, 2))
    angles = list(bundle.head_angles)
    rest = face.reads(np.zeros(len(longest)))
    for position in np.flatnonzero(bundle.moves_latents & (longest > LEAST_MOTION)):
        if rest is None:
            break
        is_angle = not bundle.is_coefficient[position]
        amount = PART * (up[position] if up[position] >= down[position] else -down[position])
        amounts = np.delete(moved[position], MIDDLE) if is_angle else np.array([amount])
        answers = [face.reads(_only(int(position), float(one), len(longest))) for one in amounts]
        if any(answer is None for answer in answers):
            continue
        change = np.array(answers) - rest
        if is_angle:
            seen[position] = np.insert(change[:, position], MIDDLE, 0)
            turned[position] = np.insert(change[:, angles], MIDDLE, 0, axis=0)
            turned[position][:, [angle == position for angle in angles]] = 0
        else:
            part = moved[position] / amount
            seen[position] = part * change[0, position]
            turned[position] = part[:, None] * change[0, angles]
    return PortraitResponse(
        bundle_id=bundle.id,
        moved=moved.astype(np.float32),
        seen=believable(moved, seen).astype(np.float32),
        turned=turned.astype(np.float32),
    )


def _room(portrait: Portrait, bundle: ModelBundle) -> tuple[np.ndarray, np.ndarray]:
    """(n,) motion up and down that the face has left within the trained range."""
    source = portrait.parameters
    here = bundle.curve(source)
    up = bundle.curve(np.maximum(bundle.highest, source)) - here
    down = here - bundle.curve(np.minimum(bundle.lowest, source))
    return up, down


def _only(position: int, amount: float, n: int) -> np.ndarray:
    motion = np.zeros(n, np.float32)
    motion[position] = amount
    return motion


@dataclass(frozen=True)
class _Face:
    portrait: Portrait
    bundle: ModelBundle
    generator: Generator
    net3d: Analyzer

    def reads(self, motion: np.ndarray) -> np.ndarray | None:
        """(n,) what is seen of the moved face, as motion; None where no face is."""
        latents = self.bundle.shifted(self.portrait.latents, motion)
        image = self.generator.synthesize(latents[None], SIZE)[0]
        try:
            return self.bundle.curve(self.net3d.analyze_one(image).parameters)
        except InputError:
            return None
