"""How far one picture is from another: decibels, and a distance as a network of the judges sees it.

No package brings the networks of LPIPS with weights. What stands in for it is built the same way
(Zhang et al. 2018, eq. 1, without learned weights) from GEAR, one of the judges: no loss uses it.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.importers.tfjs import TFJSModule, read_graph
from photorig.worker.registry import fetch

IDENTICAL = 100.0
"""Decibels given to pictures that do not differ at all, and at most."""
_SIDE = 198  # of the pictures that GEAR was made for
_LAYERS = [f"StatefulPartitionedCall/model_1/conv2d_{i}/Relu" for i in range(1, 7)]
_BLUR = 1.5  # pixels of 256: soft, and plainly the same picture


def psnr(first: np.ndarray, second: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Decibels between (h, w, 3) uint8 pictures over a mask (h, w) bool; at most IDENTICAL.

    NaN where the mask is empty.
    """
    difference = first.astype(np.float32) - second
    chosen = difference if mask is None else difference[mask]
    if not chosen.size:
        return float("nan")
    error = float(np.square(chosen, dtype=np.float64).mean())
    return IDENTICAL if error == 0 else min(10 * float(np.log10(255**2 / error)), IDENTICAL)


def face_mask(face: FaceMeasurement, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: what the outermost of Net3D's landmarks enclose, forehead to chin."""
    hull = cv2.convexHull(np.rint(face.landmarks[:, :2]).astype(np.int32))
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, hull, 1)
    return mask > 0


def blurred(image: np.ndarray) -> np.ndarray:
    """The picture a little out of focus, the yardstick of the perceptual distance."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), _BLUR * image.shape[0] / 256))


class PerceptualDistance:
    """Mean squared distance between unit feature vectors of GEAR's six layers.

    0 for the same picture. It has no scale of its own: read it beside what blur costs.

    Raises:
        ModelError: the weights cannot be had.
    """

    def __init__(self) -> None:
        folder = fetch("gear")
        graph = read_graph(folder / "gear.json", folder / "gear.bin")
        self._network = TFJSModule(graph, _LAYERS)

    @torch.no_grad()
    def __call__(self, first: np.ndarray, second: np.ndarray) -> float:
        """Between two (h, w, 3) uint8 pictures of one size."""
        pair = np.stack([_small(first), _small(second)])
        distances = []
        for features in self._network(torch.from_numpy(pair)):  # (2, height, width, channels)
            one, other = F.normalize(features, dim=-1)
            distances.append(float((one - other).square().sum(-1).mean()))
        return float(np.mean(distances))


def _small(image: np.ndarray) -> np.ndarray:
    """(198, 198, 3) float32 in [0, 1]."""
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255
