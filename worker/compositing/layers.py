"""A picture in layers: the background behind the person, the person in front, moved or not.

Every function here is pure. At rest each gives back what it was given, bit for bit, and nothing
jumps when a motion begins: the layers fade in with the distance that a pixel has moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from photorig.worker import rasters
from photorig.worker.rasters import Raster

# Lengths are parts of the aligned square's side, so that they are the same at every size.
_SEAM_REACH = 0.012  # how far outside the person the driven picture ends
_SEAM_WIDTH = 0.03  # over which it fades into the picture at rest
_EDGE = 0.006  # width of the edge of a person who has moved
_GATE_REACH = 0.12  # how far from the person at rest a moving person may reach
_CORE_DEPTH = 0.08  # how deep inside the person at rest nothing but person is
_PLATE_REACH = 0.025  # how far outside the person the background is repainted
_FRINGE = 0.006  # half of how far outside its matte a person's hair may be seen
_MIRROR_DEPTH = 0.12  # how deep behind the person the background has grain
_GRAIN_REACH, _GRAIN = 0.01, 5.0  # how coarse grain is; levels up to which it is no drawing
_CONTINUES = 0.02  # from how far what goes on behind the person is told
_FADE = 0.018  # distance a pixel has to move until only the layers are seen
_PLATE_SIDE = 256  # pixels of the square's side at which what goes on behind it is found
_LEAST = 1 / 512  # below it, a weight cannot change a level


@dataclass(frozen=True, eq=False)
class RestPerson:
    """Where the person is in a picture at rest, at the matte's size.

    Attributes:
        matte: (m, n) float32 in [0, 1].
        gate: (m, n) float32, 1 near the person: others in the background do not move along.
        core: (m, n) float32, 1 deep inside the person, where mattes sometimes have holes.
        unit: pixels of the aligned square's side.
    """

    matte: np.ndarray
    gate: np.ndarray
    core: np.ndarray
    unit: float

    def clean(self, matte: np.ndarray) -> np.ndarray:
        """A matte (m, n) of the same person, driven, without others and without holes."""
        return np.maximum(matte * self.gate, self.core)

    def surrounded(self, driven: np.ndarray) -> np.ndarray:
        """(m, n) in [0, 1]: the driven person (m, n) with some of what surrounds them."""
        return with_surroundings(driven, self.unit)

    def alone(self, driven: np.ndarray) -> np.ndarray:
        """(m, n) in [0, 1]: the driven person (m, n), without what surrounds them."""
        return _soft(np.clip((driven - 0.1) * 4, 0, 1), _EDGE * self.unit)


def with_surroundings(person: np.ndarray, unit: float) -> np.ndarray:
    """(h, w) in [0, 1]: a person (h, w) with some of what surrounds them."""
    # No threshold: a seam that steps from pixel to pixel would flicker in a moving picture.
    person = np.clip((person - 0.05) * 5, 0, 1).astype(np.float32)
    reach = (_SEAM_REACH + _SEAM_WIDTH / 2) * unit
    return _soft(grown(person, reach), _SEAM_WIDTH / 2 * unit)


def rest_person(
    matte: np.ndarray, head: tuple[float, float], unit: float, reach: np.ndarray | None = None
) -> RestPerson:
    """The person in the matte (m, n) of a picture at rest.

    Args:
        head: x and y of a point within the head, in pixels of the matte.
        unit: pixels of the aligned square's side.
        reach: (m, n) float32, 0 where nothing is this person's any more; everywhere 1 if None.
    """
    whole = _whole_person(matte, head)
    gate = _soft(grown(whole, _GATE_REACH * unit), _GATE_REACH / 3 * unit)
    if reach is not None:
        gate, whole = gate * reach, whole * (reach == 1)
    core = _soft(grown(whole, -_CORE_DEPTH * unit), _CORE_DEPTH / 3 * unit)
    return RestPerson(np.maximum(matte * gate, core), gate, core, unit)


def blend(below: Raster, above: Raster, weight: Raster) -> Raster:
    """Pictures (h, w, 3) uint8 mixed: the lower one where the weight (h, w) float32 is 0, else
    more of the upper one."""
    return rasters.blended(below, above, weight)


def mixed(below: Raster, above: Raster, share: float) -> Raster:
    """Pictures (h, w, 3) uint8 mixed; with a share of 0 or 1 one of them bit for bit."""
    if share in (0.0, 1.0):
        return above if share else below
    return np.asarray(cv2.addWeighted(below, 1 - share, above, share, 0))


def composited_over(
    picture: Raster,
    plate: Raster,
    driven: Raster,
    seams: tuple[Raster, Raster],
    way: Raster,
    uncovered: Raster,
) -> Raster:
    """A driven person over the picture at rest.

    Where nothing has moved, what surrounds the person is taken along, so that no hair is cut off.
    Where the person has moved it is left behind, for there the photo has another background; and
    behind the person the plate comes into view.

    Args:
        picture, plate, driven: (h, w, 3) uint8.
        seams: (h, w) each, where the driven picture is seen: with surroundings and without.
        way: (h, w) float32, how far each point has come, in sides of the aligned square.
        uncovered: (h, w) float32, where the plate may come into view, see `with_fringe`.

    Returns:
        (h, w, 3) uint8.
    """
    has_moved = gone_by(way)
    surrounded, alone = seams
    behind = blend(picture, plate, has_moved * uncovered)
    return blend(behind, driven, surrounded + has_moved * (alone - surrounded))


def gone_by(way: Raster) -> Raster:
    """How far only layers are seen of what has come that far, (h, w) float32 in sides."""
    return _smooth(way / _FADE)


def _positions(height: int, width: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([x, y], -1)


def _smooth(value: Raster) -> Raster:
    """0 below 0, 1 above 1, smooth between."""
    t = value.clip(0, 1)
    return t * t * (3 - 2 * t)


def grown(mask: np.ndarray, distance: float) -> np.ndarray:
    """A mask (h, w) of zeros and ones grown, or shrunk if negative, by a distance in pixels."""
    size = 2 * round(abs(distance)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    if distance >= 0:
        return cv2.dilate(mask, kernel)
    return cv2.erode(mask, kernel, borderType=cv2.BORDER_REPLICATE)


def _soft(mask: np.ndarray, distance: float) -> np.ndarray:
    """Edges faded over the distance on both sides; 0 and 1 exactly beyond it."""
    size = 2 * max(round(distance / 2), 1) + 1
    for _ in range(2):
        mask = cv2.blur(mask, (size, size), borderType=cv2.BORDER_REPLICATE)
    return np.where(mask < _LEAST, 0, np.where(mask > 1 - _LEAST, 1, mask)).astype(np.float32)


def _whole_person(matte: np.ndarray, head: tuple[float, float]) -> np.ndarray:
    """(h, w) 0 or 1: the connected part that holds the head, holes filled."""
    inside = (matte > 0.5).astype(np.uint8)
    _, labels = cv2.connectedComponents(inside, connectivity=4)
    row = int(np.clip(head[1], 0, matte.shape[0] - 1))
    column = int(np.clip(head[0], 0, matte.shape[1] - 1))
    own = labels == labels[row, column] if inside[row, column] else inside > 0
    # What the border does not reach through the background is a hole. The lower edge belongs to
    # the body, so that gaps between arms and picture are background all the same.
    outside = np.pad((~own).astype(np.uint8), ((1, 0), (1, 1)), constant_values=1)
    _, labels = cv2.connectedComponents(outside, connectivity=4)
    return (labels[1:, 1:-1] != labels[0, 0]).astype(np.float32)


def background(picture: np.ndarray, person: np.ndarray, unit: float) -> np.ndarray:
    """The plate: (h, w, 3) uint8 background, continued behind the person (h, w) float32.

    What ends at the person's edge goes on behind them, with the grain of what is mirrored there; a
    little outside the person it is the picture bit for bit.
    """
    covered = grown((person > 0.05).astype(np.float32), _PLATE_REACH * unit)
    if covered.all():
        return picture
    mirrored, depth = _mirrored(picture, covered)
    grain = mirrored - cv2.GaussianBlur(mirrored, (0, 0), max(_GRAIN_REACH * unit, 1.0))
    near = np.exp(-((depth / (_MIRROR_DEPTH * unit)) ** 2))[..., None]
    filled = _continued(picture, covered, unit) + near * np.clip(grain, -_GRAIN, _GRAIN)
    return blend(picture, rasters.saturated(filled), _soft(covered, _PLATE_REACH / 2 * unit))


def _continued(picture: np.ndarray, covered: np.ndarray, unit: float) -> np.ndarray:
    """(h, w, 3) float32: a picture that goes on where it is covered (h, w), fast marching (Telea
    2004) at the resolution of small pictures; next to the cover colours are whole."""
    height, width = covered.shape
    factor = max(unit / _PLATE_SIDE, 1.0)
    size = (max(round(width / factor), 1), max(round(height / factor), 1))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    hidden = (cv2.resize(covered, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    filled = cv2.inpaint(small, hidden, max(_CONTINUES * _PLATE_SIDE, 1.0), cv2.INPAINT_TELEA)
    return cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def with_fringe(person: np.ndarray, unit: float) -> np.ndarray:
    """(h, w) float32 in [0, 1]: where a person (h, w) is seen, and hair too fine for its matte."""
    seen = np.clip(person * 4, 0, 1).astype(np.float32)
    return _soft(grown(seen, max(2 * _FRINGE * unit, 2)), _FRINGE * unit)


def _mirrored(picture: np.ndarray, covered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) float32 colours of what lies as far outside the cover, and that distance (h, w)."""
    height, width = covered.shape
    inside = (covered > 0).astype(np.uint8)
    depth, labels = cv2.distanceTransformWithLabels(
        inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(inside == 0)
    nearest = np.zeros((labels.max() + 1, 2), np.float32)
    nearest[labels[rows, columns]] = np.stack([columns, rows], -1)
    edge = cv2.GaussianBlur(nearest[labels], (0, 0), 2.0)  # without seams where the nearest changes
    there = np.clip(2 * edge - _positions(height, width), 0, [width - 1, height - 1])
    colours = cv2.remap(picture, there.astype(np.float32), None, cv2.INTER_LINEAR)
    return colours.astype(np.float32), depth
