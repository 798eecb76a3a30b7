"""Whether several photos show one person, and which face of a group is that person's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from photorig.shared.errors import InputError
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.faces.recognition import Recognition
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.reference import MOST_REFERENCES

from .losses import SMALL, as_tensor
from .subject import Subject

LEAST_LIKENESS = 0.35
"""Cosine of SFace's descriptors from which on two faces are one person's; docs/measurements.md."""


@dataclass(frozen=True, eq=False)
class FurtherPhoto:
    """One more photo of the person.

    Attributes:
        name: as the person who gave it knows it.
        photo: (h, w, 3) uint8 sRGB.
        face: whose it is, measured in it.
    """

    name: str
    photo: np.ndarray
    face: FaceMeasurement


def descriptor(photo: np.ndarray, face: FaceMeasurement, recognition: Recognition) -> np.ndarray:
    """(128,) of length 1: who a face in a photo (h, w, 3) uint8 is."""
    alignment = Alignment.of_face(face.landmarks)
    crop = as_tensor(alignment.crop(photo, SMALL))
    places = alignment.to_square(np.asarray(face.landmarks, np.float64)[:, :2]) * SMALL
    landmarks = torch.from_numpy(places).float()[None].to(recognition.device)
    with torch.no_grad():
        seen = recognition(crop.to(recognition.device), landmarks)
    found: np.ndarray = seen[0].cpu().numpy()
    return found


def same_person(
    first: tuple[np.ndarray, FaceMeasurement],
    others: Sequence[tuple[str, Subject]],
    recognition: Recognition,
) -> list[FurtherPhoto]:
    """In each of the other photos, by its name, the face that is most like that of the first.

    Raises:
        InputError: too many photos, or one shows no face that can be used, or nobody like the
            first.
    """
    if len(others) > MOST_REFERENCES:
        raise InputError(
            f"A portrait cannot be made of {len(others) + 1} photos",
            f"Give {MOST_REFERENCES + 1} at most, those that differ most.",
        )
    wanted = descriptor(*first, recognition)
    return [_found(wanted, name, subject, recognition) for name, subject in others]


def _found(
    wanted: np.ndarray, name: str, subject: Subject, recognition: Recognition
) -> FurtherPhoto:
    usable = subject.usable
    if not usable:
        try:
            subject.choose(0)
        except InputError as error:
            raise InputError(f"{name}: {error.message}", error.hint) from error
    faces = [subject.faces[number] for number in usable]
    likenesses = [float(descriptor(subject.photo, f, recognition) @ wanted) for f in faces]
    best = int(np.argmax(likenesses))
    if likenesses[best] < LEAST_LIKENESS:
        raise InputError(
            f"{name} shows somebody else than the first photo",
            "Give photos of one person only; make a portrait of each person on its own.",
        )
    return FurtherPhoto(name, subject.photo, faces[best])
