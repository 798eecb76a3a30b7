"""A generator's picture of a face put where the person's own mesh is to be.

Nothing is searched: landmarks of the generator's picture, of the picture at rest and of the picture
that is wanted are known (reenactment/face_target.py), and the fields between them are the mesh's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from photorig.worker import rasters
from photorig.worker.portraits.eye_frame import Eye, EyeLayer, MovedEye, covered, painted
from photorig.worker.portraits.eyeball import Eyeballs
from photorig.worker.portraits.eyelids import ClosedLids
from photorig.worker.portraits.mouth import MouthInterior, lips_apart
from photorig.worker.rasters import Raster

from .detail import Flow, small, trusted
from .face_mesh import SIDE, FacePose, fields, warped
from .tongue import Tongue

_IRIS_FULL, _IRIS_END = 1.0, 2.4
"""Radii of the iris up to which everything moves with it, and from which nothing does."""

_LID_MARGIN = 0.7
"""Part of half an eye's opening over which a shift of its iris ends at the lids."""
_LEAST_TURN = 0.02
"""Pixels below which an iris stands still."""
_FINER = 4


@dataclass(frozen=True, eq=False)
class FaceMove:
    """Landmarks (478, 3) of one face in three pictures, in sides of the aligned square.

    Attributes:
        rest: of the picture at rest.
        seen: of what the generator draws.
        target: of what is wanted.
        scale: sides of the square along a centimetre, in the picture that is wanted.
        is_turned: whether the head is turned, so that more than the mesh moves.
        eyes: where irises move inside their lids.
        posed: landmarks of the generator's face as it is turned, without an expression; None where
            it is not known.
        lids, eyeballs: what is seen where eyes shut and look; None where only the generator does.
        mouth: what is seen between lips that part; None where only the generator draws it.
        rotation: (3, 3) by how much the head is to be turned, y up and z near; None where only
            its landmarks tell.
        tongue: in [0, 1], how far the tongue is put out.
        tilt: degrees counter-clockwise by which the generator rolls the head along with that.
        frame: (SIDE, SIDE) float32, how far each pixel of the photo's aligned square belongs to a
            frame of glasses, which turns with the head and does nothing else; None without one.
    """

    rest: np.ndarray
    seen: np.ndarray
    target: np.ndarray
    scale: float
    is_turned: bool
    eyes: tuple[Eye, ...]
    posed: np.ndarray | None = None
    mouth: MouthInterior | None = None
    lids: ClosedLids | None = None
    eyeballs: Eyeballs | None = None
    rotation: np.ndarray | None = None
    tilt: float = 0.0
    tongue: float = 0.0
    frame: np.ndarray | None = None

    def applied(self, picture: Raster) -> Raster:
        """The generator's picture (s, s, 3) uint8 with its landmarks where they are wanted."""
        picture = warped(picture, self._fields[0])
        picture = painted(picture, self._eye_layers(picture.shape[0]))
        if self.mouth is not None:
            before = lips_apart(self.rest, FacePose.of(self.rest).scale)
            parted = float(np.abs(lips_apart(self.target, self.scale) - before).max())
            picture = self.mouth.painted(picture, self.target, self.scale, parted)
        tongue = self._tongue(picture.shape[0])
        if tongue is None:
            return picture
        return rasters.as_array(picture, lambda face: tongue.painted(face, self.target))

    def flow(self, driven: Raster, rest: Raster) -> Flow:
        """How the driven picture came out of the one at rest, both (s, s, 3) uint8 of the
        generator, the driven one after `applied`."""
        back = rasters.like(self._fields[1], driven)
        trust = trusted(small(driven), small(rest), back)
        if self.covered is not None:
            trust = trust * (1 - rasters.like(self.covered, driven))
        if self._fields[2] is None:
            return Flow(back, trust)
        rigid = rasters.like(self._fields[2], driven)
        return Flow(back, trust + (1 - trust) * rigid, rigid)

    @cached_property
    def covered(self) -> np.ndarray | None:
        """(SIDE, SIDE) float32: how far each pixel shows what is kept of the eyes, or a tongue, and
        nothing of what was there at rest; None where none does."""
        eyes, tongue = covered(SIDE, self._eye_layers(SIDE)), self._tongue(SIDE)
        if tongue is None:
            return eyes
        hidden = tongue.covered(SIDE)
        return hidden if eyes is None else np.maximum(eyes, hidden)

    def _tongue(self, size: int) -> Tongue | None:
        """The tongue in a picture of a size."""
        return Tongue.of(self.target, self.scale, size, self.tongue)

    def _eye_layers(self, size: int) -> list[EyeLayer]:
        """What is kept of the eyes in a picture of a size, as they have moved from those of the
        posed face."""
        parts = [part for part in (self.eyeballs, self.lids) if part is not None]
        if not parts:
            return []
        if size not in self._layers:
            before = self.rest if self.posed is None else self.posed
            eyes = [MovedEye.of(eye, before, self.target, self.scale, size) for eye in self.eyes]
            self._layers[size] = [layer for part in parts for layer in part.layers(eyes)]
        return self._layers[size]

    @cached_property
    def _layers(self) -> dict[int, list[EyeLayer]]:
        return {}

    @cached_property
    def _fields(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """(SIDE, SIDE, 2) float32 each, irises included: from the picture that is wanted back to
        what the generator draws, and to the picture at rest; and (SIDE, SIDE) float32, what of the
        picture is a frame of glasses."""
        sources, rigid = [self.seen, self.rest], None
        if self.frame is not None and self.posed is not None:
            sources.append(self.posed)
        drawn, back, *expressed = fields(self.target, sources, self.scale)
        if self.frame is not None and expressed:
            (expression,) = expressed
            rigid = at_ways(self.frame, back - expression)
            left = expression * rigid[..., None]
            drawn, back = drawn - left, back - left
        for eye in self.eyes:
            _turn_iris(drawn, self.target, self.seen, eye)
            _turn_iris(back, self.target, self.rest, eye)
        return drawn, back, rigid


def at_ways(values: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """Values (SIDE, SIDE) where ways (SIDE, SIDE, 2) in sides lead from each pixel; 0 beyond."""
    at = ways * np.float32(SIDE)
    at[..., 0] += np.arange(SIDE, dtype=np.float32)
    at[..., 1] += np.arange(SIDE, dtype=np.float32)[:, None]
    return cv2.remap(values, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _turn_iris(displacement: np.ndarray, target: np.ndarray, source: np.ndarray, eye: Eye) -> None:
    """Let the iris of the moved picture come from that of the source; in place."""
    middle, ring = target[eye.iris.start, :2], target[eye.iris, :2][1:]
    radius = float(np.linalg.norm(ring - middle, axis=1).mean()) * SIDE
    row, column = (int(np.clip(value * SIDE, 0, SIDE - 1)) for value in middle[::-1])
    missing = source[eye.iris.start, :2] - middle - displacement[row, column]
    if np.abs(missing).max() * SIDE < _LEAST_TURN or radius <= 0:
        return
    outline = np.concatenate([target[eye.upper, :2], target[eye.lower[::-1], :2]]) * SIDE
    margin = int(np.ceil(_IRIS_END * radius)) + 2
    low = np.clip(np.floor(outline.min(0)) - margin, 0, SIDE).astype(int)
    high = np.clip(np.ceil(outline.max(0)) + margin, 0, SIDE).astype(int)
    width, height = (high - low).tolist()
    if width <= 0 or height <= 0:
        return
    inside = _within(outline - low, (height, width))
    x = np.arange(low[0], high[0], dtype=np.float32) + 0.5 - middle[0] * SIDE
    y = np.arange(low[1], high[1], dtype=np.float32)[:, None] + 0.5 - middle[1] * SIDE
    away = (_IRIS_END - np.hypot(x, y) / radius) / (_IRIS_END - _IRIS_FULL)
    share = (_smooth(away) * inside)[..., None]
    displacement[low[1] : high[1], low[0] : high[0]] += share * missing.astype(np.float32)


def _within(outline: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) float32: 1 well inside an eye's outline (n, 2) of pixels, falling to 0 at its lids, so
    that nothing is drawn from beyond them."""
    scale = _FINER  # an eye is a few pixels high: distances want a finer raster
    fine = np.zeros((shape[0] * scale, shape[1] * scale), np.uint8)
    corners = np.round((outline * scale - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(fine, [corners], 1, cv2.LINE_8, 4)
    depth = cv2.distanceTransform(fine, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    deepest = float(depth.max())
    if deepest <= 0:
        return np.zeros(shape, np.float32)
    inside = _smooth(depth / (_LID_MARGIN * deepest))
    return cv2.resize(inside, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)


def _smooth(value: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between; float32."""
    t = np.clip(value, 0, 1).astype(np.float32)
    return np.asarray(t * t * (3 - 2 * t))
