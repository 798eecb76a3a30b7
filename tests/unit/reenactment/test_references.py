"""Several photos of one person: where they are like the target the face looks as in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.reference import LATENTS, MOST_REFERENCES, PARAMETERS, Reference
from photorig.worker.reenactment.methods import methods
from photorig.worker.reenactment.references import reference_weights
from photorig.worker.reenactment.renderer import FaceRenderer

from ..fakes import TinyGenerator, driven, tiny_bundle, tiny_portrait

JAW, YAW = FACE_SCHEMA.index["jawOpen"], FACE_SCHEMA.index["headYaw"]
LIMIT = 0.5  # of the tiny bundle: too small to tell photos apart, so these are ten times as long
GRAM = 100 * np.eye(len(FACE_SCHEMA), dtype=np.float32)


@pytest.fixture
def bundle():
    # Limits that no single parameter meets: a reference is reached exactly.
    return replace(
        tiny_bundle(limit=LIMIT),
        shift_gram=GRAM,
        longest_by_group={},
        longest_expression=5.0,
    )


def reference(parameters: np.ndarray, seed: int = 5, **shown: float) -> Reference:
    latents = np.random.default_rng(seed).standard_normal((16, 512)).astype(np.float32)
    changed = parameters.copy()
    for name, value in shown.items():
        changed[FACE_SCHEMA.index[name]] = value
    return Reference(latents, changed)


def with_references(*shown: dict[str, float]) -> Portrait:
    portrait = tiny_portrait()
    references = [reference(portrait.parameters, 5 + i, **one) for i, one in enumerate(shown)]
    return replace(portrait, references=tuple(references))


@pytest.mark.parametrize(
    "name", [entry.name for entry in methods().values() if not entry.needs_picture]
)
def test_where_a_photo_was_taken_the_code_is_nearly_that_photos(bundle, name):
    portrait = with_references({"jawOpen": 0.5}, {"headYaw": -0.4})
    for one in portrait.references:
        shift = one.parameters - portrait.parameters
        latents = driven(name, bundle, portrait, shift).latents
        apart = np.abs(portrait.latents - one.latents).mean()
        assert np.abs(latents - one.latents).mean() < 0.1 * apart


def test_at_rest_the_code_is_exactly_the_first_photos(bundle):
    portrait = with_references({"jawOpen": 0.5}, {"jawOpen": 0.001})
    rest = np.zeros(len(FACE_SCHEMA), np.float32)
    latents = driven("calibrated", bundle, portrait, rest).latents
    assert np.array_equal(latents, portrait.latents)


def test_from_one_photo_to_the_other_the_code_moves_smoothly(bundle):
    portrait = with_references({"jawOpen": 0.5})
    plain = tiny_portrait()

    def latents(of: Portrait, part: float) -> np.ndarray:
        return driven("calibrated", bundle, of, part * shift).latents

    shift = portrait.references[0].parameters - portrait.parameters
    added = np.array(
        [
            np.abs(latents(portrait, part) - latents(plain, part)).mean()
            for part in np.linspace(0, 1, 201, dtype=np.float32)
        ]
    )
    assert added[0] == 0
    assert np.abs(np.diff(added)).max() < 0.06 * added.max()


def test_a_photo_of_another_pose_does_not_count_far_from_it(bundle):
    portrait = with_references({"headYaw": -0.5})
    shift = np.zeros(len(FACE_SCHEMA), np.float32)
    shift[YAW] = 0.5
    latents = driven("calibrated", bundle, portrait, shift).latents
    alone = driven("calibrated", bundle, tiny_portrait(), shift).latents
    assert np.abs(latents - alone).max() < 1e-4


def test_the_weights_of_all_photos_are_a_share_and_the_order_does_not_matter():
    random = np.random.default_rng(3)
    places = random.standard_normal((4, len(FACE_SCHEMA))) * 0.02
    for target in random.standard_normal((20, len(FACE_SCHEMA))) * 0.05:
        weights = reference_weights(target, places, GRAM)
        assert (weights >= 0).all() and weights.sum() <= 1 + 1e-12
        assert np.allclose(reference_weights(target, places[::-1], GRAM)[::-1], weights)
    far = reference_weights(np.full(len(FACE_SCHEMA), 100.0), places, GRAM)
    assert np.isfinite(far).all()


def test_two_photos_that_show_the_same_share_their_weight():
    places = np.zeros((2, len(FACE_SCHEMA)))
    places[:, JAW] = 0.2
    weights = reference_weights(places[0], places, GRAM)
    assert weights[0] == weights[1] and 0.45 < weights[0] <= 0.5


def test_frames_of_several_photos_do_not_depend_on_their_order(bundle):
    portrait = with_references({"jawOpen": 0.5}, {"headYaw": 0.3})

    def frames(amounts):
        renderer = FaceRenderer(bundle, TinyGenerator())
        for amount in amounts:
            wanted = FACE_SCHEMA.rest.copy()
            wanted[JAW] = amount
            request = FrameRequest(portrait.id, wanted, 16, "relative", "calibrated")
            yield renderer.render(portrait, request).tobytes()

    amounts = [0.1, 0.4, 0.25]
    assert list(frames(amounts)) == list(frames(amounts[::-1]))[::-1]


def test_the_tilt_of_a_further_photo_is_taken_back_with_its_weight(bundle):
    portrait = with_references({"jawOpen": 0.5, "headRoll": 4.0})
    shift = portrait.references[0].parameters - portrait.parameters
    own = float(portrait.parameters[FACE_SCHEMA.index["headRoll"]])
    assert driven("calibrated", bundle, portrait, shift).tilt == pytest.approx(4.0 - own, rel=0.02)
    assert driven("calibrated", bundle, portrait, np.zeros_like(shift)).tilt == 0


def test_references_come_back_from_the_file():
    portrait = with_references({"jawOpen": 0.5}, {"headYaw": 0.3})
    loaded = Portrait.from_bytes(portrait.to_bytes())
    assert loaded.id == portrait.id != tiny_portrait().id
    for one, other in zip(loaded.references, portrait.references, strict=True):
        assert np.array_equal(one.latents, other.latents)
        assert np.array_equal(one.parameters, other.parameters)


def test_without_references_the_file_is_as_it_was():
    assert b"references" not in tiny_portrait().to_bytes()
    assert Portrait.from_bytes(tiny_portrait().to_bytes()).references == ()


@pytest.mark.parametrize(
    ("name", "array"),
    [
        (LATENTS, np.zeros((1, 15, 512), np.float32)),
        (LATENTS, np.zeros((2, 16, 512), np.float32)),
        (LATENTS, np.zeros((1, 16, 512), np.float16)),
        (LATENTS, np.full((1, 16, 512), np.nan, np.float32)),
        (LATENTS, np.zeros((0, 16, 512), np.float32)),
        (PARAMETERS, np.zeros((1, 3), np.float32)),
        (PARAMETERS, np.full((1, len(FACE_SCHEMA)), np.inf, np.float32)),
    ],
)
def test_references_that_cannot_be_are_refused(monkeypatch, name, array):
    from photorig.worker.portraits import portrait as module

    whole = module.reference_tensors
    monkeypatch.setattr(module, "reference_tensors", lambda of: whole(of) | {name: array})
    content = with_references({"jawOpen": 0.5}).to_bytes()
    with pytest.raises(InputError, match="damaged"):
        Portrait.from_bytes(content)


def test_there_are_not_more_references_than_a_file_may_have():
    portrait = with_references(*[{"jawOpen": 0.5}] * (MOST_REFERENCES + 1))
    with pytest.raises(InputError, match="damaged"):
        Portrait.from_bytes(portrait.to_bytes())
