"""Frames of one portrait, rendered as everybody renders them and looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from photorig.worker.portraits.portrait import Portrait

from ..estimators.families import Family, Reading, stacked
from ..protocols.cached_results import CachedResult
from ..protocols.context import FrameSize
from ..real.tools import EvaluationTools
from . import pixels
from .flow import REGIONS, region_moves
from .frames import POSES, REST, TURNED, Frame, Values, places
from .known_warps import WARPS, warped
from .shape import FaceFrame

SIDE = 512
"""Of the aligned crops that are looked at, pixels."""
Where = Literal["crop", "whole"]

_KEPT = ("parameters", "apertures", "gaze", "identity", "landmarks")
_STARTS = {TURNED: "yaw +25"}
"""Frames whose flow counts from another frame than rest."""


@dataclass(frozen=True, eq=False)
class Looked:
    """Figures of some frames, and the frames themselves.

    Attributes:
        cached: ``<family>.<field>`` (f, …) readings of the crops; ``flow`` (f, regions, 2) in eye
            distances; ``weave``, ``outside``, ``face_change``, ``surroundings`` (f,) in levels;
            ``chroma`` (f, 2) in levels; ``still`` (f,) bool, whether nothing differs from rest.
        crops: (f, SIDE, SIDE, 3) uint8.
        face: the face at rest in the crops.
    """

    cached: CachedResult
    crops: np.ndarray
    face: FaceFrame


class NoFace(ValueError):
    """The judges see no face in a portrait at rest: nothing can be measured on it."""


def look_at(
    tools: EvaluationTools,
    portrait: Portrait,
    frames: Sequence[Frame],
    where: Where,
    advance: Callable[[], None],
) -> Looked:
    """Render and read the frames; the first is the one at rest.

    Args:
        where: "crop" renders the aligned square, "whole" the whole photo, whose square is then cut
            out and looked at.
        advance: is told of every frame.

    Raises:
        NoFace: of the frame at rest.
    """
    judge = tools.families[0]
    rest = _rendered(tools, portrait, frames[0].values, where)
    crop = _square(rest, portrait, where)
    seen = judge.read(crop)
    if seen is None:
        raise NoFace(portrait.name)
    face = FaceFrame(np.asarray(seen.landmarks, np.float64))
    outline = pixels.face_outline(face, crop.shape[:2])
    box = _native(pixels.box_of(outline), portrait, where)
    background = ~tools.person_mask(rest)
    readings: list[tuple[Reading | None, ...]] = []
    crops: list[np.ndarray] = []
    rows: list[dict[str, np.ndarray]] = []
    by_label = places(frames)
    for frame in frames:
        whole = rest if frame.label == REST else _rendered(tools, portrait, frame.values, where)
        image = _square(whole, portrait, where)
        start = by_label.get(_STARTS.get(frame.label, REST), 0)
        readings.append(tools.read(image))
        crops.append(image)
        rows.append(
            {
                "flow": _flow(frame, readings[start][0], crops[start], image),
                "weave": np.array(pixels.weave(pixels.cut(whole, box))),
                "chroma": np.array(pixels.chroma(image)),
                "outside": np.array(pixels.change(crop, image, ~outline)),
                "face_change": np.array(pixels.change(crop, image, outline)),
                "surroundings": np.array(pixels.change(rest, whole, background)),
                "still": np.array(bool((whole == rest).all())),
            }
        )
        advance()
    cached: CachedResult = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Looked(cached | _readings(tools.families, readings), np.array(crops), face)


def _rendered(
    tools: EvaluationTools, portrait: Portrait, values: Values, where: Where
) -> np.ndarray:
    size: FrameSize = SIDE if where == "crop" else "full"
    return tools.frame(portrait, tools.schema.vector(values), "relative", size)


def _square(image: np.ndarray, portrait: Portrait, where: Where) -> np.ndarray:
    return image if where == "crop" else portrait.alignment.crop(image, SIDE)


def _native(box: np.ndarray, portrait: Portrait, where: Where) -> np.ndarray:
    """A box of the square, in pixels of what was rendered."""
    if where == "crop":
        return box
    corners = box[[[0, 1], [2, 1], [0, 3], [2, 3]]] / SIDE
    points = portrait.alignment.to_photo(corners)
    return np.concatenate([points.min(0), points.max(0)])


def _flow(frame: Frame, start: Reading | None, before: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(regions, 2) in eye distances; a turned head's is left out, for only expressions count."""
    if frame.label in POSES:
        return np.zeros((len(REGIONS), 2))
    if start is None:
        return np.full((len(REGIONS), 2), np.nan)
    return region_moves(FaceFrame(np.asarray(start.landmarks, np.float64)), before, image)


def _readings(
    families: Sequence[Family], readings: Sequence[tuple[Reading | None, ...]]
) -> CachedResult:
    cached: CachedResult = {}
    for number, family in enumerate(families):
        arrays = stacked(family, [reading[number] for reading in readings])
        wanted = {f"{family.name}.{name}" for name in _KEPT}
        cached |= {name: values for name, values in arrays.items() if name in wanted}
    return cached


def look_at_known_warps(tools: EvaluationTools, crop: np.ndarray) -> CachedResult:
    """What the judges see where it is known how far the face has gone: rest, then WARPS.

    Args:
        crop: (SIDE, SIDE, 3) at rest.

    Returns:
        ``<judge>.<field>`` and ``flow`` as in `Looked.cached`; nothing where there is no face.
    """
    judge = tools.families[0]
    seen = judge.read(crop)
    if seen is None:
        return {}
    face = FaceFrame(np.asarray(seen.landmarks, np.float64))
    images = [crop, *(warped(crop, face, warp) for warp in WARPS)]
    flow = np.array([region_moves(face, crop, image) for image in images])
    cached = _readings([judge], [(judge.read(image),) for image in images])
    return cached | {"flow": flow}


def last_change(render: Callable[[float], np.ndarray], steps: int = 6) -> float:
    """The share of full motion from which on frames stay the same, to 2^−steps: 1 where they
    change up to the end, 0 where they never do.

    Args:
        render: gives the frame at a share of the full motion.
    """
    end = render(1.0).tobytes()
    if render(0.0).tobytes() == end:
        return 0.0
    low, high = 0.0, 1.0  # differs, is the same
    for _ in range(steps):
        middle = (low + high) / 2
        if render(middle).tobytes() == end:
            high = middle
        else:
            low = middle
    return high


def last_changes(
    tools: EvaluationTools, portrait: Portrait, sweeps: dict[str, dict[str, float]], size: int
) -> dict[str, float]:
    """`last_change` of each sweep, at the smallest size that shows it."""

    def rendered(values: dict[str, float], share: float) -> np.ndarray:
        part = {name: value * share for name, value in values.items()}
        return tools.frame(portrait, tools.schema.vector(part), "relative", size)

    return {
        name: last_change(lambda share, values=values: rendered(values, share))  # type: ignore[misc]
        for name, values in sweeps.items()
    }
