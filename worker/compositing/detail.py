"""What the generator misses of a photo, carried along with the face that it drives.

With R the generator's picture at rest, P the photo, A the driven picture and f the flow that leads
every point of A back to where it was in R, a frame is

    A(x) + trust(x) · (P − R)(x + f(x)) + (1 − trust(x)) · colour(x)

so that at rest it is P. Trust falls where the flow does not explain A: in a mouth that opens, on a
lid that closes, on skin and background that come into view. There only the difference in colour
between photo and generator is kept, taken from around. Everything here is a pure function of the
pictures: nothing is tracked from frame to frame.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from photorig.worker import rasters
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.rasters import Raster

from .coarse import Coarse, Part, box
from .paste_back import PasteWindow, falloff

SIDE = 256
"""Pixels of the aligned square's side at which flow and trust are found, whatever the frame's size,
so that preview and render carry the same detail to the same place."""

_DISAGREEMENT = 25.0  # levels between the driven picture and the carried one at rest: not the same
_ERRING = 1.5  # pixels by which there and back may differ, and a tenth of the way
_STRETCH = 0.35  # change of the flow from pixel to pixel at which it tears
_NEARBY = 1.5  # pixels over which these are averaged
_COLOUR_REACH = 5.0  # pixels over which colour is told from detail
_SPREAD = 8.0  # pixels over which it is taken from where the flow is trusted
_NOISE = 1.0  # level by which the generator's pictures differ where nothing has changed
_STILL = 0.01  # pixels that are no motion
_STRIP = 64  # rows at a time: what is worked on stays in the cache
_LEAST_TRUST = 0.05  # around a point; below it the generator has its own colours


@dataclass(frozen=True, eq=False)
class Flow:
    """Where a driven picture came from.

    Attributes:
        back: (SIDE, SIDE, 2) float32, x and y from a point of the driven picture to where it was
            at rest, in sides of the aligned square.
        trust: (SIDE, SIDE) float32 in [0, 1], how far that explains the picture.
        rigid: (SIDE, SIDE) float32 in [0, 1], how far a point looks as in the photo, whatever the
            driven picture shows there; None where none does.
    """

    back: Raster
    trust: Raster
    rigid: Raster | None = None

    @property
    def way(self) -> Raster:
        """(SIDE, SIDE) float32: how far the picture has moved around each point."""
        return _near(rasters.lengths(self.back))


@dataclass(frozen=True, eq=False)
class RestPictures:
    """Photo and generator at rest in one raster of pixels.

    Attributes:
        photo: (h, w, 3) uint8.
        generated: (h, w, 3) uint8, the generator's picture at rest in the same place.
        offset: (SIDE, SIDE, 3) float32, by how much the photo's colours differ, on the person.
        alignment: from the raster's pixels to the aligned square.
    """

    photo: Raster
    generated: Raster
    offset: Raster
    alignment: Alignment


_one_thread = threading.Lock()


def optical_flow(driven: np.ndarray, rest: np.ndarray) -> Flow:
    """How a driven picture came out of the one at rest, both (s, s, 3) uint8 of the generator.

    Dense inverse search (Kroeger, Timofte, Dai and Van Gool 2016), there and back.
    """
    driven, rest = small(driven), small(rest)
    after, before = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (driven, rest))
    with _one_thread:
        # The search goes by stripes, one a thread: the number of threads would change the result.
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
            back = search.calc(after, before, None)
            ahead = search.calc(before, after, None)
        finally:
            cv2.setNumThreads(threads)
    return Flow(back / SIDE, _trust(driven, rest, back, ahead))


def trusted(driven: Raster, rest: Raster, back: Raster) -> Raster:
    """(SIDE, SIDE) float32 in [0, 1]: how far a flow that is known explains a driven picture.

    Args:
        driven, rest: (SIDE, SIDE, 3) uint8.
        back: (SIDE, SIDE, 2) float32 in sides of the square, see `Flow.back`.
    """
    back = back * SIDE
    return _trust_of(_near(_unlike(driven, rest, _sources(back))), back)


def _trust(driven: np.ndarray, rest: np.ndarray, back: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE): how far the flow ``back`` (pixels) explains the driven picture."""
    source = _sources(back)
    there_and_back = back + cv2.remap(
        ahead, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    erring = _squared(there_and_back) / (_ERRING**2 + 0.01 * _squared(back))
    return _trust_of(_near(_unlike(driven, rest, source) + erring), back)


def _unlike(driven: Raster, rest: Raster, source: Raster) -> Raster:
    """(SIDE, SIDE): how far a driven picture differs from what its flow takes from the one at rest,
    squared; 1 is too much."""
    carried = rasters.sampled(rest, source, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)
    apart = rasters.apart(carried, driven)
    return rasters.transformed(apart * apart, np.full((1, 3), 1 / (3 * _DISAGREEMENT**2)))


def _trust_of(doubt: Raster, back: Raster) -> Raster:
    """(SIDE, SIDE) trust in a flow (pixels), with the doubt (SIDE, SIDE) that there is already."""
    smooth = _near(back)
    slopes = [rasters.slopes(smooth, axis) for axis in (0, 1)]
    torn = (_squared(slopes[0]) + _squared(slopes[1])) / _STRETCH**2
    return rasters.floats(rasters.exponential(-(doubt + torn)))


def _squared(ways: Raster) -> Raster:
    """Squared lengths (h, w) of vectors (h, w, 2)."""
    return rasters.transformed(ways * ways, np.ones((1, 2)))


def small(picture: Raster) -> Raster:
    """A square picture at the size at which flow is found."""
    if picture.shape[0] == SIDE:
        return picture
    shrinks = picture.shape[0] > SIDE
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return rasters.resized(picture, (SIDE, SIDE), way)


def colour_offset(photo: np.ndarray, generated: np.ndarray, person: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 3) float32: how the photo's colours differ from the generator's on the person.

    Args:
        photo, generated: (s, s, 3) uint8 aligned crops.
        person: (m, m) float32, where the person is; the background's colours do not bleed in.
    """
    difference = small(photo).astype(np.float32) - small(generated)
    weight = cv2.resize(person, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return _spread(difference, weight, _COLOUR_REACH, 1e-2)


@dataclass(frozen=True, eq=False)
class Ways:
    """Where the pixels of a picture came from.

    Attributes:
        sources: (h, w, 2) float32, pixels at rest, as OpenCV counts.
        part: rows and columns outside which each pixel is where it was.
    """

    sources: Raster
    part: Part

    def taken_along(
        self, values: Raster, way: int = cv2.INTER_LINEAR, border: int = cv2.BORDER_CONSTANT
    ) -> Raster:
        """Values (h, w, …) of the picture at rest, moved; see `rasters.sampled`."""
        result = rasters.copied(values)
        if self.part[0].stop:
            result[self.part] = rasters.sampled(values, self.sources[self.part], way, border)
        return result


@dataclass(frozen=True, eq=False)
class Carried:
    """A driven picture with the photo's detail.

    Attributes:
        picture: (h, w, 3) uint8.
        ways: where each pixel came from.
        way: (h, w) float32, how far each pixel has come, in sides of the square.
    """

    picture: Raster
    ways: Ways
    way: Raster


def carried(
    driven: Raster, rest: RestPictures, flow: Flow, window: PasteWindow | None = None
) -> Carried:
    """The driven picture with what the photo has and the generator has not.

    Args:
        driven: (s, s, 3) uint8 of the generator.
        window: where ``rest`` is a part of the photo: towards the edges of the square the photo
            itself takes over, moved as the driven picture is.

    Returns:
        In the raster of ``rest``. It is the photo bit for bit where ``driven`` is the generator's
        picture at rest, and far from the square.
    """
    everywhere = (slice(0, rest.photo.shape[0]), slice(0, rest.photo.shape[1]))
    inner = everywhere if window is None else window.inner
    ways, way = _moves(flow, rest.alignment, rest.photo.shape[:2], window is not None)
    photo, generated = (
        ways.taken_along(at_rest, cv2.INTER_CUBIC, cv2.BORDER_REFLECT_101)
        for at_rest in (rest.photo, rest.generated)
    )
    face, generated = photo[inner], generated[inner]
    alignment = rest.alignment if window is None else window.inner_alignment
    shape = face.shape[:2]
    picture = alignment.placed(driven, shape)
    trust = alignment.placed(flow.trust, shape)
    colours = alignment.placed(_colours(rest.offset, flow), shape)
    rigid = None if flow.rigid is None else alignment.placed(flow.rigid, shape)
    for rows, around in _strips(picture):
        change = _settled(rasters.difference(picture[around], generated[around]))
        change = change[rows.start - around.start :][: rows.stop - rows.start]
        trusted, own = trust[rows], colours[rows]
        if window is not None:
            shown = window.shown[inner][rows]
            trusted = 1 - shown * (1 - trusted)
            weights = rasters.repeated(shown, 3)
            change, own = change * weights, own * weights
        if rigid is not None:
            change = change * rasters.repeated(1 - rigid[rows], 3)
        explained = rasters.changed(face[rows], change)
        face[rows] = rasters.changed(rasters.blended(picture[rows], explained, trusted), own)
    return Carried(photo, ways, way)


def _strips(picture: Raster) -> Iterator[tuple[slice, slice]]:
    """Rows of a picture, some at a time, and these with as many around them as `_settled` sees; of
    a tensor, all at once."""
    height, around = picture.shape[0], 2
    count = _STRIP if rasters.is_array(picture) else height
    for top in range(0, height, count):
        bottom = min(top + count, height)
        yield slice(top, bottom), slice(max(top - around, 0), min(bottom + around, height))


def _settled(change: Raster) -> Raster:
    """A change of the picture (h, w, 3) float32 without noise from pixel to pixel.

    Both pictures are rounded, to bytes and, on some processors, on the way there. What differs by
    no more than that around a pixel is replaced by its mean (Wiener's filter for local variance).
    """
    fine = rasters.difference(change, rasters.gaussian(change, 0, 3))
    variance = rasters.averaged(rasters.product(fine, fine), 3)
    return rasters.difference(change, rasters.scaled_ratio(fine, variance + _NOISE**2, _NOISE**2))


def _colours(offset: Raster, flow: Flow) -> Raster:
    """(SIDE, SIDE, 3) float32: the part of the offset that is seen where the flow is not trusted.

    It is smooth, so half the resolution is enough.
    """
    half = (SIDE // 2, SIDE // 2)
    sources = _sources(flow.back * SIDE)
    colours = rasters.sampled(offset, sources, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    colours = rasters.resized(colours, half, cv2.INTER_AREA)
    trust = rasters.resized(flow.trust, half, cv2.INTER_AREA)
    spread = rasters.resized(_spread(colours, trust, _SPREAD / 2, _LEAST_TRUST), (SIDE, SIDE))
    return spread * rasters.repeated(1 - flow.trust, 3)


def _moves(
    flow: Flow, alignment: Alignment, shape: tuple[int, int], is_led: bool
) -> tuple[Ways, Raster]:
    """`Carried.ways` and `Carried.way` in a raster: found at the flow's own resolution, for they
    are smooth."""
    coarse = Coarse.of(shape, alignment.side / SIDE)
    in_coarse = coarse.alignment(alignment)
    back, way = (in_coarse.placed(field, coarse.shape) for field in (flow.back, flow.way))
    if is_led:
        follows = rasters.like(falloff(coarse.shape, in_coarse), back)
        back, way = back * rasters.repeated(follows, 2), way * follows
    moves = rasters.transformed(back, alignment.to_pixels)
    sources = moves + rasters.like(coarse.positions, back)
    part = coarse.covering(box(rasters.lengths(moves) > _STILL))
    return Ways(coarse.enlarged(sources), part), coarse.enlarged(way)


def _sources(back: Raster) -> Raster:
    """(h, w, 2) positions as OpenCV counts them, a flow (h, w, 2) away from each pixel."""
    height, width = back.shape[:2]
    source = rasters.copied(back)
    source[..., 0] += rasters.like(np.arange(width, dtype=np.float32), back)
    source[..., 1] += rasters.like(np.arange(height, dtype=np.float32), back)[:, None]
    return source


def _near(values: Raster) -> Raster:
    return rasters.gaussian(values, _NEARBY)


def _spread(values: Raster, weight: Raster, reach: float, least: float) -> Raster:
    """Values (h, w, 3) averaged over a reach in pixels with a weight (h, w); towards 0 where there
    is less weight than the least."""
    total = rasters.gaussian(weight, reach) + least
    spread = rasters.gaussian(values * rasters.repeated(weight, 3), reach)
    return spread / rasters.repeated(total, 3)
