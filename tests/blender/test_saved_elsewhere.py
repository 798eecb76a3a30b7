"""A .blend file that is saved elsewhere still finds its portraits, as it finds its own images."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from portrait_files import write_portrait


@pytest.fixture
def face(scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path) -> Path:
    """A portrait in a folder of its own, shown by the scene's camera."""
    (tmp_path / "faces").mkdir()
    for folder in ("one", "two/deep"):
        (tmp_path / folder).mkdir(parents=True)
    path = write_portrait(tmp_path / "faces" / "anna.portrait", modules.schema.FACE_SCHEMA.hash)
    bpy.ops.photorig.load_portrait(filepath=str(path))
    return path


def path_in_camera() -> str:
    return bpy.context.scene.camera.data.photorig.portrait_path


def is_found(modules: SimpleNamespace) -> bool:
    camera = bpy.context.scene.camera.data
    return bool(modules.frame_request.portrait_of(camera).name)


def test_the_first_save_makes_the_path_relative(
    face: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    assert path_in_camera() == str(face)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one" / "shot.blend"))
    assert path_in_camera() == "//../faces/anna.portrait"
    assert is_found(modules)


def test_a_person_who_wants_absolute_paths_keeps_them(face: Path, tmp_path: Path) -> None:
    bpy.context.preferences.filepaths.use_relative_paths = False
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one" / "shot.blend"))
        assert path_in_camera() == str(face)
    finally:
        bpy.context.preferences.filepaths.use_relative_paths = True


def test_a_file_saved_into_another_folder_finds_the_portrait_from_there(
    face: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one" / "shot.blend"))
    portrait_id = bpy.context.scene.camera.data.photorig.portrait_id
    other = str(tmp_path / "two" / "deep" / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=other)
    assert path_in_camera() == "//../../faces/anna.portrait"
    bpy.ops.wm.open_mainfile(filepath=other)
    assert path_in_camera() == "//../../faces/anna.portrait"
    assert bpy.context.scene.camera.data.photorig.portrait_id == portrait_id
    assert is_found(modules)


def test_a_copy_finds_it_and_the_session_goes_on_as_before(
    face: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one" / "shot.blend"))
    copy = str(tmp_path / "two" / "deep" / "copy.blend")
    bpy.ops.wm.save_as_mainfile(filepath=copy, copy=True)
    assert path_in_camera() == "//../faces/anna.portrait"
    assert is_found(modules)
    bpy.ops.wm.open_mainfile(filepath=copy)
    assert path_in_camera() == "//../../faces/anna.portrait"
    assert is_found(modules)


def test_a_save_that_fails_changes_nothing(
    face: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one" / "shot.blend"))
    with pytest.raises(RuntimeError):
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "nowhere" / "shot.blend"))
    assert path_in_camera() == "//../faces/anna.portrait"
    assert is_found(modules)


def test_file_and_portrait_can_be_moved_together(
    face: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one" / "shot.blend"))
    moved = tmp_path / "elsewhere"
    for folder in ("one", "faces"):
        shutil.copytree(tmp_path / folder, moved / folder)
    shutil.rmtree(tmp_path / "faces")
    bpy.ops.wm.open_mainfile(filepath=str(moved / "one" / "shot.blend"))
    assert is_found(modules)
