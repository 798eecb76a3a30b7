"""Footage that drives a face: what it shows as parameters, and its faces as pictures.

It is read twice: first everything is measured, since ARKit's amounts are known of a recording as a
whole only, then each frame's face is cut out when it is needed. Nothing is kept of a long film but
numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from photorig.shared.errors import InputError
from photorig.shared.parameters.file import FrameParameters, Recording
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.parameters.timeline import constant_rate
from photorig.worker.faces.net3d import FaceMeasurement, Net3D
from photorig.worker.faces.search import find_faces
from photorig.worker.faces.tracking import measure_frames
from photorig.worker.media.footage import Footage
from photorig.worker.media.sequences import open_footage, sequence_files
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.reenactment.recorded_amounts import recorded_parameters
from photorig.worker.reenactment.target import PICTURE_SIDE, FacePicture

from .encoder import FirstGuess


@dataclass(frozen=True, eq=False)
class DrivingFootage:
    """A film, a picture or a folder of pictures, measured.

    Attributes:
        path: where it is.
        times: seconds of each frame, None where it does not say.
        rate: frames a second, as the file claims it.
        faces: the followed face in each frame, None where it is not seen.
    """

    path: Path
    times: list[float | None]
    rate: Fraction | None
    faces: list[FaceMeasurement | None]

    @staticmethod
    def measured(
        path: Path, net3d: Net3D, face: int = 0, on_frame: Callable[[], None] | None = None
    ) -> DrivingFootage:
        """Measure a file or folder.

        Args:
            face: which one is followed, the largest first.
            on_frame: called after each.

        Raises:
            InputError: it cannot be read, or shows no such face in any frame.
        """
        footage, times = open_driver(path), []

        def pictures() -> Iterator[np.ndarray]:
            for timed in footage.pictures:
                times.append(timed.time)
                yield timed.picture

        def analyze(image: np.ndarray) -> list[FaceMeasurement]:
            return find_faces(image, net3d) if footage.total == 1 else net3d.analyze(image)

        faces = []
        for frame in measure_frames(pictures(), analyze, face):
            faces.append(frame.face)
            if on_frame is not None:
                on_frame()
        if not any(faces):
            raise InputError(
                f"No face {face} is found in {path}" if face else f"No face is found in {path}",
                "Give footage that shows a face from the front, at least 60 pixels wide.",
            )
        return DrivingFootage(path, times, footage.rate, faces)

    @property
    def is_still(self) -> bool:
        return len(self.faces) == 1

    @property
    def missing(self) -> list[int]:
        """Numbers, from 1, of the frames that do not show the face."""
        return [number for number, face in enumerate(self.faces, start=1) if face is None]

    @cached_property
    def frames(self) -> list[FrameParameters]:
        """The parameters of all frames that show the face, with ARKit's amounts."""
        vectors = recorded_parameters(self.faces)
        return [
            FrameParameters(number, FACE_SCHEMA.named(vector), self.times[number - 1])
            for number, vector in enumerate(vectors, start=1)
            if vector is not None
        ]

    @property
    def recording(self) -> Recording:
        known = [time for time in self.times if time is not None]
        rate = constant_rate(known, self.rate) if known else self.rate
        return Recording(rate, len(self.faces))

    @cached_property
    def id(self) -> str:
        """SHA-256 (hex) of the files' content."""
        digest = hashlib.sha256()
        for path in sequence_files(self.path):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def pictures(self, encoder: FirstGuess) -> Iterator[FacePicture]:
        """The face of each frame, in order; where it is not seen, that of the nearest frame before
        or else the first that shows it."""
        shown: FacePicture | None = None
        waiting = 0
        for face in self.crops():
            if face is not None:
                shown = _face_picture(face.picture, encoder)
            if shown is None:
                waiting += 1
                continue
            for _ in range(waiting + 1):
                yield shown
            waiting = 0

    @property
    def landmarks(self) -> list[np.ndarray | None]:
        """(478, 2) of each frame's face in pixels of `AlignedFace`; None where it is not seen."""
        return [None if face is None else _aligned(face)[1] for face in self.faces]

    def crops(self, wanted: Container[int] | None = None) -> Iterator[AlignedFace | None]:
        """The face of each frame, cut out; None where it is not seen, or not ``wanted``."""
        pairs = zip(open_driver(self.path).pictures, self.faces, strict=False)
        for row, (timed, face) in enumerate(pairs):
            skipped = face is None or (wanted is not None and row not in wanted)
            yield None if skipped or face is None else AlignedFace.of(timed.picture, face)


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """A face cut out of a frame.

    Attributes:
        picture: (256, 256, 3) uint8 sRGB, aligned as portraits are.
        landmarks: (478, 2) in its pixels.
    """

    picture: np.ndarray
    landmarks: np.ndarray

    @staticmethod
    def of(frame: np.ndarray, face: FaceMeasurement) -> AlignedFace:
        alignment, landmarks = _aligned(face)
        return AlignedFace(alignment.crop(frame, PICTURE_SIDE), landmarks)


def _aligned(face: FaceMeasurement) -> tuple[Alignment, np.ndarray]:
    """How a face is cut out, and its landmarks (478, 2) in the crop's pixels."""
    alignment = Alignment.of_face(face.landmarks)
    landmarks = alignment.to_square(face.landmarks[:, :2].astype(np.float64))
    return alignment, landmarks * PICTURE_SIDE


def _face_picture(crop: np.ndarray, encoder: FirstGuess) -> FacePicture:
    return FacePicture(lambda: crop, lambda: encoded(encoder, crop))


def encoded(encoder: FirstGuess, crop: np.ndarray) -> np.ndarray:
    """(n_rows, w_dim) float32 what the encoder takes an aligned crop (256, 256, 3) uint8 for."""
    image = torch.from_numpy(crop.astype(np.float32) / 255).permute(2, 0, 1)[None]
    codes: np.ndarray = encoder(image)[0].numpy()
    return codes


def open_driver(path: Path) -> Footage:
    """A film, a picture, or the pictures of a sequence; see media/sequences.py.

    Raises:
        InputError: it cannot be read, or the folder holds no picture.
    """
    return open_footage(path)
