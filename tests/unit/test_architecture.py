"""docs/architecture.md says of every file what it holds, in the file's own words."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

from architecture import PAGE, filled, folders_of, listed, packages, sentence  # noqa: E402

TEXT = PAGE.read_text(encoding="utf-8")


def test_every_folder_with_modules_is_on_the_page_once() -> None:
    there = [folder for folder in packages() if "|---|" in listed(folder)]
    assert sorted(folders_of(TEXT)) == there


def test_the_lists_are_those_of_the_tree() -> None:
    assert filled(TEXT) == TEXT, "run: python .ci/architecture.py"


def test_every_module_says_in_a_sentence_what_it_holds() -> None:
    for folder in packages():
        for path in (ROOT / folder).glob("*.py"):
            assert sentence(path), path
