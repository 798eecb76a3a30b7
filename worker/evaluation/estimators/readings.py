"""What landmarks say of a head: its angles, its expression, its openings and where it looks.

Angles and coefficients come from maps that were fitted to Net3D's answers on generated faces that
nobody had edited (`photorig train judge`), so they are in Net3D's units and axes; what they read is
dlib's and the iris network's landmarks only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from photorig.shared.errors import ModelError
from photorig.shared.parameters.head import FIELD_OF_VIEW
from photorig.shared.parameters.schema import ARKIT_NAMES
from photorig.worker.faces import geometry

from .eyes import Eye
from .landmarks import LEFT_EYE, RIGHT_EYE, UprightFace
from .regression import Regression

FILE_NAME = "judge-landmarks.safetensors"
N_COEFFICIENTS = 52
EYE_COEFFICIENTS = (
    *("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide"),
)
"""Coefficients that each eye has of its own."""
EYE_PLACES = np.array(
    [[ARKIT_NAMES.index(name + side) for name in EYE_COEFFICIENTS] for side in ("Left", "Right")]
)
"""(2, 7) where they stand in ARKit's order."""

_LIPS = (62, 66)  # inner middle of upper and lower lip
_UPPER_LID, _LOWER_LID = [11, 12, 13], [3, 4, 5]  # opposite points of the iris network
_PER_DEGREE = 0.02  # makes angles vary about as much as all points of an eye together
_AROUND_SCALE = 3.0  # the same for the landmarks around it
_AROUND = [i for i in range(68) if not 36 <= i < 48]  # all but the eyes
MIRROR = [
    *(*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)),
]
"""Which of the 68 landmarks a mirror puts in each one's place."""
_CORNERS = (0, 8)  # of the eye among the iris network's points: outer, inner


def eye_distance(landmarks: np.ndarray) -> float:
    """Between the middles of the eyes of (68, 2) landmarks."""
    return float(np.linalg.norm(landmarks[LEFT_EYE].mean(0) - landmarks[RIGHT_EYE].mean(0)))


def mouth_aperture(landmarks: np.ndarray) -> float:
    """Height of the gap between the lips in distances between the eyes."""
    return float(
        np.linalg.norm(landmarks[_LIPS[0]] - landmarks[_LIPS[1]]) / eye_distance(landmarks)
    )


def eye_opening(landmarks: np.ndarray, eyes: tuple[Eye, Eye]) -> np.ndarray:
    """(2,) height of left and right eye in distances between the eyes.

    By the iris network, which sees one eye at a time: dlib's trees move both pairs of lids together
    (correlation .98 over 1,797 faces), so that they would miss a wink.
    """
    heights = []
    for eye, place in zip(eyes, (LEFT_EYE, RIGHT_EYE), strict=True):
        gap = np.linalg.norm(eye.points[_UPPER_LID] - eye.points[_LOWER_LID], axis=-1).mean()
        heights.append(gap * np.linalg.norm(landmarks[place][3] - landmarks[place][0]))
    return np.array(heights) / eye_distance(landmarks)


def gaze(eyes: tuple[Eye, Eye]) -> np.ndarray:
    """(2, 2) of left and right eye: how far its iris is to image right and up.

    From the middle between the eye's corners, along and across the line through them, in units of
    their distance. About ±0.2 sideways. It is the eye's in the head, not in the room.
    """
    looks = []
    for eye, sign in zip(eyes, (-1, 1), strict=True):  # the left eye was mirrored to be read
        outer, inner = eye.points[list(_CORNERS)]
        along = inner - outer
        offset = eye.iris[0] - (inner + outer) / 2
        square = along @ along
        across = along[0] * offset[1] - along[1] * offset[0]
        looks.append([sign * (offset @ along) / square, -across / square])
    return np.array(looks)


def shape_features(landmarks: np.ndarray) -> np.ndarray:
    """(136,) landmarks of an upright face without place and size."""
    centred = landmarks - landmarks.mean(0)
    return (centred / np.sqrt((centred**2).sum())).ravel()


def face_features(landmarks: np.ndarray, eyes: tuple[Eye, Eye]) -> np.ndarray:
    """(440,) landmarks and what the iris network adds."""
    near = [np.concatenate([eye.points, eye.iris]).ravel() for eye in eyes]
    return np.concatenate([shape_features(landmarks), *near])


