"""What further photos of a person are worth: portraits of 1, 2, 4 frames of a video, driven to its
other frames.

The frames stand for photos: the first is the portrait's own, the others are those that differ most.
Every remaining frame is the truth for what the face looks like there. Beside the whole face, what
the first photo hardly shows is measured by itself: skin that it sees from the side, and the inside
of a mouth that is open wider.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.parameters.arkit_amounts import amounts_of
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.faces.canonical import load_canonical_face
from photorig.worker.faces.net3d import FaceMeasurement, Net3D
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle
from photorig.worker.reenactment.renderer import FaceRenderer

from ..estimators.judge import Judge
from .image_metrics import PerceptualDistance, face_mask

SIDE = 256
_GEOMETRY = ("headRoll", "headX", "headY", "headZ")
_MORE = 0.2  # by so much more a patch has to face the camera than it does in the first photo
_INNER_LIPS = (
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    *(324, 318, 402, 317, 14, 87, 178, 88, 95),
)
_OPENER = 0.06  # in distances between the eyes' outer corners
_LIPS, _CORNERS = (13, 14), (33, 263)
_LEAST_UNSEEN = 60  # pixels


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture of the person: (h, w, 3) uint8 and the face measured in it."""

    image: np.ndarray
    face: FaceMeasurement

    @property
    def crop(self) -> np.ndarray:
        """(SIDE, SIDE, 3) uint8, the face aligned."""
        return Alignment.of_face(self.face.landmarks).crop(self.image, SIDE)

    @property
    def places(self) -> np.ndarray:
        """(478, 3): landmarks in pixels of the crop; the depth in the same unit."""
        alignment = Alignment.of_face(self.face.landmarks)
        points = np.asarray(self.face.landmarks, np.float64)
        flat = alignment.to_square(points[:, :2])
        return np.column_stack([flat, points[:, 2] / alignment.side]) * SIDE


@dataclass(frozen=True)
class Comparison:
    """A made face beside the real one.

    Attributes:
        face: mean |difference| on the face in levels of 255.
        unseen: the same where the first photo hardly shows the face; NaN where it shows all.
        perceptual: distance of the aligned pictures, see `PerceptualDistance`.
        identity: cosine of the judge's descriptors.
        turned: degrees, mean |difference| of yaw and pitch, by Net3D.
    """

    face: float
    unseen: float
    perceptual: float
    identity: float
    turned: float


@dataclass(frozen=True, eq=False)
class ReferenceEvaluator:
    """Those who compare."""

    renderer: FaceRenderer
    net3d: Net3D
    judge: Judge
    perceptual: PerceptualDistance

    @staticmethod
    def open(renderer: FaceRenderer, net3d: Net3D) -> ReferenceEvaluator:
        """Raises ModelError where a judge cannot be had."""
        return ReferenceEvaluator(renderer, net3d, Judge(("identity",)), PerceptualDistance())

    def made(self, portrait: Portrait, truth: Shot) -> Shot | None:
        """The portrait driven to what a shot shows; None where no face is found any more.

        Roll and place stay those of the portrait: faces are compared aligned.
        """
        schema = self.renderer.schema
        wanted = amounts_of(truth.face.parameters)
        still = [schema.index[name] for name in _GEOMETRY]
        wanted[still] = portrait.parameters[still]
        request = FrameRequest(portrait.id, wanted, SIDE, "absolute", "calibrated")
        frame = self.renderer.render(portrait, request)
        try:
            return Shot(frame, self.net3d.analyze_one(frame))
        except InputError:
            return None

    def compare(self, made: Shot, truth: Shot, first: Shot) -> Comparison:
        """How far what was made is from the truth, and where ``first`` does not show it."""
        one, other = made.crop, truth.crop
        difference = np.abs(one.astype(np.float32) - other).mean(-1)
        aligned = replace(truth.face, landmarks=truth.places.astype(np.float32))
        face = face_mask(aligned, other.shape[:2])
        hidden = unseen(first.places, truth.places) & face
        who = [self.judge.measure(crop) for crop in (one, other)]
        cosine = float("nan")
        if who[0] is not None and who[1] is not None:
            cosine = float(who[0].identity @ who[1].identity)
        angles = list(self.renderer.bundle.head_angles)
        turned = np.abs(made.face.parameters - truth.face.parameters)[angles].mean()
        return Comparison(
            float(difference[face].mean()),
            float(difference[hidden].mean()) if hidden.sum() >= _LEAST_UNSEEN else float("nan"),
            self.perceptual(one, other),
            cosine,
            float(turned),
        )


