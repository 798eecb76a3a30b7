"""A node is compared with the submitter's computer; what differs is one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from photorig.shared.errors import InputError
from photorig.shared.farm.preflight import (
    Expected,
    NodeFacts,
    compare,
    weights_of,
    without_blender,
)

FACTS = NodeFacts(
    extension="0.1.0",
    worker="photorig 0.1.0",
    generator="a" * 32,
    bundle="b" * 64,
    device="cuda",
    backend="torch f16",
    portraits={"c" * 64: "Anna"},
    colours={"view_transform": "Standard", "look": ""},
)


def test_the_same_computer_is_let_through() -> None:
    verdict = compare(Expected(FACTS), FACTS)
    verdict.raise_if_refused()
    assert not verdict.refusals and not verdict.notes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"extension": "0.2.0"}, "its extension is 0.2.0, not 0.1.0"),
        ({"worker": "photorig 0.2.0"}, "its worker is photorig 0.2.0, not photorig 0.1.0"),
        ({"generator": "d" * 32}, "its generator is dddddddddddd, not aaaaaaaaaaaa"),
        ({"bundle": "d" * 64}, "its model bundle is dddddddddddd, not bbbbbbbbbbbb"),
        ({"portraits": {"d" * 64: "Anna"}}, "its file of the portrait 'Anna' is another one"),
        ({"colours": {"view_transform": "AgX"}}, "its view transform is AgX, not Standard"),
        ({"colours": {"look": "Punchy"}}, "its look is Punchy, not none"),
        ({"device": "cpu", "backend": "openvino bf16"}, "it computes with cpu (openvino bf16)"),
        (
            {"backend": "torch f32"},
            "it computes with cuda (torch f32) and not with cuda (torch f16)",
        ),
    ],
)
def test_what_differs_is_one_sentence(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError) as caught:
        compare(Expected(FACTS), replace(FACTS, **change)).raise_if_refused()
    assert words in caught.value.message
    assert "\n" not in str(caught.value) and caught.value.hint


def test_several_differences_are_one_sentence_still() -> None:
    found = replace(FACTS, extension="0.2.0", bundle="d" * 64)
    with pytest.raises(InputError, match=r"its extension is .*; its model bundle is"):
        compare(Expected(FACTS), found).raise_if_refused()


def test_mixed_devices_may_be_allowed_and_are_told() -> None:
    found = replace(FACTS, device="cpu", backend="openvino bf16")
    verdict = compare(Expected(FACTS, allow_mixed_devices=True), found)
    verdict.raise_if_refused()
    assert verdict.notes == (
        "it computes with cpu (openvino bf16) and not with cuda (torch f16), so frames may differ"
        " in their last bits",
    )


def test_a_node_without_blender_is_not_asked_for_it() -> None:
    found = replace(FACTS, extension="", colours={})
    assert not compare(without_blender(Expected(FACTS)), found).refusals


def test_a_file_of_it_says_the_same(tmp_path: Path) -> None:
    expected = Expected(FACTS, allow_mixed_devices=True)
    expected.save(tmp_path / "expected.json")
    assert Expected.load(tmp_path / "expected.json") == expected


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": "photorig.farm.expected", "version": 2}', "\0"]
)
def test_a_file_of_another_kind_is_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "expected.json"
    path.write_text(text)
    with pytest.raises(InputError, match="does not say what a job was submitted with"):
        Expected.load(path)
    with pytest.raises(InputError, match="Cannot read"):
        Expected.load(tmp_path / "none.json")


@pytest.mark.parametrize("facts", [{"worker": 3}, {"portraits": "x"}, {"colours": {"a": 1}}])
def test_facts_of_another_form_are_a_sentence(tmp_path: Path, facts: dict[str, object]) -> None:
    path = tmp_path / "expected.json"
    Expected(FACTS).save(path)
    told = json.loads(path.read_text())
    told["facts"] |= facts
    path.write_text(json.dumps(told))
    with pytest.raises(InputError):
        Expected.load(path)


def test_the_weights_are_told_apart_from_what_computes() -> None:
    assert weights_of("abc-openvino bf16") == weights_of("abc-torch f32") == "abc"
