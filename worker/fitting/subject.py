"""Which face of a photo is meant, and whether it can be used: one sentence each, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.faces.landmarker import N_MESH
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.reenactment.bundle import ModelBundle

from .visibility import measure_visibility

LEAST_EYES, GOOD_EYES = 24, 64
"""Pixels between the eyes' outer corners that are needed, and that are enough."""
SOME_BEYOND, MOST_BEYOND = 5.0, 20.0
"""Degrees that a head may be turned beyond what the model was trained for: unsaid, and at all."""
_MOST_CUT, _SOME_CUT = 0.12, 0.01  # part of the face's landmarks that lie outside the photo
_OUTER_CORNERS = (33, 263)
_YAW, _PITCH, _ROLL = (FACE_SCHEMA.index[name] for name in ("headYaw", "headPitch", "headRoll"))
_LYING = 50.0  # degrees of roll
_REACH = 0.38  # of the aligned square's side, from its middle: there another face is in the way


@dataclass(frozen=True)
class PoseRange:
    """Head angles in degrees that a model bundle was trained for."""

    lowest_yaw: float
    highest_yaw: float
    lowest_pitch: float
    highest_pitch: float

    def beyond(self, yaw: float, pitch: float) -> float:
        """Degrees outside, 0 inside."""
        sideways = max(self.lowest_yaw - yaw, yaw - self.highest_yaw, 0.0)
        return max(sideways, self.lowest_pitch - pitch, pitch - self.highest_pitch)


@dataclass(frozen=True)
class ListedFace:
    """A face as people and programs are told of it.

    Attributes:
        face: its number, for ``--face``.
        box: left, top, right, bottom in photo pixels.
        eye_distance: pixels between the eyes' outer corners.
        problem: why it cannot be used, "" where it can.
    """

    face: int
    box: tuple[int, int, int, int]
    eye_distance: int
    problem: str

    def __str__(self) -> str:
        left, top, right, bottom = self.box
        place = f"{self.face}: {right - left} × {bottom - top} pixels at {left}, {top}"
        return f"{place} ({self.problem[0].lower()}{self.problem[1:]})" if self.problem else place


