"""What a worker says about its face, read whatever the worker's age."""

from __future__ import annotations

import json
from typing import Any

import pytest

from photorig.shared.parameters.responses import Response, responses_of

IDS = ("headYaw", "headRoll", "jawOpen")
YAW = {
    "controllable": True,
    "realised_by": "latents",
    "minimum": -25.0,
    "maximum": 25.0,
    "gain": 1.1,
    "linearity": 0.96,
    "crosstalk": 0.05,
}


def test_each_response_is_found_by_the_parameter_in_its_place() -> None:
    roll = {**YAW, "realised_by": "geometry", "minimum": -45, "maximum": 45}
    jaw = {**YAW, "controllable": False, "realised_by": "none", "minimum": 0, "maximum": 0}
    read = responses_of({"responses": [YAW, roll, jaw]}, IDS)
    assert read["headYaw"] == Response("latents", -25, 25, 1.1, 0.96, 0.05)
    assert (read["headRoll"].realised_by, read["headRoll"].maximum) == ("geometry", 45)
    assert not read["jawOpen"].is_controllable


def test_a_worker_that_does_not_say_how_is_believed_whether() -> None:
    old = {name: value for name, value in YAW.items() if name != "realised_by"}
    read = responses_of({"responses": [old, {**old, "controllable": False}]}, IDS)
    assert (read["headYaw"].realised_by, read["headRoll"].realised_by) == ("latents", "none")


@pytest.mark.parametrize(
    ("controllable", "realised_by", "read"),
    [
        (False, "latents", "none"),
        (True, "spirits", "latents"),
        ("yes", None, "none"),
        (None, "geometry", "geometry"),
    ],
)
def test_how_a_parameter_is_realised_is_read_with_care(
    controllable: object, realised_by: object, read: str
) -> None:
    entry = {**YAW, "controllable": controllable, "realised_by": realised_by}
    assert responses_of({"responses": [entry]}, IDS)["headYaw"].realised_by == read


def test_what_a_newer_worker_adds_is_passed_over() -> None:
    new = {**YAW, "curve": [[0, 0], [1, 1]], "crosstalk": {"jawOpen": 0.1}, "lowest": 3}
    response = responses_of({"responses": [new]}, IDS)["headYaw"]
    assert response == Response("latents", -25, 25, 1.1, 0.96, None)


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"responses": None},
        {"responses": "many"},
        {"responses": [None, 3, []]},
        {"responses": [{"controllable": True}]},
        {"responses": [{**YAW, "minimum": float("nan")}]},
        {"responses": [{**YAW, "minimum": 30.0}]},
    ],
)
def test_a_worker_that_says_nothing_useful_gives_no_response(description: dict[str, Any]) -> None:
    assert responses_of(description, IDS) == {}


def test_the_range_lies_around_the_origin_and_within_the_limits() -> None:
    response = Response("latents", -0.3, 0.4)
    assert response.range_around(0.0, 0.0, 0.0, 1.0) == (0.0, 0.4)
    assert response.range_around(0.8, 0.8, 0.0, 1.0) == pytest.approx((0.5, 1.0))


def test_a_range_of_values_leaves_less_to_a_face_that_shows_some_already() -> None:
    response = Response("latents", -0.3, 0.4, lowest=0.0, highest=0.5)
    assert response.range_around(0.0, 0.2, 0.0, 1.0) == pytest.approx((0.0, 0.3))
    assert response.range_around(0.2, 0.2, 0.0, 1.0) == pytest.approx((0.0, 0.5))
    assert response.range_around(0.8, 0.8, 0.0, 1.0) == pytest.approx((0.0, 0.8))
    assert response.is_beyond(0.4, 0.0, 0.2)
    assert not response.is_beyond(0.4, 0.2, 0.2)


def test_a_mesh_moves_the_whole_way_whatever_the_photo_shows() -> None:
    response = Response("mesh", -1.0, 1.0, lowest=0.0, highest=1.0)
    assert response.range_around(0.0, 0.0, 0.0, 1.0) == (0.0, 1.0)
    assert response.range_around(0.0, 0.4, 0.0, 1.0) == (0.0, 1.0)
    assert response.range_around(0.0, 0.4, -1.0, 1.0) == pytest.approx((-0.4, 1.0))
    assert response.range_around(0.4, 0.4, 0.0, 1.0) == (0.0, 1.0), "in absolute mode"
    assert response.is_beyond(-0.5, 0.0, 0.4)
    assert not response.is_beyond(1.0, 0.0, 0.4)


def test_a_value_at_the_end_of_the_range_is_within_it() -> None:
    response = Response("latents", -0.3, 0.4)
    assert not response.is_beyond(0.4000001, 0.0, 0.0)
    assert response.is_beyond(0.41, 0.0, 0.0)
    assert not response.is_beyond(0.5, 0.8, 0.8)
    assert response.is_beyond(0.4, 0.8, 0.8)


def test_a_mesh_is_told_apart() -> None:
    entry = {"controllable": True, "realised_by": "mesh", "minimum": -1, "maximum": 1}
    read = responses_of({"responses": [entry]}, IDS)["headYaw"]
    assert (read.realised_by, read.is_controllable, read.gain) == ("mesh", True, None)


def test_the_extension_reads_all_that_the_committed_matrix_says() -> None:
    from photorig.worker.reenactment.bundle import load_bundle

    bundle = load_bundle()
    said = json.loads(json.dumps([response.to_json() for response in bundle.responses]))
    read = responses_of({"responses": said}, bundle.schema.ids)
    assert read == dict(zip(bundle.schema.ids, bundle.responses, strict=True))
