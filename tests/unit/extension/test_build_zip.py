"""Packaging of the extension: what Blender's own checker would let pass."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ADDON = Path(__file__).resolve().parents[3] / "blender_addon"


@pytest.fixture(scope="module")
def build_zip() -> ModuleType:
    path = ADDON / "packaging" / "build_zip.py"
    spec = importlib.util.spec_from_file_location("photorig_build_zip", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A small staged extension that breaks no rule."""
    (tmp_path / "extension.py").write_text('VERSION = "0.1.0"\n')
    (tmp_path / "__init__.py").write_text("import bpy\n")
    return tmp_path


@pytest.fixture
def manifest(build_zip: ModuleType) -> dict[str, object]:
    text = (ADDON / "blender_manifest.toml").read_text()
    generation = build_zip.GENERATIONS["py311"]
    return tomllib.loads(build_zip.specialised_manifest(text, generation, "linux-x64", "a.whl"))


def test_a_manifest_names_its_blender_versions_platform_and_wheel(manifest) -> None:
    assert manifest["blender_version_min"] == "4.2.0"
    assert manifest["blender_version_max"] == "5.1.0"
    assert manifest["platforms"] == ["linux-x64"]
    assert manifest["wheels"] == ["./wheels/a.whl"]


def test_the_generations_meet_without_a_gap(build_zip: ModuleType) -> None:
    older, newer = build_zip.GENERATIONS["py311"], build_zip.GENERATIONS["py313"]
    assert older.blender_max == newer.blender_min
    assert newer.blender_max is None


def test_a_clean_extension_passes(build_zip: ModuleType, stage: Path, manifest) -> None:
    build_zip.check_stage(stage, manifest)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("import torch", "imports torch"),
        ("from threading import Thread", "imports threading"),
        ("import pickle", "imports pickle"),
        ("from photorig.shared import errors", "imports photorig"),
        ("sys.path.insert(0, '.')", "edits sys.path"),
    ],
)
def test_a_module_that_breaks_a_rule_is_named(
    build_zip: ModuleType, stage: Path, manifest, line: str, sentence: str
) -> None:
    (stage / "bad.py").write_text(f"import sys\n{line}\n")
    with pytest.raises(build_zip.PackagingError, match=rf"bad\.py {sentence}"):
        build_zip.check_stage(stage, manifest)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("license", ["SPDX:MIT"], "licence"),
        ("tags", ["Animatoin"], "tag"),
        ("platforms", ["linux"], "platform"),
        ("blender_version_max", "4.1.0", "must be above"),
        ("version", "0.2.0", "disagree"),
    ],
)
def test_a_manifest_that_blender_would_let_pass_is_refused(
    build_zip: ModuleType, stage: Path, manifest, key: str, value: object, sentence: str
) -> None:
    with pytest.raises(build_zip.PackagingError, match=sentence):
        build_zip.check_stage(stage, manifest | {key: value})
