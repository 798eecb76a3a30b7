"""A video of a person: which of its frames are used, and what Net3D measures on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from photorig.shared.errors import InputError
from photorig.worker.faces.net3d import FaceMeasurement, Net3D
from photorig.worker.faces.tracking import measure_frames
from photorig.worker.media.reading import read_frames
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.reenactment.recorded_amounts import recorded_parameters

SMOOTHING = 0.08
"""Seconds: the standard deviation of the Gaussian that makes a drive smooth."""


@dataclass(frozen=True)
class Plan:
    """Which frames are rendered and judged.

    Attributes:
        length: frames followed from the first one on that shows the face.
        every: of these each such frame is compared.
        run: how many frames in a row, from a third of the length on, tell about jitter.
    """

    length: int = 240
    every: int = 8
    run: int = 40

    @property
    def compared(self) -> list[int]:
        return list(range(self.every, self.length, self.every))

    @property
    def in_a_row(self) -> list[int]:
        first = self.length // 3
        return list(range(first, min(first + self.run, self.length)))


@dataclass(frozen=True, eq=False)
class Recording:
    """The measured beginning of a video; frames are counted from the first that shows the face.

    Attributes:
        images: (h, w, 3) uint8 by number, of the frames that the plan wants and of frame 0.
        faces: one for each frame of the plan's length that the video has; None where the face is
            not seen. Their parameters hold the head's translation since frame 0.
        frames_per_second: of the video.
        skipped: frames before the first that shows the face.
    """

    images: dict[int, np.ndarray]
    faces: list[FaceMeasurement | None]
    frames_per_second: float
    skipped: int

    @cached_property
    def _parameters(self) -> list[np.ndarray | None]:
        return recorded_parameters(self.faces)

    @property
    def view(self) -> Alignment:
        """The aligned square of frame 0, through which all frames are shown."""
        first = self.faces[0]
        if first is None:
            raise InputError("The recording does not begin with a face")
        return Alignment.of_face(first.landmarks)

    def drive(self, number: int) -> np.ndarray | None:
        """(n,) float32: the frame's parameters as `photorig analyze` gives them, None where the
        face is not seen."""
        return self._parameters[number] if number < len(self.faces) else None

    def smooth_drive(self, numbers: list[int]) -> dict[int, np.ndarray]:
        """The parameters of frames in a row after a Gaussian in time; none where one is missing."""
        drives = [self.drive(number) for number in numbers]
        known = [drive for drive in drives if drive is not None]
        if not known or len(known) < len(drives):
            return {}
        sigma = SMOOTHING * self.frames_per_second
        smooth = cv2.GaussianBlur(
            np.stack(known), (0, 0), sigmaX=1e-6, sigmaY=sigma, borderType=cv2.BORDER_REPLICATE
        )
        return dict(zip(numbers, smooth, strict=True))


def read_recording(path: Path, face: int, plan: Plan, net3d: Net3D) -> Recording:
    """Follow one face from the first frame that shows it.

    Raises:
        InputError: the file is no video, damaged, or never shows the face.
    """
    total, frames = read_frames(path)
    if total == 1:
        raise InputError(f"{path} is a single picture", "Give a video of a person.")
    wanted = {0, *plan.compared, *plan.in_a_row}
    images: dict[int, np.ndarray] = {}
    first: int | None = None
    shown: list[np.ndarray] = []

    def passed() -> Iterator[np.ndarray]:
        for image in frames:
            shown[:] = [image]  # the frame that is being measured
            yield image

    faces: list[FaceMeasurement | None] = []
    for number, measured in enumerate(measure_frames(passed(), net3d.analyze, face)):
        if first is None:
            if measured.face is None:
                continue
            first = number
        if number - first in wanted:
            images[number - first] = shown[0]
        faces.append(measured.face)
        if len(faces) >= plan.length:
            break
    if first is None:
        raise InputError(f"{path} never shows a face number {face} that can be measured")
    return Recording(images, faces, frames_per_second(path), first)


def frames_per_second(path: Path) -> float:
    """As the file says; 25 where it does not. Raises InputError where it cannot be read."""
    import av

    try:
        with av.open(str(path)) as container:
            rate = container.streams.video[0].average_rate
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise InputError(f"{path} is no video that can be read: {error}") from error
    return float(rate) if rate else 25.0
