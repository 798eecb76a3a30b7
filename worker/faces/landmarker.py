"""MediaPipe FaceLandmarker as a differentiable PyTorch module: pixels to pose and coefficients.

The networks are the ones inside ``face_landmarker.task`` (BlazeFace short range, 478-point face
mesh, blend shape mixer). Gradients flow from parameters and landmarks to pixels; only the choice
of the crop, `FaceLandmarker.detect`, is not differentiable.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photorig.shared.errors import ModelError
from photorig.shared.parameters.schema import ARKIT_NAMES, HEAD_TRANSLATION
from photorig.worker.importers.tflite import TFLiteModule

from . import geometry
from .canonical import METADATA_FILE, read_canonical_face

BUNDLE_FILE = "face_landmarker.task"
N_MESH = 468
"""Landmarks of the face mesh; the ten that follow are the irises."""

_BLEND_SHAPE_LANDMARKS = """
    0 1 4 5 6 7 8 10 13 14 17 21 33 37 39 40 46 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82 84
    87 88 91 93 95 103 105 107 109 127 132 133 136 144 145 146 148 149 150 152 153 154 155 157
    158 159 160 161 162 163 168 172 173 176 178 181 185 191 195 197 234 246 249 251 263 267 269
    270 276 282 283 284 285 288 291 293 295 296 297 300 308 310 311 312 314 317 318 321 323 324
    332 334 336 338 356 361 362 365 373 374 375 377 378 379 380 381 382 384 385 386 387 388 389
    390 397 398 400 402 405 409 415 454 466 468 469 470 471 472 473 474 475 476 477
"""
"""Which landmarks the blend shape network takes (face_blendshapes_graph.cc)."""

_DETECTOR_SIZE = 128
_DETECTION_THRESHOLD = 0.5
_OVERLAP = 0.3  # boxes that overlap the best one more than this are averaged with it
_REGION_SCALE = 1.5  # crop side over detection box


@dataclass(frozen=True)
class Region:
    """A rotated square around a face, in image pixels; angle in radians, see geometry.py."""

    center_x: float
    center_y: float
    size: float
    angle: float


@dataclass(frozen=True)
class Measurement:
    """What the landmarker sees in b crops; differentiable with respect to the pixels.

    Attributes:
        parameters: (b, 58) in FACE_SCHEMA's order and units; tongueOut and the translation, which
            one picture cannot tell, are always 0.
        landmarks_px: (b, 478, 3) image pixels, z in the same unit.
        score: (b,) in [0, 1], how sure the network is that the crop holds a face.
        aligned: (b, 468, 3) the face's shape without pose and scale, cm of the canonical face.
        transform: (b, 4, 4) canonical face to camera, MediaPipe's facial transformation matrix.
    """

    parameters: Tensor
    landmarks_px: Tensor
    score: Tensor
    aligned: Tensor
    transform: Tensor


def _anchors() -> np.ndarray:
    """(896, 2) centres of BlazeFace's short-range anchors: 2 on a 16² grid, 6 on an 8² grid."""
    grids = []
    for cells, repeats in ((16, 2), (8, 6)):
        centres = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(centres, centres, indexing="ij")
        grids.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), repeats, 0))
    return np.concatenate(grids).astype(np.float32)


