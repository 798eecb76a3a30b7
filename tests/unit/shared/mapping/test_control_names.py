"""Names of controls and bones, as the programs and people of the trade write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from photorig.shared.mapping.control_names import control_name, head_rank, is_neck
from photorig.shared.mapping.presets import Candidate, detect, read_presets, suggested
from photorig.shared.parameters.schema import ARKIT_NAMES

PRESETS = read_presets(Path(__file__).resolve().parents[4] / "blender_addon" / "presets")


def keys(*names: str) -> list[Candidate]:
    return [Candidate("SHAPE_KEY", "Face", name, name) for name in names]


def pascal(name: str) -> str:
    return name[0].upper() + name[1:]


@pytest.mark.parametrize(
    "spelling",
    [
        str.upper,
        str.lower,
        lambda name: f"{name}_Mesh",
        lambda name: f"Body.{name}_v2",
        lambda name: f"facs_bs_{pascal(name)}_div2",
        lambda name: f"eCTRL_{name}",
        lambda name: f"HEAD_{name.upper()}",
        lambda name: f"{name}_Mesh.001",
    ],
)
def test_arkit_is_found_with_capitals_and_suffixes(spelling: Callable[[str], str]) -> None:
    best = detect(PRESETS.values(), keys(*map(spelling, ARKIT_NAMES)))[0]
    found = {match.row.parameter: match.candidate.control for match in best.matches}
    assert {name: found[name] for name in ARKIT_NAMES} == {n: spelling(n) for n in ARKIT_NAMES}


def test_controls_of_several_panels_are_found_behind_the_prefix_of_each() -> None:
    prefixes = ("facs_jnt_", "facs_ctrl_", "facs_bs_")
    names = [prefixes[i % 3] + pascal(name) for i, name in enumerate(ARKIT_NAMES)]
    assert len(detect(PRESETS.values(), keys(*names))[0].parameters) == 52


@pytest.mark.parametrize(
    ("preset", "names", "parameters"),
    [
        ("daz", ["eCTRLMouthSmile", "eCTRLEyesClosedL", "eCTRLvAA"], ["eyeBlinkLeft", "jawOpen"]),
        ("daz", ["facs_jnt_JawOpen", "facs_bs_MouthSmileLeft_div2"], ["jawOpen"]),
        ("mmd", ["まばたき", "あ", "い", "う", "え", "お", "笑い"], ["eyeBlinkLeft", "jawOpen"]),
        ("vrchat", ["vrc.v_aa", "vrc.v_oh", "vrc.v_pp", "vrc.blink"], ["jawOpen", "eyeBlinkLeft"]),
        (
            "mpfb",
            ["eye-left-closure", "mouth-corner-puller", "eyebrows-right-up"],
            ["eyeBlinkLeft", "mouthSmileRight", "browOuterUpRight"],
        ),
    ],
)
def test_more_vocabularies_are_known(preset: str, names: list[str], parameters: list[str]) -> None:
    best = detect(PRESETS.values(), keys(*names))[0]
    assert best.preset.id == preset
    assert set(parameters) <= set(best.parameters)


def test_names_in_other_scripts_are_told_apart() -> None:
    assert control_name("まばたき") != control_name("笑い")
    assert control_name("ウィンク２") == control_name("ｳｨﾝｸ2")
    assert control_name("左目").sides == ("left",)
    assert detect(PRESETS.values(), keys("まえがみ", "スカート", "Привет")) == []


def test_what_goes_together_is_suggested_together() -> None:
    visemes = [row.controls[0] for row in PRESETS["meta-visemes"].rows]
    rig = keys(*ARKIT_NAMES, *dict.fromkeys(visemes))
    chosen = [coverage.preset.id for coverage in suggested(detect(PRESETS.values(), rig))]
    assert chosen == ["arkit", "meta-visemes"]
    few = keys(*ARKIT_NAMES, *visemes[:1])
    assert [c.preset.id for c in suggested(detect(PRESETS.values(), few))] == ["arkit"]


HEADS = ["head", "HEAD", "Head.001", "mixamorig:Head", "mixamorig1:Head", "CharA:Head"]
HEADS += ["c_head.x", "head.x", "Bip001 Head", "Bip01_Head", "ValveBiped.Bip01_Head1", "Head_M"]
HEADS += ["head_jnt", "headJnt", "J_Bip_C_Head", "CC_Base_Head", "DEF-head", "b_head", "root.head"]
HEADS += ["頭", "Kopf", "spine.006", "DEF-spine.006", "ns|rig:head_ctrl"]


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_known(name: str) -> None:
    assert head_rank(name) is not None


@pytest.mark.parametrize(
    "name",
    ["HeadTop_End", "J_Sec_Head", "head.L", "hammer_head", "headband", "Forehead", "spine.005"]
    + ["head_target", "neck", "L_head_ear", "頭先", "head_look", "arrowhead"],
)
def test_what_is_no_head_is_none(name: str) -> None:
    assert head_rank(name) is None


def test_controls_for_animators_come_before_deforming_bones() -> None:
    names = ["DEF-spine.006", "ORG-head", "DEF-head", "頭", "head.x", "c_head.x", "head"]
    ranked = sorted(names, key=lambda name: head_rank(name) or 0)
    assert ranked[:2] == ["head", "c_head.x"]
    assert ranked[-1] in ("DEF-spine.006", "ORG-head")


@pytest.mark.parametrize(
    "name", ["neck", "mixamorig:Neck", "CC_Base_NeckTwist01", "首", "spine.004"]
)
def test_a_neck_is_known(name: str) -> None:
    assert is_neck(name)


@pytest.mark.parametrize("name", ["spine.003", "chest", "head", "shoulder.L"])
def test_what_is_no_neck_is_none(name: str) -> None:
    assert not is_neck(name)
