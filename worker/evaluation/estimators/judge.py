"""The judge: everything that is measured on a frame by estimators that no training loss uses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photorig.shared.errors import InputError
from photorig.worker.generators import DEFAULT
from photorig.worker.registry import own_weights
from photorig.worker.registry.imported import trained_file

from . import readings
from .eyes import EyeReader
from .landmarks import LandmarkFinder
from .person import N_IDENTITY, RACES, AttributeReader, IdentityReader

PARTS = ("eyes", "identity", "attributes")
"""What can be left out; head angles and the mouth are always measured."""
SEEN = 0.5
"""R² on unseen faces from which on a coefficient counts as seen."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the judge sees in one frame. NaN where a part is switched off.

    Attributes:
        landmarks: (68, 2) float32 pixels (pixel i covers [i, i + 1)), order of iBUG 300-W.
        pose: (3,) yaw, pitch, roll in degrees, in Net3D's camera and axes.
        mouth_aperture: gap between the lips in distances between the eyes.
        eye_opening: (2,) height of the subject's left and right eye, same unit.
        gaze: (2, 2) of left and right eye: iris to image right, and up, in lengths of that eye.
        expression: (52,) coefficients in ARKit's order; NaN for those that cannot be seen.
        identity: (256,) of length 1; compare by cosine.
        age: years.
        gender: 0 female to 1 male.
        race: (5,) probabilities of `person.RACES`.
    """

    landmarks: np.ndarray
    pose: np.ndarray
    mouth_aperture: float
    eye_opening: np.ndarray
    gaze: np.ndarray
    expression: np.ndarray
    identity: np.ndarray
    age: float
    gender: float
    race: np.ndarray


class Judge:
    """Looks at frames with estimators that training never sees.

    Losses and calibration look through MediaPipe's Net3D, dlib's ResNet descriptor and HSE FaceRes.
    The judge has none of these: dlib's shape predictor (regression trees, trained on iBUG 300-W),
    the iris network, MobileFace and GEAR. One bond remains, and it is said wherever figures are
    shown: the maps from landmarks to degrees and coefficients were fitted to what Net3D says of
    generated faces that nobody had edited. So the judge speaks Net3D's units, and shares its
    mistakes on such faces, but not the blind spots through which an edit could please Net3D alone.

    May not be shared by threads.

    Args:
        parts: which of PARTS to measure besides angles and mouth; ``eyes`` brings lids, gaze
            and expression, ``identity`` the embedding, ``attributes`` age, sex and origin.

    Raises:
        InputError: a part there is none of.
        ModelError: dlib is not installed, or weights cannot be had.
    """

    def __init__(self, parts: Collection[str] = PARTS, generator: str = DEFAULT) -> None:
        if unknown := set(parts) - set(PARTS):
            raise InputError(
                f"The judge has no part {', '.join(sorted(unknown))}",
                f"Its parts are {', '.join(PARTS)}.",
            )
        self._finder = LandmarkFinder()
        self._maps = readings.read_maps(_maps_of(generator))
        self._eyes = EyeReader() if "eyes" in parts else None
        self._identity = IdentityReader() if "identity" in parts else None
        self._attributes = AttributeReader() if "attributes" in parts else None

    @property
    def seen(self) -> np.ndarray:
        """(52,) bool: which coefficients the judge can see."""
        return self._maps.seen >= SEEN

    def measure(self, image: np.ndarray) -> Judgement | None:
        """The largest face of (h, w, 3) uint8 sRGB; None where dlib's detector finds none."""
        face = self._finder.find(image)
        if face is None:
            return None
        expression, gaze = _nothing(readings.N_COEFFICIENTS), _nothing(2, 2)
        opening = _nothing(2)
        if self._eyes is not None:
            eyes = self._eyes.read(face)
            gaze = readings.gaze(eyes)
            opening = readings.eye_opening(face.landmarks, eyes)
            expression = np.where(self.seen, self._maps.coefficients(face, eyes), np.nan)
        identity = _nothing(N_IDENTITY)
        if self._identity is not None:
            identity = self._identity.read(image, face)
        age, gender, race = np.nan, np.nan, _nothing(len(RACES))
        if self._attributes is not None:
            age, gender, race = self._attributes.read(image, face)
        return Judgement(
            landmarks=face.photo_landmarks.astype(np.float32),
            pose=self._maps.head_angles(face, image.shape[:2]).astype(np.float32),
            mouth_aperture=readings.mouth_aperture(face.landmarks),
            eye_opening=opening.astype(np.float32),
            gaze=gaze.astype(np.float32),
            expression=expression.astype(np.float32),
            identity=identity.astype(np.float32),
            age=age,
            gender=gender,
            race=race.astype(np.float32),
        )


def _nothing(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan)


def _maps_of(generator: str) -> Path:
    """The maps that were fitted to a generator's faces."""
    if generator == DEFAULT:
        return own_weights(readings.FILE_NAME)
    return trained_file(generator, readings.FILE_NAME)
