"""The 52 shapes that the face makes, as the rigged head and the worker both move it.

One table (models/face-shapes.safetensors, made by ``photorig train face-shapes``) says where each
of the 468 vertices of MediaPipe's face goes at amount 1 of each ARKit blend shape, which is ARKit's
full motion. Amounts add up linearly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from photorig.shared.errors import ModelError
from photorig.shared.parameters.schema import ARKIT_NAMES

SHAPES_FILE = "face-shapes.safetensors"
N_VERTICES = 468


@dataclass(frozen=True)
class FaceShapes:
    """Face at rest and what each shape adds to it.

    Axes are the canonical face's: x to image right (the subject's left), y up, z towards the
    camera. Left and right in names are the subject's own.

    Attributes:
        names: the 52 names of ARKIT_NAMES, in that order.
        face: (468, 3) float32 cm, the face at rest that the offsets belong to: symmetric, eyes
            open, lips closed.
        offsets: (52, 468, 3) float32 cm at amount 1.
        gaze: (52, 2, 2) float32: by how much of an eye's width (distance of its corners) each shape
            shifts the iris of the subject's right eye [:, 0] and left eye [:, 1], in x and y.
    """

    names: tuple[str, ...]
    face: np.ndarray
    offsets: np.ndarray
    gaze: np.ndarray

    @cached_property
    def index(self) -> dict[str, int]:
        """Position in ``names`` by shape name."""
        return {name: number for number, name in enumerate(self.names)}

    def of(self, name: str) -> np.ndarray:
        """(468, 3) cm: the offsets of one shape. Raises KeyError for an unknown name."""
        return self.offsets[self.index[name]]

    def moved(self, amounts: Mapping[str, float]) -> np.ndarray:
        """(468, 3) cm: how far each vertex goes when these shapes act together.

        Raises KeyError for an unknown name.
        """
        return np.tensordot(self._vector(amounts), self.offsets, 1)

    def _vector(self, amounts: Mapping[str, float]) -> np.ndarray:
        vector = np.zeros(len(self.names), np.float32)
        for name, amount in amounts.items():
            vector[self.index[name]] = amount
        return vector


def load_face_shapes() -> FaceShapes:
    """The table that comes with Photorig. Raises ModelError where it is missing or damaged."""
    from photorig.worker.registry import own_weights

    return read_face_shapes(own_weights(SHAPES_FILE))


def read_face_shapes(path: Path) -> FaceShapes:
    """A table from a file. Raises ModelError."""
    hint = "Install Photorig again."
    try:
        tensors = load_file(path)
        shapes = FaceShapes(ARKIT_NAMES, tensors["face"], tensors["offsets"], tensors["gaze"])
    except (OSError, KeyError, SafetensorError) as error:
        raise ModelError(f"The face's shapes cannot be read: {error}", hint) from error
    count = len(ARKIT_NAMES)
    expected = ((N_VERTICES, 3), (count, N_VERTICES, 3), (count, 2, 2))
    found = (shapes.face.shape, shapes.offsets.shape, shapes.gaze.shape)
    if found != expected:
        raise ModelError(f"The face's shapes have the sizes {found}, not {expected}", hint)
    return shapes