class FaceLandmarker(nn.Module):
    """The three networks and the geometry between them, frozen.

    Attributes:
        canonical_vertices: (468, 3) cm, x to image right, y up, z towards the camera.
        canonical_uv: (468, 2) in [0, 1].
        canonical_triangles: (898, 3) int64.
    """

    canonical_vertices: Tensor
    canonical_uv: Tensor
    canonical_triangles: Tensor
    weights: Tensor
    subset: Tensor
    anchors: Tensor

    def __init__(self, task: Path) -> None:
        """task: the face_landmarker.task file. Raises ModelError where it is damaged."""
        super().__init__()
        try:
            with zipfile.ZipFile(task) as bundle:
                mesh = bundle.read("face_landmarks_detector.tflite")
                blend_shapes = bundle.read("face_blendshapes.tflite")
                detector = bundle.read("face_detector.tflite")
                metadata = bundle.read(METADATA_FILE)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ModelError(
                f"The face landmarker cannot be read: {error}",
                "Run `photorig models fetch face-landmarker`.",
            ) from error
        self.mesh = TFLiteModule(mesh, outputs=(0, 1))  # landmarks, presence; not tongue
        self.blend_shapes = TFLiteModule(blend_shapes)
        self.detector = TFLiteModule(detector)
        self.crop_size = self.mesh.input_shape[1]
        face = read_canonical_face(metadata)
        buffers = {
            "canonical_vertices": face.vertices,
            "canonical_uv": face.uv,
            "canonical_triangles": face.triangles,
            "weights": face.weights,
            "subset": np.array(_BLEND_SHAPE_LANDMARKS.split(), np.int64),
            "anchors": _anchors(),
        }
        for name, values in buffers.items():
            self.register_buffer(name, torch.from_numpy(values), persistent=False)
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Region | None]:
        """The most certain face of each image, None where there is none.

        Args:
            images: (b, 3, h, w) in [0, 1].
        """
        regions, found = self.detect_regions(images)
        rows = zip(regions.tolist(), found.tolist(), strict=True)
        return [Region(*row) if ok else None for row, ok in rows]

    @torch.no_grad()
    def detect_regions(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """`detect` without leaving the device: regions (b, 4), and (b,) bool whether found."""
        height, width = images.shape[-2:]
        side = max(height, width)
        whole = images.new_tensor([[width / 2, height / 2, side, 0.0]]).expand(len(images), 4)
        whole = _as_opencv_samples(whole, _DETECTOR_SIZE)
        square = geometry.crop(images, whole, _DETECTOR_SIZE, "zeros") * 2 - 1
        raw, logits = self.detector(square.permute(0, 2, 3, 1))
        scores = torch.sigmoid(logits[..., 0].clamp(-100, 100))
        # centre, extent, then the keypoints (right eye, left eye, …), all from the anchor
        points = raw.view(len(images), -1, 8, 2) / _DETECTOR_SIZE
        extent = points[:, :, 1] / 2
        points = points + self.anchors[:, None]
        low, high = points[:, :, 0] - extent, points[:, :, 0] + extent
        score, best = scores.max(1)
        weights = _overlap_weights(low, high, scores, best)
        merged = torch.stack([low, high, points[:, :, 2], points[:, :, 3]], 2)
        merged = (weights[:, :, None, None] * merged).sum(1) * side
        merged = merged - merged.new_tensor([(side - width) / 2, (side - height) / 2])
        low, high, right_eye, left_eye = merged.unbind(1)
        across = left_eye - right_eye
        size = _REGION_SCALE * (high - low).amax(-1)
        angle = torch.atan2(across[:, 1], across[:, 0])
        regions = torch.cat([(low + high) / 2, size[:, None], angle[:, None]], -1)
        return regions, score >= _DETECTION_THRESHOLD

    def measure(self, images: Tensor, regions: Sequence[Region] | Tensor) -> Measurement:
        """Landmarks, pose and coefficients of one face in each image.

        Args:
            images: (b, 3, h, w) in [0, 1], whole images: the place in space depends on where in
                the picture the face is. The angles do not (geometry.facing_angles).
            regions: b regions, or (b, 4), for instance from `detect`.
        """
        if not isinstance(regions, Tensor):
            rows = [(r.center_x, r.center_y, r.size, r.angle) for r in regions]
            regions = images.new_tensor(rows)
        sampled = _as_opencv_samples(regions, self.crop_size)
        landmarks, score = self.landmarks(geometry.crop(images, sampled, self.crop_size))
        landmarks = geometry.landmarks_to_image(landmarks, regions)
        height, width = images.shape[-2:]
        face = geometry.metric_face(
            landmarks[:, :N_MESH], (height, width), self.canonical_vertices, self.weights
        )
        angles = geometry.facing_angles(
            landmarks[:, :N_MESH], self.canonical_vertices, self.weights
        )
        coefficients = self.coefficients(landmarks)
        parameters = F.pad(torch.cat([angles, coefficients], -1), (0, len(HEAD_TRANSLATION)))
        return Measurement(parameters, landmarks, score, face.aligned, face.transform)

    def landmarks(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """(b, 3, 256, 256) upright crops -> landmarks (b, 478, 3) in crop sides, score (b,)."""
        points, presence = self.mesh(crops.permute(0, 2, 3, 1))
        landmarks = points.reshape(len(crops), -1, 3) / self.crop_size
        return landmarks, torch.sigmoid(presence.reshape(len(crops)))

    def coefficients(self, landmarks_px: Tensor) -> Tensor:
        """(b, 478, 3) landmarks, x and y in one unit -> (b, 52) in the order of ARKIT_NAMES."""
        mixed = self.blend_shapes(landmarks_px[:, self.subset, :2])[0]
        # The network's first output is "_neutral"; tongueOut, the last name, it does not know.
        return F.pad(mixed[:, 1:], (0, len(ARKIT_NAMES) - (mixed.shape[1] - 1)))


def _as_opencv_samples(regions: Tensor, size: int) -> Tensor:
    """Regions moved so that `geometry.crop` takes the samples that MediaPipe takes.

    MediaPipe lets OpenCV warp corner to corner, which lays the centre of the first pixel, not its
    corner, on the corner of the region: half a crop pixel less half an image pixel to one side.
    """
    step = regions[:, 2] / size
    cosine, sine = regions[:, 3].cos(), regions[:, 3].sin()
    shift = torch.stack([1 - step * (cosine - sine), 1 - step * (sine + cosine)], -1) / 2
    return torch.cat([regions[:, :2] + shift, regions[:, 2:]], -1)


def _overlap_weights(low: Tensor, high: Tensor, scores: Tensor, best: Tensor) -> Tensor:
    """(b, n) weights of boxes in the weighted non-maximum suppression around each best box."""
    rows = torch.arange(len(best), device=best.device)
    best_low, best_high = low[rows, best][:, None], high[rows, best][:, None]
    shared = (torch.minimum(high, best_high) - torch.maximum(low, best_low)).clamp_min(0).prod(-1)
    area = (high - low).prod(-1) + (best_high - best_low).prod(-1) - shared
    keep = (shared > _OVERLAP * area) & (scores >= _DETECTION_THRESHOLD)
    keep[rows, best] = True  # also where nothing is certain enough: the result is then unused
    weights = scores * keep
    return weights / weights.sum(1, keepdim=True).clamp_min(math.ulp(1.0))


def load_landmarker() -> FaceLandmarker:
    """The registry's face landmarker, float32, frozen. Raises ModelError."""
    from photorig.worker.registry import fetch

    return FaceLandmarker(fetch("face-landmarker") / BUNDLE_FILE)
