"""Expressions and mouth shapes as pose assets: what the library holds, what it does to a face."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest


@pytest.fixture(scope="module")
def rooms(addon: ModuleType) -> SimpleNamespace:
    names = {"head": "build"} | {
        name: name for name in ("board_layout", "face_poses", "pose_library", "pose_pictures")
    }
    return SimpleNamespace(
        **{
            name: importlib.import_module(f"{addon.__name__}.head.{at}")
            for name, at in names.items()
        }
    )


@pytest.fixture(scope="module")
def library(rooms: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written while the file has an action of one of their names."""
    folder = tmp_path_factory.mktemp("poses")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.data.actions.new("Smile")
    rooms.pose_library.write_library(folder)
    assert [action.name for action in bpy.data.actions] == ["Smile"], "the file is as it was"
    return folder / "face-poses.blend"


def load(library: Path, *names: str) -> list[bpy.types.Action]:
    with bpy.data.libraries.load(str(library), assets_only=True) as (available, wanted):
        wanted.actions = list(names or available.actions)
    return list(wanted.actions)


def face(head: Any) -> dict[str, float]:
    """The coefficients that the camera asks for now, those that are not 0."""
    bpy.context.view_layer.update()
    data = head.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.photorig
    names = [block.name for block in list(head.mesh.data.shape_keys.key_blocks)[1:]]
    return {
        name: pytest.approx(getattr(data, name), abs=1e-5) for name in names if getattr(data, name)
    }


def test_every_pose_is_an_asset_in_its_catalog_with_a_picture(
    library: Path, rooms: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    actions = load(library)
    assert {each.name for each in actions} == {each.name for each in rooms.face_poses.face_poses()}
    catalogs = (library.parent / "blender_assets.cats.txt").read_text()
    assert catalogs.startswith("VERSION 1\n")
    for action in actions:
        assert f"{action.asset_data.catalog_id}:Photorig Faces/" in catalogs
        pixels = np.empty(128 * 128 * 4, np.float32)
        action.preview.image_pixels_float.foreach_get(pixels)
        assert tuple(action.preview.image_size) == (128, 128)
        assert pixels.std() > 0.1, "a face, not an empty square"


def test_each_pose_gives_the_expression_that_it_says(
    library: Path, rooms: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    head = rooms.head.build_head(bpy.context, use_board=True)
    actions = {action.name: action for action in load(library)}
    for pose in rooms.face_poses.face_poses():
        for bone in head.armature.pose.bones:
            bone.location = (0, 0, 0)
        head.armature.pose.apply_pose_from_action(actions[pose.name], evaluation_time=1)
        assert face(head) == {name: value for name, value in pose.values.items() if value}, (
            pose.name
        )


def test_a_viseme_keeps_smile_brows_and_gaze_and_ends_the_one_before(
    library: Path, rooms: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    head = rooms.head.build_head(bpy.context, use_board=True)
    smile, wide, closed = load(library, "Smile", "Viseme aa", "Viseme PP")
    gaze = head.armature.pose.bones["photorig_gaze"]
    gaze.location.x = 0.5 * rooms.board_layout.TRAVEL
    for action in (smile, wide, closed):
        head.armature.pose.apply_pose_from_action(action, evaluation_time=1)
    shown = face(head)
    assert shown["mouthSmileLeft"] == 0.7 and shown["eyeLookOutLeft"] == 0.5
    assert shown["mouthPressLeft"] == 0.6 and "jawOpen" not in shown


def test_the_button_lists_the_library_once(scene: bpy.types.Scene, rooms: SimpleNamespace) -> None:
    libraries = bpy.context.preferences.filepaths.asset_libraries
    for _ in range(2):
        bpy.ops.photorig.add_pose_library()
    listed = [each for each in libraries if each.name == "Photorig Faces"]
    try:
        assert len(listed) == 1
        assert (Path(listed[0].path) / "face-poses.blend").is_file()
    finally:
        libraries.remove(listed[0])