def unseen(first: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE) bool: what one picture shows of a face and another hardly does.

    Args:
        first, truth: (478, 3) landmarks of aligned pictures, in their pixels.
    """
    triangles = load_canonical_face().triangles
    before, now = (_facing(points[triangles]) for points in (first, truth))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for corners in truth[triangles[now > np.maximum(before, 0) + _MORE]]:
        cv2.fillConvexPoly(mask, np.rint(corners[:, :2]).astype(np.int32), 1)
    if _opening(truth) > _opening(first) + _OPENER:
        cv2.fillPoly(mask, [np.rint(truth[list(_INNER_LIPS), :2]).astype(np.int32)], 1)
    return mask > 0


def _facing(corners: np.ndarray) -> np.ndarray:
    """(t,) cosine between the camera and the normals of triangles (t, 3, 3): 1 from the front."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    cosines = normals[:, 2] / np.maximum(np.linalg.norm(normals, axis=1), 1e-9)
    # Which way round the triangles go: most of a face faces the camera.
    return np.asarray(cosines * np.sign(np.median(cosines)))


def _opening(points: np.ndarray) -> float:
    upper, lower = points[list(_LIPS), :2]
    right, left = points[list(_CORNERS)]
    apart = max(float(np.linalg.norm(left - right)), 1e-6)
    return float(np.linalg.norm(lower - upper)) / apart


def most_different(faces: Sequence[FaceMeasurement], count: int, bundle: ModelBundle) -> list[int]:
    """Numbers of ``count`` faces, 0 first, each of the others the furthest from those before it
    that are no stranger than the bundle can turn a face to."""
    source, angles = faces[0].parameters, list(bundle.head_angles)
    lowest, highest = bundle.lowest[angles], bundle.highest[angles]
    turns = np.stack([face.parameters[angles] for face in faces])
    within = ((turns >= lowest) & (turns <= highest)).all(1)
    motions = np.stack([bundle.motion(source, face.parameters - source) for face in faces])
    motions, gram = motions.astype(np.float64), bundle.shift_gram.astype(np.float64)
    chosen = [0]
    while len(chosen) < min(count, len(faces)):
        ways = motions[:, None] - motions[None, chosen]
        away = np.einsum("fci,ij,fcj->fc", ways, gram, ways)
        nearest = np.where(within, away.min(1), -1.0)
        nearest[chosen] = -2.0
        chosen.append(int(nearest.argmax()))
    return chosen


def measure(
    portraits: Mapping[str, Portrait],
    first: Shot,
    truths: Sequence[Shot],
    evaluator: ReferenceEvaluator,
    advance: Callable[[int], None] = lambda done: None,
) -> tuple[dict[str, list[Comparison | None]], np.ndarray]:
    """Each portrait at each truth, and a sheet of pictures.

    Returns:
        Comparisons by the portraits' labels, None where no face was found; and (rows · SIDE,
        columns · SIDE, 3) uint8: a row a truth, the real face first, then each portrait's.
    """
    results: dict[str, list[Comparison | None]] = {label: [] for label in portraits}
    rows = []
    for done, truth in enumerate(truths, 1):
        row = [truth.crop]
        for label, portrait in portraits.items():
            made = evaluator.made(portrait, truth)
            row.append(np.zeros_like(row[0]) if made is None else made.crop)
            results[label].append(None if made is None else evaluator.compare(made, truth, first))
        rows.append(np.concatenate(row, 1))
        advance(done)
    return results, np.concatenate(rows)


def summary(results: Mapping[str, Sequence[Comparison | None]]) -> dict[str, dict[str, float]]:
    """Means by label over the frames on which all portraits show a face."""
    whole = [
        all(one is not None for one in column) for column in zip(*results.values(), strict=True)
    ]
    means: dict[str, dict[str, float]] = {}
    for label, found in results.items():
        kept = [one for one, is_whole in zip(found, whole, strict=True) if one and is_whole]
        means[label] = {"frames": float(len(kept))}
        for name in Comparison.__dataclass_fields__:
            values = np.array([getattr(one, name) for one in kept], np.float64)
            known = values[np.isfinite(values)]
            means[label][name] = float(known.mean()) if len(known) else float("nan")
    return means
