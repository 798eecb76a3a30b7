"""The script in a job's folder runs one operator and ends Blender with its outcome."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from photorig.shared.farm.in_blender import SCRIPT, words_of

FAKE = """
import types

class Operator:
    def __call__(self, **given):
        if given.get("job") == "bad":
            raise RuntimeError("Error: It cannot be made. Do this.\\nmore")
        if given.get("job") == "greyed":
            raise RuntimeError("Operator bpy.ops.photorig.farm_render.poll() Choose a camera")
        print("called with", sorted(given.items()))
    def get_rna_type(self):
        kinds = {"job": "STRING", "frames": "STRING", "count": "INT", "flag": "BOOLEAN",
                 "messages": "STRING"}
        return types.SimpleNamespace(properties=[
            types.SimpleNamespace(identifier=name, type=kind) for name, kind in kinds.items()])

class Operators:
    farm_render = Operator()
    def __dir__(self):
        return ["farm_render"]

ops = types.SimpleNamespace(photorig=Operators())
"""


@pytest.fixture
def run(tmp_path: Path):
    (tmp_path / "bpy.py").write_text(FAKE)
    (tmp_path / "in_blender.py").write_text(SCRIPT)

    def run(operator: str, **properties: str) -> tuple[int, str]:
        words = words_of(operator, **properties)
        done = subprocess.run(
            [sys.executable, str(tmp_path / "in_blender.py"), *words],
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout

    return run


def test_properties_have_their_kinds(run) -> None:
    code, said = run("farm_render", job="C:\\a b=c", count="3", flag="False")
    assert code == 0
    assert said == "called with [('count', 3), ('flag', False), ('job', 'C:\\\\a b=c')]\n"


def test_a_failure_is_the_farms_sentence_and_an_exit_code(run) -> None:
    assert run("farm_render", job="bad", messages="openjd") == (
        1,
        "openjd_fail: It cannot be made. Do this.\n",
    )
    assert run("farm_render", job="bad") == (1, "Photorig: It cannot be made. Do this.\n")


def test_why_a_button_would_be_grey_is_the_sentence(run) -> None:
    assert run("farm_render", job="greyed") == (1, "Photorig: Choose a camera\n")


def test_a_blender_without_the_extension_is_told(run) -> None:
    code, said = run("farm_other", messages="openjd")
    assert code == 1 and said.startswith("openjd_fail: The Photorig extension of this Blender")
