"""A person at rest, as far as the photo knows them: what a turned head is taken from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from photorig.worker.portraits.alignment import Alignment

from .beyond_edges import beyond_edges, continued_beyond
from .layers import grown
from .own_colours import person_colours, shrunk
from .skin import skin_of

# Lengths are parts of the aligned square's side.
_PAD = 0.35  # how far beyond the photo a head may have been
_COLOUR_REACH = 0.06  # from how far colours are told apart
_RIM = 0.012  # so near to the person's edge skin that comes into view is not believed
COLOUR_SIDE = 128
"""Pixels of the square's side at which colours are told apart."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What a photo shows.

    Attributes:
        photo: (h, w, 3) uint8.
        plate: (h, w, 3) uint8, the photo without the person.
        matte: (h, w) float32, the person in it.
        uncovered: (h, w) float32, where the plate may come into view, see `layers.with_fringe`.
        alignment: from its pixels to the aligned square.
    """

    photo: np.ndarray
    plate: np.ndarray
    matte: np.ndarray
    uncovered: np.ndarray
    alignment: Alignment


@dataclass(frozen=True, eq=False)
class RestHead:
    """A person at rest, with what goes on beyond the edges of the picture.

    Attributes:
        scene: the photo.
        pad: pixels more on each side in what follows.
        colours: (h + 2 pad, w + 2 pad, 3) uint8, the person's own colours.
        around, inside, skin: (h + 2 pad, w + 2 pad) float32, the person's matte, what is well
            inside of it, and what is skin of the face.
        small: the colours averaged over squares of ``factor`` pixels.
    """

    scene: Scene
    pad: int
    colours: np.ndarray
    around: np.ndarray
    inside: np.ndarray
    skin: np.ndarray
    small: np.ndarray
    factor: int

    @staticmethod
    def of(scene: Scene, landmarks: np.ndarray) -> RestHead:
        """Of a photo in which the face has landmarks (478, 3), in sides of the square."""
        photo, matte, unit = scene.photo, scene.matte, scene.alignment.side
        pad = round(_PAD * unit)
        own = person_colours(photo, matte, max(round(_COLOUR_REACH * unit), 3), unit / COLOUR_SIDE)
        colours, around = continued_beyond(own, pad), beyond_edges(matte, pad, unit)
        inside = cv2.GaussianBlur(grown(around, -_RIM * unit), (0, 0), max(_RIM / 2 * unit, 0.5))
        skin = np.zeros_like(around)
        skin[pad:-pad, pad:-pad] = skin_of(photo, scene.alignment, landmarks)
        factor = max(int(unit / COLOUR_SIDE), 1)
        skin, small = np.minimum(skin, inside), shrunk(colours, factor)
        return RestHead(scene, pad, colours, around, inside, skin, small, factor)
