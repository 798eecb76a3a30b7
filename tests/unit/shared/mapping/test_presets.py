"""Presets fit the rigs they are for, in every usual spelling, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photorig.shared.errors import InputError
from photorig.shared.mapping.control_names import control_name
from photorig.shared.mapping.presets import (
    Candidate,
    Coverage,
    Preset,
    PresetRow,
    coverage_of,
    detect,
    read_preset,
    read_presets,
)
from photorig.shared.mapping.rows import COMBINATIONS
from photorig.shared.parameters.schema import ARKIT_NAMES, FACE_SCHEMA

FOLDER = Path(__file__).resolve().parents[4] / "blender_addon" / "presets"
PRESETS = read_presets(FOLDER)


def keys(*names: str) -> list[Candidate]:
    return [Candidate("SHAPE_KEY", "Face", name, name) for name in names]


def bones(*names: str) -> list[Candidate]:
    return [Candidate("BONE", "Rig", name, name) for name in names]


def best(candidates: list[Candidate]) -> Coverage:
    return detect(PRESETS.values(), candidates)[0]


def pascal(name: str) -> str:
    return name[0].upper() + name[1:]


def suffixed(name: str) -> str:
    for side in ("Left", "Right"):
        if name.endswith(side) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            return f"{name.removesuffix(side)}_{side[0]}"
    return name


def test_every_preset_file_is_read() -> None:
    assert len(PRESETS) == len(list(FOLDER.glob("*.json"))) == 17
    assert all(PRESETS[path.stem].id == path.stem for path in FOLDER.glob("*.json"))


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.id)
def test_a_rig_with_all_of_a_presets_controls_is_covered_completely(preset: Preset) -> None:
    rig = [
        Candidate("BONE" if row.is_bone else "SHAPE_KEY", "Rig", row.controls[0], row.controls[0])
        for row in preset.rows
    ]
    coverage = coverage_of(preset, rig)
    assert coverage.missing == ()
    assert coverage.share == 1
    assert all(match.share == 1 for match in coverage.matches)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.id)
def test_no_preset_names_a_control_twice_for_a_parameter(preset: Preset) -> None:
    names = [(tuple(map(control_name, r.controls)), r.parameter, r.end) for r in preset.rows]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "spelling",
    [
        str,
        pascal,
        suffixed,
        lambda name: suffixed(name).replace("_", "."),
        lambda name: f"A{ARKIT_NAMES.index(name):02}_{name}",
        lambda name: f"head_lod0_mesh__{name}",
        lambda name: f"blendShape1.{name}",
        lambda name: f"{name}.001",
        lambda name: "_".join((*control_name(name).sides, *control_name(name).words)),
        lambda name: name.replace("Left", " left").replace("Up", " up"),
    ],
)
def test_arkit_is_found_in_any_usual_spelling(spelling: Any) -> None:
    coverage = best(keys("Basis", *map(spelling, ARKIT_NAMES)))
    assert len(coverage.parameters) == 52
    found = {match.row.parameter: match.candidate.control for match in coverage.matches}
    assert found == {name: spelling(name) for name in ARKIT_NAMES}


@pytest.mark.parametrize("name", ["arkit", "vrm-1", "character-creator", "metahuman", "flame"])
def test_the_preset_made_for_a_rig_is_the_one_proposed(name: str) -> None:
    preset = PRESETS[name]
    rig = [
        Candidate("BONE" if row.is_bone else "SHAPE_KEY", "Rig", row.controls[0], row.controls[0])
        for row in preset.rows
    ]
    assert best(rig).preset.id == name


def test_a_control_that_a_rig_splits_into_sides_counts_by_halves() -> None:
    coverage = coverage_of(PRESETS["arkit"], keys("browInnerUp_L", "browInnerUp_R", "cheekPuff_L"))
    shares = [(match.row.parameter, match.share) for match in coverage.matches]
    assert shares == [("browInnerUp", 0.5), ("browInnerUp", 0.5), ("cheekPuff", 1.0)]


def test_looking_to_a_side_is_kept_apart_from_being_on_it() -> None:
    coverage = coverage_of(
        PRESETS["character-creator"],
        keys("Eye_L_Look_L", "Eye_L_Look_R", "Eye_R_Look_L", "Eye_R_Look_R"),
    )
    found = {match.candidate.control: match.row.parameter for match in coverage.matches}
    assert found == {
        "Eye_L_Look_L": "eyeLookOutLeft",
        "Eye_L_Look_R": "eyeLookInLeft",
        "Eye_R_Look_L": "eyeLookInRight",
        "Eye_R_Look_R": "eyeLookOutRight",
    }


def test_bones_and_shape_keys_of_one_name_are_not_confused() -> None:
    assert coverage_of(PRESETS["flame"], keys("jaw", "left_eye")).matches == ()
    assert coverage_of(PRESETS["arkit"], bones("jawOpen")).matches == ()


def test_a_rig_that_is_no_face_fits_nothing() -> None:
    assert detect(PRESETS.values(), keys("Basis", "Key 1", "smile.thing", "wave")) == []
    assert detect(PRESETS.values(), []) == []


def test_the_summary_says_how_much_is_covered() -> None:
    names = [name for name in ARKIT_NAMES if name not in ("tongueOut", "cheekPuff")]
    coverage = coverage_of(PRESETS["arkit"], keys(*names))
    assert coverage.summary == "ARKit: 50 of 52 controls, 50 parameters"
    assert set(coverage.missing) == {"tongueOut", "cheekPuff"}


rows = st.builds(
    PresetRow,
    controls=st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=3).map(tuple),
    parameter=st.sampled_from(FACE_SCHEMA.ids),
    channel=st.sampled_from(["VALUE", "LOC_X", "ROT_Z", "TURN_X", "MOVE_Y"]),
    start=st.floats(-10, 10),
    end=st.floats(11, 20),
    amount=st.floats(-90, 90),
    invert=st.booleans(),
    clamp=st.booleans(),
    combine=st.sampled_from(sorted(COMBINATIONS)),
)


@given(st.lists(rows, max_size=5))
def test_a_preset_survives_its_file(preset_rows: list[PresetRow]) -> None:
    preset = Preset("mine", "Mine", "Of a test", tuple(preset_rows), ("skull",))
    assert Preset.from_json(json.loads(json.dumps(preset.to_json()))) == preset


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "other"}, "no mapping preset"),
        ({"version": 2}, "version 2"),
        ({"rows": None}, "no list of rows"),
        ({"rows": [{"control": "a"}]}, "no parameter"),
        ({"rows": [{"control": "a", "parameter": "jawOpen", "end": 0}]}, "Row 1"),
        ({"rows": [{"control": "a", "parameter": "jawOpen", "end": "x"}]}, "Row 1"),
        ({"rows": [{"control": "a", "parameter": "jawOpen", "channel": "SPIN"}]}, "Row 1"),
        ({"rows": ["a"]}, "Row 1"),
        ({"rows": [{"control": [], "parameter": "jawOpen"}]}, "Row 1"),
    ],
)
def test_a_file_that_is_no_preset_is_refused_with_a_sentence(
    tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(Preset("mine", "Mine", "", ()).to_json() | change))
    with pytest.raises(InputError, match=sentence):
        read_preset(path)


def test_a_row_for_a_parameter_of_a_newer_model_is_kept_and_not_offered(tmp_path: Path) -> None:
    preset = Preset(
        "mine", "Mine", "", (PresetRow(("a",), "earWiggle"), PresetRow(("b",), "jawOpen"))
    )
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(preset.to_json()))
    read = read_preset(path)
    assert read == preset, "so that it can be passed on"
    assert [row.parameter for row in read.known_to(FACE_SCHEMA).rows] == ["jawOpen"]


def test_a_damaged_file_does_not_take_the_others_away(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "arkit.json").write_text(json.dumps(Preset("arkit", "My ARKit", "", ()).to_json()))
    presets = read_presets(FOLDER, tmp_path)
    assert len(presets) == 17
    assert presets["arkit"].label == "My ARKit"
