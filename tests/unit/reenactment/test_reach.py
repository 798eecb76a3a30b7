"""How far a face goes, as it is told: to the extension in WELCOME, and in warnings."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from photorig.shared.parameters.responses import (
    BY_GEOMETRY,
    BY_LATENTS,
    BY_MESH,
    BY_NOTHING,
    responses_of,
)
from photorig.shared.parameters.schema import ARKIT_NAMES, FACE_SCHEMA
from photorig.worker.faces.face_shapes import FaceShapes, load_face_shapes
from photorig.worker.reenactment import reach
from photorig.worker.reenactment.bundle import load_bundle
from photorig.worker.reenactment.reach import sentences_beyond, told_responses

from ..fakes import tiny_bundle, tiny_portrait
from .test_known_faces import measured

BUNDLE = tiny_bundle()
PORTRAIT = measured(tiny_portrait())


@pytest.fixture
def no_tongue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that does not move the tongue."""
    table = load_face_shapes()
    offsets = table.offsets.copy()
    offsets[table.index["tongueOut"]] = 0
    shapes = FaceShapes(table.names, table.face, offsets, table.gaze)
    monkeypatch.setattr(reach, "load_face_shapes", lambda: shapes)


def beyond(values: dict[str, float], portrait: object = PORTRAIT) -> dict[str, str]:
    return sentences_beyond(BUNDLE, portrait, FACE_SCHEMA.vector(values))  # type: ignore[arg-type]


def test_the_extension_is_told_that_the_mesh_makes_all_expressions() -> None:
    bundle = load_bundle()
    said = told_responses(bundle)
    read = responses_of({"responses": json.loads(json.dumps(said))}, bundle.schema.ids)
    moved = [name for name in ARKIT_NAMES if read[name].realised_by == BY_MESH]
    assert moved == list(ARKIT_NAMES)
    jaw = read["jawOpen"]
    assert (jaw.minimum, jaw.maximum, jaw.lowest, jaw.highest) == (-1, 1, 0, 1)
    assert jaw.gain is None, "it needs no measuring"
    assert read["headYaw"].realised_by == BY_LATENTS
    assert read["headYaw"].gain is not None
    assert read["headRoll"].realised_by == BY_GEOMETRY


def test_what_the_table_does_not_move_cannot_be_controlled(no_tongue: None) -> None:
    read = responses_of({"responses": told_responses(BUNDLE)}, FACE_SCHEMA.ids)
    assert read["tongueOut"].realised_by == BY_NOTHING
    assert read["jawOpen"].realised_by == BY_MESH
    assert beyond({"tongueOut": 0.5}) == {
        "tongueOut": "has no effect: the mesh has no shape for it"
    }


def test_within_reach_nothing_is_said() -> None:
    assert beyond({"headYaw": 0.2, "jawOpen": 0.9}) == {}


def test_what_is_beyond_reach_is_told_of_this_face() -> None:
    response = PORTRAIT.response
    assert response is not None
    narrow = replace(
        response,
        lowest=np.full(len(FACE_SCHEMA), -0.1, np.float32),
        highest=np.full(len(FACE_SCHEMA), 0.3, np.float32),
    )
    parameters = FACE_SCHEMA.vector({"headYaw": 0.25})
    turned = replace(PORTRAIT, parameters=parameters, response=narrow, geometry=None)
    told = sentences_beyond(BUNDLE, turned, FACE_SCHEMA.vector({"headYaw": 2.0}))["headYaw"]
    assert "on this face, whose photo shows 0°" in told
    assert "most faces go from" in told, "for this one goes less far"


def test_a_mesh_turns_a_photo_farther_than_its_generator_does() -> None:
    for shown, ends in ((10.0, "−35° … 35°"), (-40.0, "−10° … 41°")):
        turned = replace(PORTRAIT, parameters=FACE_SCHEMA.vector({"headYaw": shown}))
        assert not sentences_beyond(BUNDLE, turned, FACE_SCHEMA.vector({"headYaw": 34.0}))
        told = sentences_beyond(BUNDLE, turned, FACE_SCHEMA.vector({"headYaw": -60.0}))["headYaw"]
        assert f"is held within {ends} of change on this face" in told


def test_without_a_mesh_the_bundle_decides() -> None:
    nothing = replace(BUNDLE.responses[0], realised_by="none")
    position = FACE_SCHEMA.index["tongueOut"]
    responses = (*BUNDLE.responses[:position], nothing, *BUNDLE.responses[position + 1 :])
    bundle = replace(BUNDLE, responses=responses)
    told = sentences_beyond(bundle, tiny_portrait(), FACE_SCHEMA.vector({"tongueOut": 0.2}))
    assert told == {"tongueOut": "has no effect: this bundle does not control it"}
