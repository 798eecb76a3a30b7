"""What a method is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from photorig.worker.compositing.face_move import FaceMove
from photorig.worker.generators import Generator
from photorig.worker.generators.code import Code

PICTURE_SIDE = 256


class FacePicture:
    """A face that drives another: its aligned crop and its code, made when first read.

    Args:
        crop: gives the aligned crop (256, 256, 3) uint8 sRGB, cut as portraits are.
        code: gives the code (n_rows, w_dim) float32 in W+.
    """

    def __init__(self, crop: Callable[[], np.ndarray], code: Callable[[], np.ndarray]) -> None:
        self._make_crop, self._make_code = crop, code

    @cached_property
    def crop(self) -> np.ndarray:
        return self._make_crop()

    @cached_property
    def code(self) -> np.ndarray:
        return self._make_code()

    @staticmethod
    def generated(code: np.ndarray, generator: Generator) -> FacePicture:
        """The face that a generator makes of a code."""
        return FacePicture(lambda: Code(code).drawn(generator, PICTURE_SIDE), lambda: code)


@dataclass(frozen=True, eq=False)
class DrivingPictures:
    """A drive that is a picture.

    Attributes:
        picture: what drives.
        rest: what the source at rest is like, the driver's first frame for instance; None where the
            picture's pose and expression are wanted as they are.
        strength: how much of what the picture adds is put on; 1 is all of it.
    """

    picture: FacePicture
    rest: FacePicture | None = None
    strength: float = 1.0


@dataclass(frozen=True, eq=False)
class Target:
    """What a face is brought to.

    Attributes:
        shift: (n,) float32 Δp, within the bundle's range for the portrait.
        picture: a face that shows it, where there is one.
        rest: a face that shows what the portrait shows at rest; there wherever a picture is.
        strength: how much of what the picture adds is put on. Δp has its own strength already.
    """

    shift: np.ndarray
    picture: FacePicture | None = None
    rest: FacePicture | None = None
    strength: float = 1.0


@dataclass(frozen=True, eq=False)
class Drive(Code):
    """What a method makes of a target.

    Attributes:
        move: where landmarks are and where they are wanted; None where the latents are all.
        tilt: degrees of headRoll that come along unasked, to be taken back in the picture.
        complete: 0 to 1, how far the picture shows all of the person by itself, so that nothing of
            the photo has to be added to the face; at rest 0.
    """

    move: FaceMove | None = None
    tilt: float = 0.0
    complete: float = 0.0
