"""The person's matte: which part of a picture is the person, hair by hair.

The network is MediaPipe's selfie segmentation (general model, 256 × 256); its edges are refined to
the picture's own resolution with a guided filter (He, Sun and Tang 2013).
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import torch

from photorig.shared.errors import ModelError
from photorig.worker.importers.tflite import TFLiteModule
from photorig.worker.threads import one_torch_thread

MODEL = "person-matte"
FILE = "selfie_segmentation.tflite"

_REFINED_RADIUS = 0.008  # of the picture's longer side: how far an edge may move
_LEAST_RADIUS = 4  # pixels, of the filter where it is computed
_SMOOTHNESS = 2e-4  # of the guided filter, in squared colour: what counts as an edge of the picture


class Matte(Protocol):
    """What the stage needs of a matte."""

    @property
    def id(self) -> str:
        """Changes whenever the same picture would give another matte."""
        ...

    def person(self, picture: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 to (m, n) float32 in [0, 1], 1 on the person; at the network's size."""
        ...


class PersonMatte:
    """Implements `Matte` with weights that are read when the first picture comes."""

    def __init__(self) -> None:
        self._network: TFLiteModule | None = None

    @property
    def id(self) -> str:
        from photorig.worker.registry import open_registry

        return open_registry().card(MODEL).files[0].sha256

    def person(self, picture: np.ndarray) -> np.ndarray:
        """See `Matte.person`. Raises ModelError where the weights cannot be had."""
        if self._network is None:
            self._network = _load_network()
        _, height, width, _ = self._network.input_shape
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        with one_torch_thread(), torch.inference_mode():
            (person,) = self._network(torch.from_numpy(small)[None].float() / 255)
        return person[0, ..., 0].numpy()


def refined(person: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """A matte (m, n) brought to the picture's size (h, w), its edges drawn to the picture's."""
    height, width = picture.shape[:2]
    person = cv2.resize(person, (width, height), interpolation=cv2.INTER_LINEAR)
    radius = max(round(_REFINED_RADIUS * max(height, width)), 1)
    guide = picture.astype(np.float32) * np.float32(1 / 255)
    # Large pictures: 'Fast Guided Filter' (He and Sun 2015).
    scale = min(_LEAST_RADIUS / radius, 1.0)
    edges = cv2.ximgproc.guidedFilter(guide, person, radius, _SMOOTHNESS, dDepth=-1, scale=scale)
    return np.clip(edges, 0.0, 1.0)


def _load_network() -> TFLiteModule:
    from photorig.worker.registry import fetch

    path = fetch(MODEL) / FILE
    try:
        return TFLiteModule(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"The person matte cannot be read: {error.strerror}",
            f"Run 'photorig models verify {MODEL}'.",
        ) from error
