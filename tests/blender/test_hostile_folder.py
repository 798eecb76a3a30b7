"""Blender was started in a folder with modules of somebody else: nothing of ours runs them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 180


@pytest.fixture
def preferences(scene: bpy.types.Scene, addon: ModuleType) -> Iterator[Any]:
    chosen = bpy.context.preferences.addons[addon.__name__].preferences
    yield chosen
    for name in ("executable", "connection_file", "auto_start"):
        chosen.property_unset(name)


@pytest.fixture
def use_program(preferences: Any, tmp_path: Path) -> Callable[[str], None]:
    """Make a shell script the worker program."""

    def use(script: str) -> None:
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        preferences.executable = str(program)

    return use


def test_a_program_stands_in_our_folder_and_its_python_knows_installed_modules_only(
    use_program: Callable[[str], None], modules: SimpleNamespace, hostile_folder: Path
) -> None:
    use_program(f'pwd; cd "{hostile_folder}"; exec "{sys.executable}" -m base64 -e /dev/null')
    bpy.ops.photorig.check_worker()
    check = modules.check.check
    assert check.is_good, check.report
    folder = bpy.utils.extension_path_user(modules.package, path="worker")
    assert Path(check.report.splitlines()[0]).samefile(folder)
    assert not (hostile_folder / "ran").exists()


def test_a_worker_program_in_the_current_folder_is_not_found(
    preferences: Any,
    modules: SimpleNamespace,
    hostile_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (hostile_folder / "photorig").write_text("#!/bin/sh\ntouch ran\n")
    (hostile_folder / "photorig").chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", str(tmp_path)]))
    monkeypatch.delenv("PHOTORIG_WORKER", raising=False)
    for named in ("", "photorig", "./photorig", "//photorig"):
        preferences.executable = named
        with pytest.raises(modules.errors.InputError):
            modules.check.worker_program()


def test_a_program_chosen_beside_one_scene_is_not_looked_for_beside_the_next(
    preferences: Any, modules: SimpleNamespace, tmp_path: Path
) -> None:
    for name in ("mine", "somebody's"):
        (tmp_path / name).mkdir()
        program = tmp_path / name / "photorig"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / name / "shot.blend"))
        if name == "mine":
            preferences.executable = preferences.connection_file = "//photorig"
    mine = tmp_path / "mine" / "photorig"
    assert modules.check.worker_program().path == mine
    assert preferences.connection_file == str(mine)


@pytest.mark.slow
def test_a_photo_is_fitted_by_the_real_worker_without_those_modules(
    preferences: Any,
    scene: bpy.types.Scene,
    modules: SimpleNamespace,
    hostile_folder: Path,
    tmp_path: Path,
) -> None:
    program = Path(os.environ.get("PHOTORIG_WORKER") or ROOT / ".build/venv-worker/bin/photorig")
    if not program.exists():
        pytest.skip("needs the worker: run 'python build.py setup'")
    preferences.executable = str(program)
    photo = tmp_path / "anna.jpg"
    photo.write_bytes(b"no picture")
    fit = modules.portrait_fit.start([photo], scene.camera.data)
    deadline = time.monotonic() + SECONDS
    try:
        while not fit.is_done and time.monotonic() < deadline:
            fit.tick()
            time.sleep(0.01)
        assert fit.is_done
        assert "anna" in fit.error, "the fit's program ran, and could not read the photo"
    finally:
        modules.portrait_fit.slot.cancel()
        modules.portrait_fit.slot.forget()
    assert not (hostile_folder / "ran").exists()
