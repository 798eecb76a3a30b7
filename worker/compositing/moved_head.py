"""A driven picture with its head moved in it: rolled, shifted, nearer or further away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from photorig.worker import rasters
from photorig.worker.rasters import Raster

from .beyond_edges import beyond_edges
from .coarse import Coarse, Part, blended, box, tiles, within
from .head_motion import HeadMotion, HeadPlace, source_ways
from .layers import gone_by
from .own_colours import edge_colours, shrunk

# Lengths are parts of the aligned square's side, so that they are the same at every size.
_SIDE = 256  # pixels of the square's side at which it is found how far each point moves
_COLOUR_REACH = 0.06  # from how far the colours of person and background are told apart
_COLOUR_SIDE = 128  # pixels of the square's side at which these colours are told apart
_SOFT = 0.05  # how wide a pixel is of what goes on out of focus beyond the edges of the picture
_STILL = 0.02  # pixels that are no motion
_WHOLE = 511 / 512  # a weight that is all but 1: what is below cannot change a level


@dataclass(frozen=True, eq=False)
class HeadWays:
    """How the pixels of a picture move with a head.

    Attributes:
        coarse: the raster on which it is known, for everything here is smooth.
        ways: (m, n, 2) float32, from each place to where it comes from, pixels of the picture.
        unit: pixels of the aligned square's side.
    """

    coarse: Coarse
    ways: np.ndarray
    unit: float

    @staticmethod
    def of(shape: tuple[int, ...], place: HeadPlace, motion: HeadMotion) -> HeadWays:
        """In a picture of a height and width."""
        coarse = Coarse.of((shape[0], shape[1]), place.unit / _SIDE)
        factor, margin = coarse.factor, coarse.margin
        in_coarse = replace(
            place,
            pivot=place.pivot / factor + margin,
            chin=place.chin / factor + margin,
            chin_radius=place.chin_radius / factor,
            centre=place.centre / factor + margin,
            pixels_per_cm=place.pixels_per_cm / factor,
            unit=place.unit / factor,
        )
        ways = factor * source_ways(coarse.shape, in_coarse, motion)
        ways[cv2.magnitude(*cv2.split(ways)) < _STILL] = 0
        return HeadWays(coarse, ways, place.unit)

    @cached_property
    def sources(self) -> np.ndarray:
        """(m, n, 2) float32, where in the picture each place comes from, as OpenCV counts."""
        return self.ways + self.coarse.positions

    @cached_property
    def fade(self) -> np.ndarray:
        """(m, n) float32 in [0, 1], how far only layers are seen of what has moved so far."""
        return gone_by(cv2.magnitude(*cv2.split(self.ways)) / self.unit)

    @cached_property
    def part(self) -> Part:
        """Rows and columns of the picture outside which nothing moves."""
        return self.coarse.covering(box(self.fade > 0))

    @cached_property
    def beyond(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Three times (m, n) float32: by how many pixels what is shown lies beyond the left or the
        right edge of the picture, its upper and its lower one."""
        height, width = self.coarse.picture
        x, y = cv2.split(self.coarse.positions)
        across, down = cv2.split(self.ways)
        across, down = across + np.clip(x, 0, width - 1), down + np.clip(y, 0, height - 1)
        aside = cv2.max(cv2.max(-across, across - (width - 1)), 0)
        return aside, cv2.max(-down, 0), cv2.max(down - (height - 1), 0)


def warped(
    picture: Raster,
    person: Raster,
    plate: Raster,
    place: HeadPlace,
    motion: HeadMotion,
) -> Raster:
    """The picture with its head moved.

    Args:
        picture: (h, w, 3) uint8, driven, its background that of the picture at rest.
        person: (h, w) float32, its matte.
        plate: (h, w, 3) uint8, the picture at rest without the person, see `background`.

    Returns:
        (h, w, 3) uint8; outside the moved person it is the plate or the picture.
    """
    moves = HeadWays.of(person.shape, place, motion)
    matte, colours = _Matte(person, moves), _Colours(picture, person, moves)
    fades, result = rasters.like(moves.fade, picture), rasters.copied(picture)
    for part in tiles(moves.part, picture):
        fade = moves.coarse.enlarged(fades, part)
        if not box(fade > 0)[0].stop:
            continue
        opacity = matte.moved(part)
        if not _is_whole(opacity):
            result[part] = blended(picture[part], plate[part], fade)
        inner = box(opacity > 0)
        if inner[0].stop:
            shown, opacity, fade = within(part, inner), opacity[inner], fade[inner]
            front = colours.moved(shown, 1 - fade * (1 - opacity))
            whole = _is_whole(opacity)
            result[shown] = front if whole else blended(result[shown], front, opacity)
    return result


