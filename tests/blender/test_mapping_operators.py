"""Editing rows, baking them, and taking a pose as the photo's."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from fake_layout import FakeLayout
from mathutils import Matrix
from portrait_files import write_portrait
from rigs import add_armature, add_face, evaluated, select


@pytest.fixture
def bone(scene: bpy.types.Scene) -> bpy.types.PoseBone:
    """The active bone of an armature in pose mode."""
    armature = add_armature(scene, "Rig", ("jaw",))
    select(armature)
    bpy.ops.object.mode_set(mode="POSE")
    armature.data.bones.active = armature.data.bones["jaw"]
    pose_bone = armature.pose.bones["jaw"]
    pose_bone.rotation_mode = "XYZ"
    return pose_bone


@pytest.fixture
def face(scene: bpy.types.Scene) -> SimpleNamespace:
    """A mapped face with a jaw and a smile."""
    item = add_face(scene, "Face", ("jawOpen", "mouthSmileLeft"))
    select(item)
    bpy.ops.photorig.detect_rig()
    return SimpleNamespace(item=item, keys=item.data.shape_keys.key_blocks)


def _portrait(modules: SimpleNamespace, folder: Path, **values: float) -> None:
    schema = modules.schema.FACE_SCHEMA
    path = write_portrait(folder / "p.portrait", schema.hash, parameters=schema.vector(values))
    bpy.ops.photorig.load_portrait(filepath=str(path))


def test_a_posed_bone_becomes_a_row_on_the_channel_that_moved_most(
    scene: bpy.types.Scene, bone: bpy.types.PoseBone
) -> None:
    bone.rotation_euler.x, bone.location.y = math.radians(40), 0.02
    bpy.context.view_layer.update()
    bpy.ops.photorig.map_selected_bone()
    item = scene.camera.data.photorig.mapping[0]
    assert (item.owner.name, item.control, item.channel) == ("Rig", "jaw", "ROT_X")
    assert item.end_angle == pytest.approx(math.radians(40), abs=1e-3)
    assert evaluated(scene).jawOpen == pytest.approx(1.0, abs=1e-3)


def test_both_ends_of_a_range_are_taken_from_the_pose(
    scene: bpy.types.Scene, bone: bpy.types.PoseBone
) -> None:
    bpy.ops.photorig.map_selected_bone()
    item = scene.camera.data.photorig.mapping[0]
    item.channel = "LOC_Z"
    for end, place in (("START", 0.1), ("END", -0.3)):
        bone.location.z = place
        bpy.ops.photorig.set_mapping_range(end=end)
    assert (item.start, item.end) == (pytest.approx(0.1), pytest.approx(-0.3))
    bone.location.z = -0.1
    assert evaluated(scene).jawOpen == pytest.approx(0.5, abs=1e-4)


def test_rows_are_added_moved_and_removed(scene: bpy.types.Scene, face: SimpleNamespace) -> None:
    settings = scene.camera.data.photorig
    face.item.active_shape_key_index = 2
    bpy.ops.photorig.add_mapping_row(parameter="cheekPuff")
    assert settings.mapping[2].control == "mouthSmileLeft"
    assert settings.mapping_index == 2
    bpy.ops.photorig.move_mapping_row(up=True)
    assert [item.parameter for item in settings.mapping] == [
        "jawOpen",
        "cheekPuff",
        "mouthSmileLeft",
    ]
    bpy.ops.photorig.remove_mapping_row()
    assert settings.mapped_parameters == "jawOpen mouthSmileLeft"
    bpy.ops.photorig.remove_mapping_row(everything=True)
    assert not scene.camera.data.animation_data.drivers


@pytest.mark.parametrize("flip", [False, True], ids=["mirrored roll", "other roll"])
@pytest.mark.parametrize("channel", ["LOC_X", "LOC_Y", "LOC_Z", "ROT_X", "ROT_Y", "ROT_Z"])
def test_the_row_of_the_other_side_answers_to_the_mirrored_pose(
    scene: bpy.types.Scene, channel: str, flip: bool
) -> None:
    armature = add_armature(scene, "Rig", ("lid.L", "lid.R"))
    bpy.ops.object.mode_set(mode="EDIT")
    for side, name in ((1, "lid.L"), (-1, "lid.R")):
        bone = armature.data.edit_bones[name]
        bone.head, bone.tail, bone.roll = (side, 0, 0), (side * 1.2, -0.1, 1), side * 0.3
    if flip:
        armature.data.edit_bones["lid.R"].roll += math.pi
    bpy.ops.object.mode_set(mode="OBJECT")
    with_row = scene.camera.data.photorig.mapping.add()
    with_row.owner, with_row.kind, with_row.control = armature, "BONE", "lid.L"
    with_row.channel, with_row.end, with_row.parameter = channel, 0.5, "eyeBlinkLeft"
    bpy.ops.photorig.mirror_mapping_row()
    left, right = armature.pose.bones["lid.L"], armature.pose.bones["lid.R"]
    left.rotation_mode = right.rotation_mode = "XYZ"
    index, value = "XYZ".index(channel[-1]), 0.2
    if channel.startswith("LOC"):
        left.location[index] = value
    else:
        left.rotation_euler[index] = value
    bpy.context.view_layer.update()
    mirror = Matrix.Scale(-1, 4, (1, 0, 0))
    turned = Matrix.Rotation(math.pi if flip else 0, 4, "Y")
    right.matrix = mirror @ left.matrix @ mirror @ turned
    parameters = evaluated(scene)
    assert parameters.eyeBlinkLeft == pytest.approx(0.4, abs=1e-4)
    assert parameters.eyeBlinkRight == pytest.approx(0.4, abs=1e-3)


def test_a_row_without_another_side_is_not_mirrored(
    scene: bpy.types.Scene, face: SimpleNamespace
) -> None:
    with pytest.raises(RuntimeError, match="has no other side"):
        bpy.ops.photorig.mirror_mapping_row()


def _animate(scene: bpy.types.Scene, face: SimpleNamespace) -> np.ndarray:
    frames = np.arange(1, 41)
    for frame, value in ((1, 0.0), (15, 0.8), (25, 0.8), (40, 0.1)):
        face.keys["jawOpen"].value = value
        face.keys["jawOpen"].keyframe_insert("value", frame=frame)
    return frames


def _curve(scene: bpy.types.Scene, frames: np.ndarray) -> np.ndarray:
    values = []
    for frame in frames:
        scene.frame_set(int(frame))
        values.append(evaluated(scene).jawOpen)
    return np.array(values)


def test_baking_writes_what_the_rig_drove(scene: bpy.types.Scene, face: SimpleNamespace) -> None:
    frames = _animate(scene, face)
    scene.frame_set(7)
    before = _curve(scene, frames)
    scene.frame_set(7)
    bpy.ops.photorig.bake_mapping(frame_start=1, frame_end=40)
    assert scene.frame_current == 7
    assert not scene.camera.data.animation_data.drivers
    face.keys["jawOpen"].driver_remove("value")
    face.item.data.shape_keys.animation_data_clear()
    np.testing.assert_allclose(_curve(scene, frames), before, atol=1e-6)
    scene.camera.data.photorig.use_mapping = True
    face.keys["jawOpen"].value = 0.35
    assert evaluated(scene).jawOpen == pytest.approx(0.35)


def test_reduced_keys_stay_within_the_tolerance_and_are_fewer(
    scene: bpy.types.Scene, face: SimpleNamespace, modules: SimpleNamespace
) -> None:
    frames = _animate(scene, face)
    before = _curve(scene, frames)
    bpy.ops.photorig.bake_mapping(frame_start=1, frame_end=40, reduce=True, tolerance=0.02)
    curve = modules.compat.curve_of(scene.camera.data, "photorig.jawOpen")
    assert 4 <= len(curve.keyframe_points) < 20
    assert np.abs(_curve(scene, frames) - before).max() <= 0.02 + 1e-5


def test_baking_a_part_keeps_the_keys_outside_it(
    scene: bpy.types.Scene, face: SimpleNamespace, modules: SimpleNamespace
) -> None:
    _animate(scene, face)
    settings = scene.camera.data.photorig
    settings.use_mapping = False
    for frame in (5, 100):
        settings.jawOpen = 0.25
        settings.keyframe_insert("jawOpen", frame=frame)
    settings.use_mapping = True
    bpy.ops.photorig.bake_mapping(frame_start=1, frame_end=10)
    curve = modules.compat.curve_of(scene.camera.data, "photorig.jawOpen")
    assert [point.co[0] for point in curve.keyframe_points] == [*range(1, 11), 100]


def test_a_captured_pose_stands_for_the_photo_and_may_go_below_it(
    scene: bpy.types.Scene, face: SimpleNamespace, modules: SimpleNamespace, tmp_path: Path
) -> None:
    _portrait(modules, tmp_path, mouthSmileLeft=0.5, eyeBlinkLeft=0.25, headYaw=8)
    face.keys["mouthSmileLeft"].value = 0.2
    bpy.ops.photorig.capture_neutral()
    parameters = evaluated(scene)
    assert scene.camera.data.photorig.mode == "ABSOLUTE"
    assert parameters.mouthSmileLeft == pytest.approx(0.5)
    assert parameters.eyeBlinkLeft == 0.25
    assert parameters.headYaw == 8
    face.keys["mouthSmileLeft"].value = 0.0
    assert evaluated(scene).mouthSmileLeft == pytest.approx(0.3)
    bpy.ops.photorig.capture_neutral(clear=True)
    assert evaluated(scene).mouthSmileLeft == pytest.approx(0.0)


def test_rows_that_are_not_heard_do_not_count_for_the_captured_pose(
    scene: bpy.types.Scene, face: SimpleNamespace, modules: SimpleNamespace, tmp_path: Path
) -> None:
    _portrait(modules, tmp_path, mouthSmileLeft=0.5, jawOpen=0.3)
    settings = scene.camera.data.photorig
    jaw = next(item for item in settings.mapping if item.parameter == "jawOpen")
    jaw.solo = True
    face.keys["mouthSmileLeft"].value = 0.2
    bpy.ops.photorig.capture_neutral()
    assert evaluated(scene).mouthSmileLeft == pytest.approx(0.5)
    assert modules.properties.neutral_of(settings) == {"jawOpen": pytest.approx(0.3)}


def test_capturing_without_a_portrait_says_what_is_missing(
    scene: bpy.types.Scene, face: SimpleNamespace
) -> None:
    with pytest.raises(RuntimeError, match="not known what the photo shows"):
        bpy.ops.photorig.capture_neutral()


@pytest.mark.parametrize(("mode", "yaw"), [("RELATIVE", 0.0), ("ABSOLUTE", 8.0)])
def test_reset_to_photo_leaves_what_is_driven_or_keyed(
    scene: bpy.types.Scene,
    face: SimpleNamespace,
    modules: SimpleNamespace,
    tmp_path: Path,
    mode: str,
    yaw: float,
) -> None:
    _portrait(modules, tmp_path, headYaw=8)
    settings = scene.camera.data.photorig
    settings.mode, settings.headYaw, settings.headPitch = mode, 30, 12
    settings.keyframe_insert("headPitch", frame=1)
    face.keys["jawOpen"].value = 0.4
    bpy.ops.photorig.reset_to_photo()
    parameters = evaluated(scene)
    assert (parameters.headYaw, parameters.headPitch) == (yaw, 12)
    assert parameters.jawOpen == pytest.approx(0.4)


def test_the_panel_shows_the_rows_the_chosen_one_and_its_problem(
    scene: bpy.types.Scene, face: SimpleNamespace, modules: SimpleNamespace
) -> None:
    layout = FakeLayout()
    modules.mapping_panel.draw_mapping(layout, scene.camera.data)
    assert layout.has("template_list", "PHOTORIG_UL_mapping")
    assert layout.has("operator", "photorig.detect_rig")
    assert layout.has("prop_search", "control")
    item = scene.camera.data.photorig.mapping[0]
    face.keys["jawOpen"].value = 0.75
    assert modules.mapping_panel.live_value(item) == "0.75"
    item.control = "gone"
    assert modules.mapping_panel.live_value(item) == ""
    layout = FakeLayout()
    modules.mapping_panel.PHOTORIG_UL_mapping.draw_item(
        None, bpy.context, layout, None, item, 0, None, ""
    )
    assert layout.drawn[0].alert
    item.kind, item.channel = "BONE", "ROT_X"
    layout = FakeLayout()
    modules.mapping_panel.draw_row(layout, item)
    assert layout.has("prop", "start_angle")