def eye_features(landmarks: np.ndarray, eyes: tuple[Eye, Eye], upright: np.ndarray) -> np.ndarray:
    """(2, 266) each eye by itself with the face around it, mirrored for the left eye.

    One map serves both eyes, and dlib's points of the eyes are left out: a map that saw both eyes
    would learn that they close together.
    """
    face = shape_features(landmarks).reshape(-1, 2)
    rows = []
    for eye, sign in zip(eyes, (-1, 1), strict=True):
        around = (face[MIRROR] * [-1, 1] if sign < 0 else face)[_AROUND] * _AROUND_SCALE
        stands = np.array([sign * upright[0], upright[1]]) * _PER_DEGREE
        rows.append(np.concatenate([eye.points.ravel(), eye.iris.ravel(), stands, around.ravel()]))
    return np.array(rows)


def rotation(angles: np.ndarray) -> np.ndarray:
    """(3,) yaw, pitch, roll in degrees to the (3, 3) rotation that `geometry.head_angles` reads."""
    yaw, pitch, roll = np.radians(angles)
    about_y = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    about_x = [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
    about_z = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    return np.array(about_y) @ np.array(about_x) @ np.array(about_z)


def angles(matrix: np.ndarray) -> np.ndarray:
    """The inverse of `rotation`."""
    return geometry.head_angles(torch.from_numpy(matrix)[None])[0].numpy()


def frame_rotation(face: UprightFace, size: tuple[int, int]) -> np.ndarray:
    """(3, 3): what turns a head in the middle of the upright picture to where it is in the photo.

    A head beside the camera's axis is seen from the side even when it faces along the axis.

    Args:
        size: height and width of the photo.
    """
    height, width = size
    unit = 2 * np.tan(np.radians(FIELD_OF_VIEW) / 2) / height
    x, y = (face.photo_landmarks.mean(0) - [width / 2, height / 2]) * unit
    clockwise = np.degrees(np.arctan2(face.to_photo[1, 0], face.to_photo[0, 0]))
    ray = np.array([-np.degrees(np.arctan(x)), np.degrees(np.arctan(y / np.hypot(1, x))), 0.0])
    return rotation(ray) @ rotation(np.array([0.0, 0.0, -clockwise]))


@dataclass(frozen=True, eq=False)
class LandmarkMaps:
    """The fitted maps.

    Attributes:
        pose: 136 shape features to upright angles (3,).
        expression: 440 features to coefficients (52,) in ARKit's order.
        eye: 266 features of one eye to its own coefficients (7,).
        seen: (52,) R² of each coefficient on faces that were not fitted.
    """

    pose: Regression
    expression: Regression
    eye: Regression
    seen: np.ndarray

    def head_angles(self, face: UprightFace, size: tuple[int, int]) -> np.ndarray:
        """(3,) yaw, pitch, roll in degrees in a photo of (height, width)."""
        upright = self.pose(shape_features(face.landmarks)[None])[0]
        return angles(frame_rotation(face, size) @ rotation(upright))

    def coefficients(self, face: UprightFace, eyes: tuple[Eye, Eye]) -> np.ndarray:
        """(52,) whether they can be seen or not."""
        upright = self.pose(shape_features(face.landmarks)[None])[0]
        features = face_features(face.landmarks, eyes)
        return self.expressions(features[None], eye_features(face.landmarks, eyes, upright)[None])[
            0
        ]

    def expressions(self, faces: np.ndarray, eyes: np.ndarray) -> np.ndarray:
        """(n, 440) and (n, 2, 266) features to (n, 52) coefficients."""
        result = self.expression(faces)
        result[:, EYE_PLACES] = self.eye(eyes.reshape(-1, eyes.shape[-1])).reshape(len(eyes), 2, -1)
        return result

    def save(self, path: Path) -> None:
        tensors = {
            **self.pose.tensors("pose"),
            **self.expression.tensors("expression"),
            **self.eye.tensors("eye"),
        }
        save_file({**tensors, "seen": self.seen.astype(np.float32)}, path)


def read_maps(path: Path) -> LandmarkMaps:
    """Read what `LandmarkMaps.save` wrote. Raises ModelError where it is missing or damaged."""
    try:
        tensors = load_file(path)
        return LandmarkMaps(
            pose=Regression.of(tensors, "pose"),
            expression=Regression.of(tensors, "expression"),
            eye=Regression.of(tensors, "eye"),
            seen=tensors["seen"],
        )
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ModelError(
            f"The judge's landmark maps cannot be read: {error}",
            "Make them with `photorig train judge`, or install Photorig again.",
        ) from error
