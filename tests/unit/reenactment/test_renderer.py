"""The one way from parameters to pixels: pure, zero at rest, held within the trained range."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.reenactment.renderer import FaceRenderer

from ..fakes import TinyGenerator, driven, tiny_bundle, tiny_portrait
from ..stage_fakes import tiny_stage

PORTRAIT = tiny_portrait()


@pytest.fixture(scope="module")
def renderer() -> FaceRenderer:
    return FaceRenderer(tiny_bundle(), TinyGenerator(), tiny_stage())


def request(values: dict[str, float] | None = None, **fields: Any) -> FrameRequest:
    fields.setdefault("size", 8)
    vector = FACE_SCHEMA.vector(values or {}, fields.pop("missing", None))
    return FrameRequest(portrait=PORTRAIT.id, parameters=vector, **fields)


def test_a_frame_is_the_same_bytes_whatever_was_rendered_before(renderer: FaceRenderer) -> None:
    requests = [request({"jawOpen": i / 10, "headYaw": 0.1 * i}) for i in range(6)]
    forward = [renderer.render(PORTRAIT, r).tobytes() for r in requests]
    renderer.render(tiny_portrait(9), request({"jawOpen": 0.3}))
    backward = [renderer.render(PORTRAIT, r).tobytes() for r in reversed(requests)]
    assert forward == backward[::-1]
    assert len(set(forward)) == len(forward)


def test_a_fresh_renderer_gives_the_same_bytes(renderer: FaceRenderer) -> None:
    other = FaceRenderer(tiny_bundle(), TinyGenerator(), tiny_stage())
    asked = request({"mouthPucker": 0.4})
    assert other.render(PORTRAIT, asked).tobytes() == renderer.render(PORTRAIT, asked).tobytes()


@pytest.mark.parametrize(
    "fields",
    [{}, {"missing": PORTRAIT.shown, "mode": "absolute"}],
    ids=["relative", "absolute"],
)
def test_when_nothing_is_asked_for_the_frame_is_the_photo(
    renderer: FaceRenderer, fields: dict[str, Any]
) -> None:
    whole = renderer.render(PORTRAIT, request(size="full", **fields))
    np.testing.assert_array_equal(whole, PORTRAIT.photo)
    crop = renderer.render(PORTRAIT, request(size=16, **fields))
    np.testing.assert_array_equal(crop, PORTRAIT.alignment.crop(PORTRAIT.photo, 16))


def test_relative_is_a_change_of_the_photo_and_absolute_a_wish(renderer: FaceRenderer) -> None:
    have = float(PORTRAIT.shown[FACE_SCHEMA.index["jawOpen"]])
    relative = request({"jawOpen": 0.25})
    absolute = request({"jawOpen": have + 0.25}, missing=PORTRAIT.shown, mode="absolute")
    np.testing.assert_allclose(
        renderer.parameter_shift(PORTRAIT, relative),
        renderer.parameter_shift(PORTRAIT, absolute),
        atol=1e-6,
    )


def test_neutral_takes_the_photos_own_expression_away(renderer: FaceRenderer) -> None:
    is_coefficient = renderer.bundle.is_coefficient
    own = np.where(is_coefficient, PORTRAIT.shown, 0)
    shift = renderer.asked_shift(PORTRAIT, request({"jawOpen": 0.3}, neutral=0.5))
    np.testing.assert_allclose(shift, FACE_SCHEMA.vector({"jawOpen": 0.3}) - 0.5 * own, atol=1e-6)
    assert not shift[~is_coefficient].any(), "the head stays as it is in the photo"


def test_with_neutral_at_one_an_expression_is_what_is_asked_for(renderer: FaceRenderer) -> None:
    asked = dict.fromkeys(("jawOpen", "mouthPucker"), 0.3)
    pose = dict(zip(FACE_SCHEMA.ids[:3], PORTRAIT.shown[:3].tolist(), strict=True))
    absolute = request({**pose, **asked}, mode="absolute")
    np.testing.assert_allclose(
        renderer.asked_shift(PORTRAIT, request(asked, neutral=1.0))[3:55],
        renderer.asked_shift(PORTRAIT, absolute)[3:55],
        atol=1e-6,
    )


def test_neutral_has_no_effect_in_absolute_mode(renderer: FaceRenderer) -> None:
    asked = request({"jawOpen": 0.3}, missing=PORTRAIT.shown, mode="absolute")
    np.testing.assert_array_equal(
        renderer.render(PORTRAIT, asked), renderer.render(PORTRAIT, replace(asked, neutral=0.7))
    )


def test_less_of_an_expression_than_the_photo_has_is_seen(renderer: FaceRenderer) -> None:
    shown = float(PORTRAIT.shown[FACE_SCHEMA.index["jawOpen"]])
    shift = renderer.parameter_shift(PORTRAIT, request({"jawOpen": -shown / 2}))
    assert shift[FACE_SCHEMA.index["jawOpen"]] == pytest.approx(-shown / 2, rel=1e-4)


def test_a_shift_is_the_sum_of_its_parameters_rows(renderer: FaceRenderer) -> None:

    bundle = tiny_bundle()
    shift = np.zeros(len(FACE_SCHEMA), np.float32)
    shift[3], shift[8] = 0.2, 0.4
    latents = driven("directions", bundle, PORTRAIT, shift).latents
    moved = 0.2 * bundle.directions[3] + 0.4 * bundle.directions[8]
    np.testing.assert_allclose(latents[:8], PORTRAIT.latents[:8] + moved, atol=1e-5)
    np.testing.assert_array_equal(latents[8:], PORTRAIT.latents[8:])


def test_moves_beyond_the_trained_range_stop_at_its_end(renderer: FaceRenderer) -> None:
    at_end, beyond = request({"jawOpen": 0.6}), request({"jawOpen": 0.9})
    np.testing.assert_array_equal(
        renderer.render(PORTRAIT, at_end), renderer.render(PORTRAIT, beyond)
    )
    asked = renderer.asked_shift(PORTRAIT, beyond)
    assert renderer.bundle.beyond_range(PORTRAIT, asked) == ["jawOpen"]


def test_full_size_leaves_the_photo_outside_the_face_alone(renderer: FaceRenderer) -> None:
    frame = renderer.render(PORTRAIT, request({"jawOpen": 0.4}, size="full"))
    assert frame.shape == PORTRAIT.photo.shape
    np.testing.assert_array_equal(frame[:5], PORTRAIT.photo[:5])
    assert (frame != PORTRAIT.photo).any()


def test_a_portrait_is_driven_by_a_schema_that_has_grown_since_as_before(
    renderer: FaceRenderer,
) -> None:
    whole = replace(PORTRAIT, parameters=np.append(PORTRAIT.parameters[:55], np.zeros(3, "f4")))
    known = replace(whole, parameter_ids=FACE_SCHEMA.ids[:55], parameters=whole.parameters[:55])
    asked = request({"jawOpen": 0.5})
    np.testing.assert_array_equal(renderer.render(known, asked), renderer.render(whole, asked))


@pytest.mark.parametrize(
    ("portrait", "asked", "sentence"),
    [
        (replace(PORTRAIT, model_id="another"), request(), "another generator"),
        (PORTRAIT, request(size=9), "size 9"),
        (PORTRAIT, request(method="magic"), "no method"),
    ],
    ids=["generator", "size", "method"],
)
def test_what_cannot_be_rendered_is_refused(
    renderer: FaceRenderer, portrait: Any, asked: FrameRequest, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        renderer.render(portrait, asked)


def test_a_bundle_of_another_generator_is_refused() -> None:
    with pytest.raises(InputError, match="another generator"):
        FaceRenderer(replace(tiny_bundle(), model_id="another"), TinyGenerator(), tiny_stage())


def test_the_model_id_changes_with_the_preview_heads(renderer: FaceRenderer) -> None:
    class OtherHeads(TinyGenerator):
        pixels_id = "other heads"

    other = FaceRenderer(tiny_bundle(), OtherHeads(), tiny_stage())
    assert other.model_id != renderer.model_id
    assert FaceRenderer(tiny_bundle(), TinyGenerator(), tiny_stage()).model_id == renderer.model_id


@pytest.mark.parametrize("size", [16, "full"])
@pytest.mark.parametrize(
    "values", [{}, {"jawOpen": 0.4}, {"headYaw": 0.3, "headRoll": 5.0}], ids=str
)
def test_passes_are_the_frame_and_what_it_is_made_of(
    renderer: FaceRenderer, size: int | str, values: dict[str, float]
) -> None:
    asked = request(values, size=size)
    passes = renderer.passes(PORTRAIT, asked)
    np.testing.assert_array_equal(passes.combined, renderer.render(PORTRAIT, asked))
    assert passes.matte.shape == passes.combined.shape[:2]
    assert passes.matte.dtype == np.uint8
    assert passes.matte.max() == 255
    side = passes.face.shape[0]
    assert passes.face.shape == (side, side, 3)
    if not values:
        crop = PORTRAIT.alignment.crop(PORTRAIT.photo, side)
        np.testing.assert_array_equal(passes.face, crop)
