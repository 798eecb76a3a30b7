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
LEAST_MOTION = 0.15
"""A face that has less room than this is taken to move as the average face does."""

SIZE = 256


class Analyzer(Protocol):
    """Net3D, or what stands in for it."""

    def analyze_one(self, image: np.ndarray) -> FaceMeasurement: ...


def with_response(
    portrait: Portrait, bundle: ModelBundle, generator: Generator, net3d: Analyzer
) -> Portrait:
    """The portrait with the answer of its face to this bundle; some 90 small renderings."""
    return replace(portrait, response=measure_response(portrait, bundle, generator, net3d))


def measure_response(
    portrait: Portrait, bundle: ModelBundle, generator: Generator, net3d: Analyzer
) -> PortraitResponse:
    """What the face does when each parameter moves alone, for the method ``calibrated``."""
    face = _Face(portrait, bundle, generator, net3d)
    up, down = _room(portrait, bundle)
    longest = np.maximum(np.maximum(up, down), LEAST_MOTION)
    moved = longest[:, None] * np.linspace(-1, 1, KNOTS)
    ways = np.where(up >= down, 1, -1)
    seen = moved.copy()
    turned, tilted = np.zeros((*moved.shape, 2)), np.zeros(moved.shape)
    roll = bundle.schema.index["headRoll"]
    angles = list(bundle.head_angles)
    rest = face.reads(np.zeros(len(longest)))
    for position in np.flatnonzero(bundle.moves_latents & (longest > LEAST_MOTION)):
        if rest is None:
            break
        # Coefficients are measured where there is room, and taken to do the opposite elsewhere.
        both_ways = not bundle.is_coefficient[position]
        measured = [k for k in range(KNOTS) if (k - MIDDLE) * ways[position] > 0 or both_ways]
        answers = {
            k: face.reads(_only(int(position), float(moved[position, k]), len(longest)))
            for k in measured
            if k != MIDDLE
        }
        for k, answer in answers.items():
            change = (
                np.full(len(longest), np.nan) if answer is None else answer.motion - rest.motion
            )
            lean = 0.0 if answer is None else answer.values[roll] - rest.values[roll]
            for knot, sign in ((k, 1), (KNOTS - 1 - k, -1)):
                if knot == k or not both_ways:
                    seen[position, knot] = sign * change[position]
            # An expression hardly turns a head, it deceives the estimator: turning against that
            # would be seen, and would change what is read of the lids in its turn.
            if both_ways:
                turned[position, k] = np.nan_to_num(change[angles])
                tilted[position, k] = lean
        turned[position][:, [angle == position for angle in angles]] = 0
    return PortraitResponse(
        bundle_id=bundle.id,
        moved=moved.astype(np.float32),
        seen=believable(moved, seen).astype(np.float32),
        turned=turned.astype(np.float32),
        tilted=tilted.astype(np.float32),
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
class _Reading:
    """What is seen of a face: parameters (n,) and the same as motion (n,)."""

    values: np.ndarray
    motion: np.ndarray


@dataclass(frozen=True)
class _Face:
    portrait: Portrait
    bundle: ModelBundle
    generator: Generator
    net3d: Analyzer

    def reads(self, motion: np.ndarray) -> _Reading | None:
        """What is seen of the moved face; None where no face is."""
        latents = self.bundle.shifted(self.portrait.latents, motion)
        image = self.generator.synthesize(latents[None], SIZE)[0]
        try:
            values = self.net3d.analyze_one(image).parameters
        except InputError:
            return None
        return _Reading(values, self.bundle.curve(values))