def moved_matte(person: np.ndarray, place: HeadPlace, motion: HeadMotion) -> np.ndarray:
    """A person's matte (h, w) float32 as `warped` shows the person."""
    moves, result = HeadWays.of(person.shape, place, motion), person.copy()
    matte = _Matte(person, moves)
    for part in tiles(moves.part, person):
        result[part] = matte.moved(part)
    return result


class _Matte:
    """A person's matte, moved, with what goes on beyond the edges of the picture."""

    def __init__(self, person: Raster, moves: HeadWays) -> None:
        furthest = max(float(way.max()) for way in moves.beyond)
        pad = int(furthest) + 2 if furthest > 0 else 0
        self._wide = beyond_edges(person, pad, moves.unit) if pad else person
        self._sources = rasters.like(moves.sources + np.float32(pad), person)
        self._coarse = moves.coarse

    def moved(self, part: Part) -> Raster:
        """How far a part (h, w) of the picture shows the person, float32."""
        sources = self._coarse.enlarged(self._sources, part)
        return rasters.sampled(self._wide, sources, cv2.INTER_LINEAR)


class _Colours:
    """A person's own colours, moved.

    Where a pixel moves far, so does the one that it comes from: one picture can be moved.
    """

    def __init__(self, picture: Raster, person: Raster, moves: HeadWays) -> None:
        aside, above, below = moves.beyond
        self._picture, self._coarse = picture, moves.coarse
        # Clothes go on below as they end.
        across, down = cv2.split(moves.sources)
        sources = cv2.merge([across, down - below])
        self._sources = rasters.like(sources, picture)
        factor = max(int(moves.unit / _COLOUR_SIDE), 1)
        small = shrunk(picture, factor)
        size = max(round(_COLOUR_REACH * moves.unit), 3) // factor
        edge = edge_colours(small, shrunk(person, factor), size)
        self._edge = _sampled(edge, self._sources, factor)
        self._beyond = cv2.max(aside, above)
        if self._beyond.any():
            cell = max(round(_SOFT * moves.unit / factor), 1)
            pad = int(self._beyond.max()) // (cell * factor) + 2
            self._soft = _sampled(
                _out_of_focus(small, cell, pad), self._sources, cell * factor, pad
            )
            share = np.minimum(self._beyond / np.float32(_SOFT * moves.unit), 1)
            self._share = rasters.like(share, picture)

    def moved(self, part: Part, own: Raster) -> Raster:
        """What a part (h, w) of the picture shows of the person, (h, w, 3) uint8.

        Args:
            own: (h, w) float32 in [0, 1], how far the picture's colours are the person's own.
        """
        sources = self._coarse.enlarged(self._sources, part)
        front = rasters.sampled(self._picture, sources, cv2.INTER_CUBIC, cv2.BORDER_REFLECT_101)
        if self._beyond[self._coarse.around(part)].any():
            soft = rasters.saturated(self._coarse.enlarged(self._soft, part))
            front = blended(front, soft, self._coarse.enlarged(self._share, part))
        if _is_whole(own):
            return front
        return blended(rasters.saturated(self._coarse.enlarged(self._edge, part)), front, own)


def _out_of_focus(picture: Raster, cell: int, pad: int) -> Raster:
    """(m, n, 3) float32: a picture in pixels ``cell`` times as large, ``pad`` more of them on each
    side but below: the mirror image. Sharp, it would show a second ear."""
    height, width = (max(length // cell, 1) for length in picture.shape[:2])
    soft = rasters.floats(rasters.resized(picture, (width, height), cv2.INTER_AREA))
    return rasters.padded(soft, (pad, 0, pad, pad), cv2.BORDER_REFLECT)


def _is_whole(weights: Raster) -> bool:
    """Whether weights are all but 1; of a tensor nobody waits to know."""
    return rasters.is_array(weights) and bool(weights.min() >= _WHOLE)


def _sampled(values: Raster, sources: Raster, factor: int, pad: int = 0) -> Raster:
    """Values (h, w, 3) of pixels ``factor`` times as large, ``pad`` of them before the picture
    begins, at places (m, n, 2) of it."""
    at = (sources + 0.5) / factor + (pad - 0.5)
    return rasters.sampled(values, at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
