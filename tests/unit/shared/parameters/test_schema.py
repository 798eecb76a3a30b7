"""The parameter schema: names, order, limits, and sentences for what does not fit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import ARKIT_52, Parameter, ParameterSchema


def test_the_default_schema_is_angles_then_fifty_two_coefficients_then_a_translation() -> None:
    assert len(ARKIT_52) == 58
    assert ARKIT_52.ids[:3] == ("headYaw", "headPitch", "headRoll")
    assert {p.unit for p in ARKIT_52.parameters[3:55]} == {"coefficient"}
    assert ARKIT_52.ids[55:] == ("headX", "headY", "headZ")
    assert {(p.unit, p.minimum, p.maximum) for p in ARKIT_52.parameters[55:]} == {
        ("centimetre", -10, 10)
    }
    assert len(set(ARKIT_52.ids)) == 58


def test_mirroring_twice_gives_the_parameter_back() -> None:
    for parameter in ARKIT_52.parameters:
        partner = ARKIT_52.parameters[ARKIT_52.index[parameter.mirror]]
        assert partner.mirror == parameter.id
    assert ARKIT_52.parameters[ARKIT_52.index["eyeBlinkLeft"]].mirror == "eyeBlinkRight"


def test_a_vector_holds_named_values_and_rest_elsewhere() -> None:
    vector = ARKIT_52.vector({"jawOpen": 0.4})
    assert vector.dtype == np.float32
    assert ARKIT_52.named(vector)["jawOpen"] == pytest.approx(0.4)
    assert np.count_nonzero(vector) == 1


def test_an_unknown_name_is_refused_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="Did you mean 'jawOpen'"):
        ARKIT_52.vector({"JawOpen": 0.4})


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.4", None, True])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="jawOpen"):
        ARKIT_52.vector({"jawOpen": value})  # type: ignore[dict-item]


def test_the_schema_comes_back_from_json_with_the_same_hash() -> None:
    copy = ParameterSchema.from_json(ARKIT_52.to_json())
    assert copy == ARKIT_52
    assert copy.hash == ARKIT_52.hash


def test_a_schema_includes_another_by_ids_and_units_not_by_order() -> None:
    newer = ParameterSchema("newer", ARKIT_52.parameters[::-1])
    assert newer.includes(ARKIT_52)
    fewer = ParameterSchema("fewer", ARKIT_52.parameters[1:])
    assert ARKIT_52.includes(fewer)
    assert not fewer.includes(ARKIT_52)
    other = replace(ARKIT_52.parameters[0], unit="radian")
    assert not ParameterSchema("other", (other, *ARKIT_52.parameters[1:])).includes(ARKIT_52)


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
    data = ARKIT_52.to_json()
    data["parameters"] = [*data["parameters"], ear]
    with pytest.raises(InputError, match="no parameter schema"):
        ParameterSchema.from_json(data)
