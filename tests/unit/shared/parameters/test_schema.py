"""The parameter schema: names, order, limits, and sentences for what does not fit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA, Parameter, ParameterSchema


def test_the_default_schema_is_angles_then_fifty_two_coefficients_then_a_translation() -> None:
    assert len(FACE_SCHEMA) == 58
    assert FACE_SCHEMA.ids[:3] == ("headYaw", "headPitch", "headRoll")
    assert {p.unit for p in FACE_SCHEMA.parameters[3:55]} == {"coefficient"}
    assert FACE_SCHEMA.ids[55:] == ("headX", "headY", "headZ")
    assert {(p.unit, p.minimum, p.maximum) for p in FACE_SCHEMA.parameters[55:]} == {
        ("centimetre", -10, 10)
    }
    assert len(set(FACE_SCHEMA.ids)) == 58


def test_mirroring_twice_gives_the_parameter_back() -> None:
    for parameter in FACE_SCHEMA.parameters:
        partner = FACE_SCHEMA.parameters[FACE_SCHEMA.index[parameter.mirror]]
        assert partner.mirror == parameter.id
    assert FACE_SCHEMA.parameters[FACE_SCHEMA.index["eyeBlinkLeft"]].mirror == "eyeBlinkRight"


def test_a_vector_holds_named_values_and_rest_elsewhere() -> None:
    vector = FACE_SCHEMA.vector({"jawOpen": 0.4})
    assert vector.dtype == np.float32
    assert FACE_SCHEMA.named(vector)["jawOpen"] == pytest.approx(0.4)
    assert np.count_nonzero(vector) == 1


def test_an_unknown_name_is_refused_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="Did you mean 'jawOpen'"):
        FACE_SCHEMA.vector({"JawOpen": 0.4})


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.4", None, True])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="jawOpen"):
        FACE_SCHEMA.vector({"jawOpen": value})  # type: ignore[dict-item]


def test_the_schema_comes_back_from_json_with_the_same_hash() -> None:
    copy = ParameterSchema.from_json(FACE_SCHEMA.to_json())
    assert copy == FACE_SCHEMA
    assert copy.hash == FACE_SCHEMA.hash


def test_a_schema_includes_another_by_ids_and_units_not_by_order() -> None:
    newer = ParameterSchema("newer", FACE_SCHEMA.parameters[::-1])
    assert newer.includes(FACE_SCHEMA)
    fewer = ParameterSchema("fewer", FACE_SCHEMA.parameters[1:])
    assert FACE_SCHEMA.includes(fewer)
    assert not fewer.includes(FACE_SCHEMA)
    other = replace(FACE_SCHEMA.parameters[0], unit="radian")
    assert not ParameterSchema("other", (other, *FACE_SCHEMA.parameters[1:])).includes(FACE_SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "ear left"},
        {"id": ""},
        {"id": 3},
        {"label": None},
        {"minimum": "0"},
        {"maximum": math.nan},
        {"minimum": 2.0},
        {"default": 7.0},
        {"id": "jawOpen"},
    ],
)
def test_a_schema_that_is_none_is_refused(change: dict[str, object]) -> None:
    ear = vars(Parameter("ear", "Ear", "ears", "coefficient", 0.0, 1.0, 0.0, "ear")) | change
    data = FACE_SCHEMA.to_json()
    data["parameters"] = [*data["parameters"], ear]
    with pytest.raises(InputError, match="no parameter schema"):
        ParameterSchema.from_json(data)
