"""Several photos to one portrait: whose faces they are, in what light, and what is kept of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from photorig.shared.errors import Cancelled, InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.faces.net3d import FaceMeasurement, Net3D
from photorig.worker.fitting.colour_match import in_light_of
from photorig.worker.fitting.fit import fit_portrait
from photorig.worker.fitting.models import FitModels, FitRun, load_fit_models
from photorig.worker.fitting.references import reference_steps, with_references
from photorig.worker.fitting.same_person import FurtherPhoto, same_person
from photorig.worker.fitting.settings import FitSettings
from photorig.worker.fitting.subject import PoseRange, Subject
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.reference import MOST_REFERENCES

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"
POSES = PoseRange(-30, 30, -20, 20)
FEW = FitSettings(steps=2, tuning_steps=2, refine_steps=0)

weights = pytest.mark.weights("face-landmarker", "faceres", "person-matte", "random-face", "sface")


def face_at(side: float, corner: float = 20.0) -> FaceMeasurement:
    """A face whose landmarks lie around a circle, eyes and mouth where they belong."""
    angles = np.linspace(0, 2 * np.pi, 478, endpoint=False)
    points = 0.5 + 0.4 * np.stack([np.cos(angles), np.sin(angles)], 1)
    for number, place in {
        33: (0.25, 0.4), 133: (0.4, 0.4), 362: (0.6, 0.4), 263: (0.75, 0.4),
        61: (0.35, 0.75), 291: (0.65, 0.75), 1: (0.5, 0.55),
    }.items():  # fmt: skip
        points[number] = place
    landmarks = np.column_stack([corner + side * points, np.zeros(478)]).astype(np.float32)
    return FaceMeasurement(
        parameters=np.zeros(len(FACE_SCHEMA), np.float32),
        landmarks=landmarks,
        box=(corner, corner, corner + side, corner + side),
        transform=np.eye(4, dtype=np.float32),
    )


class ByColour(torch.nn.Module):
    """Tells people apart by the colour in the middle of the picture."""

    device = torch.device("cpu")

    def forward(self, images, landmarks_px):
        colour = images[:, :, 100:156, 100:156].mean((2, 3)) - 0.5
        return torch.nn.functional.normalize(colour, dim=-1)


def person(colour: tuple[int, int, int], faces: int = 1, side: float = 120.0) -> Subject:
    photo = np.zeros((200, 200, 3), np.uint8) + np.array(colour, np.uint8)
    return Subject(photo, [face_at(side)] * faces, POSES, lambda image: [])


RED, REDDISH, BLUE = (220, 30, 30), (200, 60, 60), (30, 30, 220)


def first(colour=RED):
    return person(colour).photo, face_at(120.0)


def test_photos_of_one_person_are_taken():
    found = same_person(first(), [("b.jpg", person(REDDISH))], ByColour())
    assert [one.name for one in found] == ["b.jpg"]


def test_somebody_else_is_refused_by_the_photos_name():
    with pytest.raises(InputError, match=r"c\.jpg shows somebody else than the first photo"):
        same_person(first(), [("b.jpg", person(RED)), ("c.jpg", person(BLUE))], ByColour())


def test_of_a_group_the_face_most_like_the_first_is_taken():
    photo = np.zeros((200, 500, 3), np.uint8)
    photo[:, :250], photo[:, 250:] = BLUE, REDDISH
    large, small = face_at(150.0), face_at(120.0)
    small = replace(small, landmarks=small.landmarks + np.array([290, 0, 0], np.float32))
    group = Subject(photo, [large, small], POSES, lambda image: [])
    (found,) = same_person(first(), [("group.jpg", group)], ByColour())
    assert found.face is small


@pytest.mark.parametrize(
    ("subject", "complaint"),
    [
        (person(RED, faces=0), r"b\.jpg: No face was found"),
        (person(RED, side=30.0), r"b\.jpg: The face is too small"),
    ],
)
def test_a_further_photo_that_cannot_be_used_is_named(subject, complaint):
    with pytest.raises(InputError, match=complaint):
        same_person(first(), [("b.jpg", subject)], ByColour())


def test_too_many_photos_are_refused():
    others = [("b.jpg", person(RED))] * (MOST_REFERENCES + 1)
    with pytest.raises(InputError, match=f"made of {MOST_REFERENCES + 2} photos"):
        same_person(first(), others, ByColour())


def test_a_photo_in_other_light_gets_the_colours_of_the_first():
    random = np.random.default_rng(0)
    noise = cv2.GaussianBlur(random.uniform(-1, 1, (200, 200, 3)), (0, 0), 3) * 300
    photo = np.clip(128 + noise, 20, 235).astype(np.uint8)
    warm = np.clip(photo * np.array([1.1, 0.9, 0.7]) + 8, 0, 255).astype(np.uint8)
    face = face_at(150.0)
    matched = in_light_of(warm, face, photo, face)
    inside = (slice(70, 130), slice(70, 130))
    error, before = (
        np.abs(one[inside].astype(float) - photo[inside]).mean() for one in (matched, warm)
    )
    assert error < 0.15 * before
    assert np.abs(in_light_of(photo, face, photo, face).astype(int) - photo).max() <= 1


def rolled(photo: np.ndarray) -> np.ndarray:
    """A photo turned by 25°."""
    height, width = photo.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 25, 0.8)
    return cv2.warpAffine(photo, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)


@pytest.fixture(scope="module")
def models() -> FitModels:
    return load_fit_models()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.array(Image.open(ASTRONAUT))


@pytest.fixture(scope="module")
def face(photo) -> FaceMeasurement:
    return Net3D().analyze_one(photo)


@pytest.fixture(scope="module")
def portrait(models, photo, face) -> Portrait:
    return fit_portrait(photo, face, "Eileen", FitRun(models, FEW))


@weights
def test_further_photos_give_codes_and_take_the_tuning_further(models, photo, face, portrait):
    before = {name: value.clone() for name, value in models.network.state_dict().items()}
    turned = rolled(photo)
    other = FurtherPhoto("turned", turned, Net3D().analyze_one(turned))
    seen = []
    made = with_references(portrait, face, [other], FitRun(models, FEW, seen.append))
    (reference,) = made.references
    assert np.array_equal(made.latents, portrait.latents)
    assert reference.latents.shape == (16, 512)
    moved = models.bundle.directions.shape[1]
    assert np.abs(reference.latents[:moved] - portrait.latents[:moved]).max() > 0
    assert np.array_equal(reference.latents[moved:], portrait.latents[moved:])
    # A turn of the whole photo is no turn of the head in its aligned square.
    for name in ("headYaw", "headPitch", "headRoll"):
        place = FACE_SCHEMA.index[name]
        assert reference.parameters[place] == pytest.approx(portrait.parameters[place], abs=8)
    assert portrait.tuning.id != made.tuning.id
    assert made.tuning.deltas.keys() == portrait.tuning.deltas.keys()
    assert len(seen) == reference_steps(portrait, FEW, 1)
    after = models.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert Portrait.from_bytes(made.to_bytes()).references[0].latents.tobytes() == (
        reference.latents.tobytes()
    )


@weights
def test_a_portrait_without_tuning_stays_so_and_a_fit_can_be_stopped(models, photo, face, portrait):
    plain = replace(portrait, tuning=None)
    other = FurtherPhoto("again", photo, face)
    made = with_references(plain, face, [other], FitRun(models, FEW))
    assert made.tuning is None and len(made.references) == 1

    def stop(loss: float) -> None:
        raise Cancelled("The fit was stopped")

    with pytest.raises(Cancelled):
        with_references(plain, face, [other], FitRun(models, FEW, stop))
