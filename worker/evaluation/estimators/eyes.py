"""Contours and irises of both eyes by MediaPipe's iris network, in an upright face.

The network is not part of Net3D's graph: it is the older one of "Real-time pupil tracking from
monocular video" (Ablavatski et al., 2020), which sees one eye at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from photorig.worker.importers.tfjs import TFJSModule, read_graph
from photorig.worker.registry import fetch

from .landmarks import LEFT_EYE, RIGHT_EYE, UprightFace

MODEL = "iris"
N_CONTOUR = 71
"""Points of eye and brow; the five that follow are the iris: middle, right, above, left, below."""

_SIZE = 64
_SIDE = 2.3  # of the crop, in distances between the eye's corners


@dataclass(frozen=True, eq=False)
class Eye:
    """One eye, mirrored where needed to look like a subject's right eye: outer corner left.

    Attributes:
        points: (71, 2) contours of eye and brow, in units of the distance between the eye's
            corners, from the middle between them; y down.
        iris: (5, 2) the same.
    """

    points: np.ndarray
    iris: np.ndarray


class EyeReader:
    """The iris network. Raises ModelError where it cannot be had."""

    def __init__(self) -> None:
        folder = fetch(MODEL)
        graph = read_graph(folder / f"{MODEL}.json", folder / f"{MODEL}.bin")
        self._network = TFJSModule(graph, ["Identity"])

    @torch.no_grad()
    def read(self, face: UprightFace) -> tuple[Eye, Eye]:
        """The subject's left and right eye."""
        crops = np.stack([_crop(face, LEFT_EYE, True), _crop(face, RIGHT_EYE, False)])
        answer = self._network(torch.from_numpy(crops).float() / 255)[0]
        points = answer.reshape(2, -1, 3)[..., :2].numpy()
        units = (points.astype(np.float64) / _SIZE - 0.5) * _SIDE
        left, right = (Eye(eye[:N_CONTOUR], eye[N_CONTOUR:]) for eye in units)
        return left, right


def _crop(face: UprightFace, eye: slice, mirror: bool) -> np.ndarray:
    """(64, 64, 3) uint8 around an eye; the network wants eyes whose outer corner is on the left."""
    points = face.landmarks[eye]
    corners = points[[0, 3]]
    side = _SIDE * np.linalg.norm(corners[1] - corners[0])
    low = corners.mean(0) - side / 2
    scale = side / _SIZE
    matrix = np.array([[scale, 0, low[0] + scale / 2 - 0.5], [0, scale, low[1] + scale / 2 - 0.5]])
    crop = cv2.warpAffine(
        face.image,
        matrix,
        (_SIZE, _SIZE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return crop[:, ::-1] if mirror else crop
