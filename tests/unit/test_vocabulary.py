"""Names of rig controls: which parameter each stands for."""

from __future__ import annotations

import pytest

from photorig.shared.schema import ARKIT_NAMES
from photorig.shared.vocabulary import parameter_of


@pytest.mark.parametrize("name", ARKIT_NAMES)
def test_every_arkit_name_stands_for_itself(name: str) -> None:
    assert parameter_of(name) == name


@pytest.mark.parametrize(
    ("spelling", "parameter"),
    [
        ("EyeBlinkLeft", "eyeBlinkLeft"),
        ("eyeBlink_L", "eyeBlinkLeft"),
        ("eyeBlink.R", "eyeBlinkRight"),
        ("eye_blink_right", "eyeBlinkRight"),
        ("A14_Eye_Blink_Left", "eyeBlinkLeft"),
        ("Jaw Open", "jawOpen"),
        ("jaw_L", "jawLeft"),
        ("browInnerUp_L", "browInnerUp"),
        ("cheekPuff_R", "cheekPuff"),
        ("MouthUpperUpLeft", "mouthUpperUpLeft"),
    ],
)
def test_usual_spellings_are_understood(spelling: str, parameter: str) -> None:
    assert parameter_of(spelling) == parameter


@pytest.mark.parametrize("name", ["", "Basis", "Key 1", "smile", "eyeBlink", "eyeBlinkLeft_R", "L"])
def test_other_names_stand_for_nothing(name: str) -> None:
    assert parameter_of(name) is None