@dataclass(frozen=True, eq=False)
class Subject:
    """A photo and the faces in it.

    Attributes:
        photo: (h, w, 3) uint8 sRGB, upright.
        faces: the largest first, as `find_faces` gives them.
        pose_range: what the model can be turned from.
        analyze: `Net3D.analyze`, for a closer look at one face.
    """

    photo: np.ndarray
    faces: list[FaceMeasurement]
    pose_range: PoseRange
    analyze: Callable[[np.ndarray], list[FaceMeasurement]]

    @property
    def usable(self) -> list[int]:
        """Numbers of the faces that can be used."""
        return [number for number in range(len(self.faces)) if not self.problem(number)]

    def listed(self) -> list[ListedFace]:
        """All faces, in the order of their numbers."""
        faces = []
        for number, face in enumerate(self.faces):
            x0, y0, x1, y1 = face.box
            box = round(x0), round(y0), round(x1), round(y1)
            faces.append(ListedFace(number, box, round(eye_distance(face)), self.problem(number)))
        return faces

    def problem(self, number: int) -> str:
        """Why this face cannot be used, in a sentence without full stop; "" where it can."""
        try:
            self.choose(number)
        except InputError as error:
            return error.message
        return ""

    def choose(self, number: int = 0) -> FaceMeasurement:
        """One of the faces.

        Raises:
            InputError: there is no such face, or it is too small, cut off or seen from the side.
        """
        if not self.faces:
            raise self._no_face()
        if not 0 <= number < len(self.faces):
            count = len(self.faces)
            found = "one face was" if count == 1 else f"{count} faces were"
            raise InputError(
                f"There is no face number {number}: {found} found",
                "Faces are counted from 0, the largest first.",
            )
        face = self.faces[number]
        self._check_size(face)
        self._check_edge(face)
        self._check_pose(face)
        return face

    def warnings(self, number: int = 0) -> list[str]:
        """What may be wrong with a face that can be used, a sentence with what to do each.

        Raises:
            InputError: as `choose`, or the face is hidden.
        """
        face = self.choose(number)
        said = []
        if eye_distance(face) < GOOD_EYES:
            said.append(
                f"The face is small ({eye_distance(face):.0f} pixels between the outer corners of "
                f"the eyes); with {GOOD_EYES} or more it looks sharper."
            )
        if part_outside(face, self.photo) > _SOME_CUT:
            said.append(
                "The photo's edge cuts into the face; what is missing will be made up. "
                "A photo that shows the whole head is better."
            )
        if self._beyond(face) > SOME_BEYOND:
            said.append(
                f"The head is turned further ({_pose(face)}) than the model was trained for; it "
                "will move less freely. A photo from the front is better."
            )
        if abs(float(face.parameters[_ROLL])) > _LYING:
            said.append(
                "The head lies on its side; if the photo does, turn it upright and save it again."
            )
        if self._neighbours(number):
            said.append(
                "Another face is close by and may be drawn into this one. "
                "Cut the photo so that it shows one person."
            )
        return said + self._closer_look(face)

    def _closer_look(self, face: FaceMeasurement) -> list[str]:
        alignment = Alignment.of_face(face.landmarks)
        seen = measure_visibility(self.photo, face, alignment, self.analyze)
        if seen.is_hidden:
            raise InputError(
                "The face can hardly be seen: something covers it, or it is too dark or blurred",
                "Use a photo that shows the whole face clearly.",
            )
        said = []
        if seen.is_blurred:
            said.append("The face is blurred, and so will the portrait be. Use a sharper photo.")
        if seen.hides_eyes:
            said.append(
                "The eyes seem to be covered, perhaps by sunglasses; eyes will be made up when "
                "they move. Use a photo that shows them."
            )
        if seen.hides_mouth:
            said.append(
                "The mouth seems to be covered, perhaps by a mask or a hand; a mouth will be made "
                "up when it moves. Use a photo that shows it."
            )
        if seen.is_uncertain and not (seen.hides_eyes or seen.hides_mouth or seen.is_blurred):
            said.append(
                "The face cannot be seen clearly, perhaps because something covers a part of it. "
                "Use another photo if the portrait disappoints."
            )
        return said

    def _no_face(self) -> InputError:
        photo, upright = _smaller(self.photo), {}
        for turns in (1, 2, 3):
            faces = self.analyze(np.ascontiguousarray(np.rot90(photo, turns)))
            if faces:
                upright[turns] = abs(float(faces[0].parameters[_ROLL]))
        if not upright:
            return InputError(
                "No face was found",
                "Use a picture with a larger face that is not seen from the side.",
            )
        stands = min(upright, key=lambda turns: upright[turns]) == 2
        what = "stands on its head" if stands else "lies on its side"
        return InputError(f"The picture {what}", "Turn it upright and save it again.")

    def _check_size(self, face: FaceMeasurement) -> None:
        if eye_distance(face) < LEAST_EYES:
            raise InputError(
                f"The face is too small: only {eye_distance(face):.0f} pixels between the outer "
                "corners of the eyes",
                f"At least {LEAST_EYES} are needed, {GOOD_EYES} look right: use a larger picture.",
            )

    def _check_edge(self, face: FaceMeasurement) -> None:
        if part_outside(face, self.photo) > _MOST_CUT:
            raise InputError(
                "The face is cut off by the picture's edge",
                "Use a picture that shows the whole face.",
            )

    def _check_pose(self, face: FaceMeasurement) -> None:
        if self._beyond(face) > MOST_BEYOND:
            limits = self.pose_range
            raise InputError(
                f"The head is turned too far away ({_pose(face)})",
                f"Use a picture taken from the front: up to {limits.highest_yaw:.0f}° to the side "
                f"and {limits.highest_pitch:.0f}° up or down are best.",
            )

    def _beyond(self, face: FaceMeasurement) -> float:
        return self.pose_range.beyond(float(face.parameters[_YAW]), float(face.parameters[_PITCH]))

    def _neighbours(self, number: int) -> list[FaceMeasurement]:
        """Other faces within the aligned square of this one."""
        alignment = Alignment.of_face(self.faces[number].landmarks)
        others = [face for i, face in enumerate(self.faces) if i != number]
        nearest = [
            np.abs(alignment.to_square(face.landmarks[:N_MESH, :2]) - 0.5).max(1).min()
            for face in others
        ]
        return [face for face, away in zip(others, nearest, strict=True) if away < _REACH]


def pose_range(bundle: ModelBundle) -> PoseRange:
    """Where the bundle's head angles end."""
    yaw, pitch = bundle.head_angles
    ends = (bundle.lowest[yaw], bundle.highest[yaw], bundle.lowest[pitch], bundle.highest[pitch])
    return PoseRange(*map(float, ends))


def eye_distance(face: FaceMeasurement) -> float:
    """Pixels between the eyes' outer corners, depth included: turned heads are no smaller."""
    right, left = face.landmarks[list(_OUTER_CORNERS)].astype(np.float64)
    return float(np.linalg.norm(left - right))


def part_outside(face: FaceMeasurement, photo: np.ndarray) -> float:
    """Which part of the face's landmarks lies beyond the photo's edges, 0 to 1."""
    height, width = photo.shape[:2]
    x, y = face.landmarks[:N_MESH, 0], face.landmarks[:N_MESH, 1]
    return float(((x < 0) | (y < 0) | (x >= width) | (y >= height)).mean())


def _pose(face: FaceMeasurement) -> str:
    yaw, pitch = float(face.parameters[_YAW]), float(face.parameters[_PITCH])
    return f"{abs(yaw):.0f}° to the side, {abs(pitch):.0f}° {'up' if pitch > 0 else 'down'}"


def _smaller(photo: np.ndarray) -> np.ndarray:
    """Every so many pixels: enough to see whether a face is there."""
    step = max(max(photo.shape[:2]) // 1024, 1)
    return photo[::step, ::step]
