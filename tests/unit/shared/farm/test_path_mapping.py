"""Paths of the submitter's computer on a node, by OpenJD's rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from photorig.shared.errors import InputError
from photorig.shared.farm.path_mapping import PathRule, mapped, read_rules, rules_here


@pytest.mark.parametrize(
    ("rule", "path", "there"),
    [
        (PathRule("/a/b", "/mnt"), "/a/b/c d/e.portrait", "/mnt/c d/e.portrait"),
        (PathRule("/a/b", "/mnt"), "/a/b", "/mnt"),
        (PathRule("/a/b", "/mnt"), "/a/bc/e", "/a/bc/e"),
        (PathRule("C:\\Shots", "/mnt", True), "c:\\shots\\x\\y.blend", "/mnt/x/y.blend"),
        (PathRule("C:\\Shots", "/mnt", True), "D:\\Shots\\y.blend", "D:\\Shots\\y.blend"),
        (PathRule("/A", "/mnt"), "/a/x", "/a/x"),
    ],
)
def test_a_rule_holds_for_whole_folders(rule: PathRule, path: str, there: str) -> None:
    assert mapped(path, (rule,)) == there


def rules_file(folder: Path, *rules: tuple[str, str]) -> Path:
    told = [
        {"source_path_format": "POSIX", "source_path": a, "destination_path": b} for a, b in rules
    ]
    path = folder / "rules.json"
    path.write_text(json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": told}))
    return path


def test_the_longest_source_decides(tmp_path: Path) -> None:
    rules = read_rules(rules_file(tmp_path, ("/a", "/x"), ("/a/b", "/y")))
    assert mapped("/a/b/c", rules) == "/y/c"
    assert mapped("/a/c", rules) == "/x/c"


def test_the_rules_of_a_session_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rules_here() == ()
    monkeypatch.setenv("PHOTORIG_PATH_MAPPING", str(rules_file(tmp_path, ("/a", "/x"))))
    assert mapped("/a/f", rules_here()) == "/x/f"
    empty = tmp_path / "empty.json"
    empty.write_text("{}")  # as a session without rules has it
    assert read_rules(empty) == ()


@pytest.mark.parametrize("text", ["", "[1]", '{"path_mapping_rules": [{}]}'])
def test_a_file_of_another_kind_is_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.json"
    path.write_text(text)
    with pytest.raises(InputError):
        read_rules(path)
