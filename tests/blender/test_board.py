"""The control board: bones that drive the face, as animators pose, key, flip and paste them."""

from __future__ import annotations

import math
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import pytest


@pytest.fixture
def rooms(addon: ModuleType, modules: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(
        head=modules.build, board=modules.board, board_layout=modules.board_layout, modules=modules
    )


@pytest.fixture
def head(rooms: SimpleNamespace, scene: bpy.types.Scene) -> Any:
    """A head with a board, in pose mode."""
    bpy.data.objects.remove(scene.camera)
    head = rooms.head.build_head(bpy.context, use_board=True)
    bpy.ops.object.mode_set(mode="POSE")
    return head


def face(head: Any) -> dict[str, float]:
    """The parameters that the camera asks for now, those that are not 0."""
    bpy.context.view_layer.update()
    data = head.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    return {
        block.name: pytest.approx(getattr(data.photorig, block.name), abs=1e-5)
        for block in list(head.mesh.data.shape_keys.key_blocks)[1:]
        if abs(getattr(data.photorig, block.name)) > 1e-6
    }


def slide(head: Any, bone: str, x: float = 0.0, y: float = 0.0) -> None:
    """Move a control by so many times what a full expression takes."""
    travel = 0.02
    head.armature.pose.bones[f"photorig_{bone}"].location = (x * travel, y * travel, 0)


def select(head: Any, *bones: str) -> None:
    for bone in head.armature.pose.bones:
        target = bone if hasattr(bone, "select") else bone.bone
        target.select = bone.name in bones


def in_viewport() -> Any:
    """As if the mouse were over a viewport; keying sets are not for scripts."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)


def test_at_rest_the_board_asks_for_nothing_so_that_the_photo_stays_what_it_is(head: Any) -> None:
    head.armature.location = (1.234, -5.678, 9.1)
    bpy.context.view_layer.update()
    data = head.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    names = [block.name for block in list(head.mesh.data.shape_keys.key_blocks)[1:]]
    assert [getattr(data.photorig, name) for name in names] == [0.0] * 52


def test_each_direction_of_each_control_gives_its_parameters_and_nothing_else(
    head: Any, rooms: SimpleNamespace
) -> None:
    travel = rooms.board_layout.TRAVEL
    reached = set()
    for control in rooms.board_layout.CONTROLS:
        bone = head.armature.pose.bones[control.bone]
        for axis, sign, _ in control.directions:
            names = {n for a, s, n in control.directions if (a, s) == (axis, sign)}
            bone.location[axis] = 0.75 * sign * travel
            assert face(head) == dict.fromkeys(names, 0.75), control.bone
            reached |= names
            bone.location = (0, 0, 0)
    blocks = {block.name for block in head.mesh.data.shape_keys.key_blocks} - {"Basis"}
    assert reached == blocks, "every shape key has a control"


def test_a_control_stops_where_its_parameter_ends(head: Any, rooms: SimpleNamespace) -> None:
    slide(head, "jaw", x=5, y=-5)
    assert face(head) == {"jawOpen": 1.0, "jawLeft": 1.0}
    slide(head, "jaw", x=0, y=3)
    assert face(head) == {}
    jaw = head.armature.pose.bones["photorig_jaw"].constraints[0]
    assert jaw.max_y == 0 and jaw.min_y == pytest.approx(-rooms.board_layout.TRAVEL)


def test_the_gaze_moves_both_eyes_and_an_eye_adds_to_it(head: Any) -> None:
    slide(head, "gaze", x=0.5)
    assert face(head) == {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5}
    slide(head, "eye.L", x=-0.2)
    assert face(head) == {"eyeLookOutLeft": 0.3, "eyeLookInRight": 0.5}


def test_a_pose_is_pasted_onto_the_other_side(head: Any) -> None:
    slide(head, "corner.L", x=0.3, y=0.8)
    slide(head, "lid.L", y=-0.6)
    select(head, "photorig_corner.L", "photorig_lid.L")
    bpy.ops.pose.copy()
    bpy.ops.pose.loc_clear()
    bpy.ops.pose.paste(flipped=True)
    assert face(head) == {"mouthSmileRight": 0.8, "mouthStretchRight": 0.3, "eyeBlinkRight": 0.6}


def test_pasted_flipped_what_goes_left_goes_right(head: Any) -> None:
    slide(head, "gaze", x=0.5, y=0.25)
    slide(head, "mouth", x=-0.4)
    select(head, "photorig_gaze", "photorig_mouth")
    bpy.ops.pose.copy()
    bpy.ops.pose.paste(flipped=True)
    looks = {"eyeLookInLeft": 0.5, "eyeLookOutRight": 0.5}
    up = {"eyeLookUpLeft": 0.25, "eyeLookUpRight": 0.25}
    assert face(head) == {**looks, **up, "mouthLeft": 0.4}


@pytest.mark.parametrize("keying_set", ["Location", "WholeCharacter"])
def test_keying_sets_key_what_can_move_and_the_face_follows_in_time(
    head: Any, modules: SimpleNamespace, keying_set: str
) -> None:
    select(head, "photorig_corner.L")
    scene = bpy.context.scene
    for frame, amount in ((1, 0.0), (11, 1.0)):
        scene.frame_set(frame)
        slide(head, "corner.L", y=amount)
        with in_viewport():
            bpy.ops.anim.keyframe_insert_by_name(type=keying_set)
    scene.frame_set(6)
    assert face(head) == {"mouthSmileLeft": 0.5}
    path = 'pose.bones["photorig_corner.L"].scale'
    assert modules.compat.curve_of(head.armature, path) is None


def test_the_board_moves_with_the_armature_and_not_with_the_head(head: Any) -> None:
    bone = head.armature.pose.bones["photorig_jaw"]
    before = bone.head.copy()
    head.armature.pose.bones["head"].rotation_euler[1] = math.radians(30)
    bpy.context.view_layer.update()
    assert (bone.head - before).length == 0


def test_it_lies_beside_the_picture_of_the_heads_camera(head: Any, rooms: SimpleNamespace) -> None:
    from bpy_extras.object_utils import world_to_camera_view

    scene = bpy.context.scene
    scene.render.resolution_x = scene.render.resolution_y = 1024
    bpy.context.view_layer.update()
    for control in rooms.board_layout.CONTROLS:
        place = head.armature.pose.bones[control.bone].head
        assert world_to_camera_view(scene, head.camera, place).x > 1.0, control.bone


def test_neither_shapes_nor_lines_get_in_the_way(head: Any) -> None:
    assert head.armature.data.bones["photorig_frame"].hide_select
    shapes = {bone.custom_shape for bone in head.armature.pose.bones if bone.custom_shape}
    assert len(shapes) == 4
    assert not shapes & set(bpy.context.scene.objects), "they lie in no scene"
    assert not any(bone.use_deform for bone in head.armature.data.bones if "photorig_" in bone.name)


def test_its_names_are_no_rigs_controls(head: Any, modules: SimpleNamespace) -> None:
    found = modules.connect.detect_rig([head.armature, head.mesh])
    assert [each.preset.id for each in found.chosen()] == ["arkit"]
    before = list(head.camera.data.photorig.mapped_parameters.split())
    modules.connect.apply_preset(head.camera.data, found)
    assert head.camera.data.photorig.mapped_parameters.split() == before


def test_a_board_takes_the_expression_over_that_the_face_has(
    rooms: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    head = rooms.head.build_head(bpy.context)
    keys = head.mesh.data.shape_keys.key_blocks
    # A smile and a frown at once are two directions of one control.
    shown = {"mouthSmileLeft": 0.7, "mouthFrownLeft": 0.2, "jawOpen": 0.3, "eyeLookOutLeft": 0.4}
    for name, value in shown.items():
        keys[name].value = value
    rooms.board.add_board(bpy.context, head.armature)
    assert face(head) == shown
    corner = head.armature.pose.bones["photorig_corner.L"].location.y / rooms.board_layout.TRAVEL
    assert corner == pytest.approx(0.5)
    rooms.board.remove_board(bpy.context, head.armature)
    assert face(head) == shown
    assert not head.mesh.data.shape_keys.animation_data.drivers
    assert {bone.name for bone in head.armature.data.bones} == {"neck", "head"}
    keys["jawOpen"].value = 0.9
    assert face(head)["jawOpen"] == 0.9


def test_a_face_with_keyframes_gets_no_board_that_would_hide_them(
    rooms: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    head = rooms.head.build_head(bpy.context)
    head.mesh.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=1)
    with pytest.raises(rooms.modules.errors.InputError, match="keyframes"):
        rooms.board.add_board(bpy.context, head.armature)
    assert "photorig_board" not in head.armature.data.bones


def test_a_saved_board_drives_on(head: Any, tmp_path: Any) -> None:
    slide(head, "jaw", y=-0.5)
    path = str(tmp_path / "board.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    opened = SimpleNamespace(
        camera=bpy.data.objects["Photorig Head Camera"], mesh=bpy.data.objects["Photorig Head"]
    )
    assert face(opened) == {"jawOpen": 0.5}
    bone = bpy.data.objects["Photorig Head Rig"].pose.bones["photorig_jaw"]
    assert bone.custom_shape is not None


def test_the_operators_add_a_board_and_take_it_away(scene: bpy.types.Scene) -> None:
    assert bpy.ops.photorig.add_head(name="Ada") == {"FINISHED"}
    assert "photorig_board" in bpy.data.objects["Ada Rig"].data.bones
    bpy.ops.photorig.remove_board()
    bpy.ops.photorig.add_board()
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.photorig.remove_board()
    assert bpy.context.mode == "POSE", "the mode is the animator's"
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.photorig.add_head(name="Bob", use_board=False)
    assert {bone.name for bone in bpy.data.objects["Bob Rig"].data.bones} == {"neck", "head"}
