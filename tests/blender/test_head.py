"""The rigged head: what it brings, and that what is seen in its camera is what it says."""

from __future__ import annotations

import importlib
import math
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view

NOSE_TIP, NOSE_BRIDGE = 1, 168
RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263
UPPER_LIDS = {"Right": 159, "Left": 386}
LOWER_LIDS = {"Right": 145, "Left": 374}
UPPER_LIP, LOWER_LIP, MOUTH_CORNER_LEFT = 13, 14, 291


@pytest.fixture
def head(addon: ModuleType, scene: bpy.types.Scene) -> Any:
    """The head in a scene without another camera."""
    bpy.data.objects.remove(scene.camera)
    module = importlib.import_module(f"{addon.__name__}.head.build")
    return module.build_head(bpy.context)


def _in_picture(head: Any) -> np.ndarray:
    """(n, 2) where the evaluated mesh's vertices are seen: x to the right, y up, from 0 to 1."""
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    evaluated = head.mesh.evaluated_get(depsgraph)
    scene = bpy.context.scene
    points = [
        world_to_camera_view(scene, head.camera, evaluated.matrix_world @ vertex.co)
        for vertex in evaluated.data.vertices
    ]
    return np.array([(point.x, point.y) for point in points])


def _parameters(head: Any) -> bpy.types.PropertyGroup:
    bpy.context.view_layer.update()
    return head.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.photorig


def _turn(head: Any, axis: int, degrees: float) -> None:
    head.armature.pose.bones["head"].rotation_euler[axis] = math.radians(degrees)


def _show(head: Any, *names: str) -> None:
    for name in names:
        head.mesh.data.shape_keys.key_blocks[name].value = 1.0


def test_at_rest_the_face_fills_the_picture_upright_and_frontal(head: Any) -> None:
    points = _in_picture(head)[:468]
    assert points.min() > 0.02 and points.max() < 0.98
    assert np.ptp(points[:, 1]) > 0.4
    assert abs(points[NOSE_TIP, 0] - 0.5) < 0.01
    assert points[RIGHT_EYE_CORNER, 0] < points[LEFT_EYE_CORNER, 0]


def test_at_rest_all_parameters_are_zero(head: Any, modules: Any) -> None:
    settings = _parameters(head)
    assert all(abs(getattr(settings, name)) < 1e-4 for name in modules.schema.FACE_SCHEMA.ids)


@pytest.mark.parametrize("degrees", [20, -20])
def test_yaw_is_positive_when_the_nose_goes_to_the_right_of_the_picture(
    head: Any, degrees: float
) -> None:
    rest = _in_picture(head)
    _turn(head, 1, degrees)
    moved = _in_picture(head)[NOSE_TIP, 0] - rest[NOSE_TIP, 0]
    assert abs(moved) > 0.05
    assert _parameters(head).headYaw == pytest.approx(math.copysign(20, moved), abs=0.01)


@pytest.mark.parametrize("degrees", [15, -15])
def test_pitch_is_positive_when_the_nose_goes_up(head: Any, degrees: float) -> None:
    rest = _in_picture(head)
    _turn(head, 0, degrees)
    moved = _in_picture(head)[NOSE_TIP, 1] - rest[NOSE_TIP, 1]
    assert abs(moved) > 0.03
    assert _parameters(head).headPitch == pytest.approx(math.copysign(15, moved), abs=0.01)


@pytest.mark.parametrize("degrees", [12, -12])
def test_roll_is_positive_when_the_face_turns_counter_clockwise(head: Any, degrees: float) -> None:
    _turn(head, 2, degrees)
    points = _in_picture(head)
    between = points[LEFT_EYE_CORNER] - points[RIGHT_EYE_CORNER]
    seen = math.degrees(math.atan2(between[1], between[0]))
    assert abs(seen) > 6
    assert _parameters(head).headRoll == pytest.approx(math.copysign(12, seen), abs=0.01)


def test_every_shape_key_drives_the_parameter_of_its_name(head: Any) -> None:
    blocks = list(head.mesh.data.shape_keys.key_blocks)[1:]
    assert len(blocks) == 52
    for number, block in enumerate(blocks):
        block.value = (number + 1) / 64
    settings = _parameters(head)
    for number, block in enumerate(blocks):
        assert getattr(settings, block.name) == pytest.approx((number + 1) / 64, abs=1e-5)


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_the_lids_meet_in_a_blink(head: Any, addon: ModuleType, side: str) -> None:
    upper, lower = UPPER_LIDS[side], LOWER_LIDS[side]
    data = importlib.import_module(f"{addon.__name__}.head.build").head_arrays()
    rim_of = {edge: rim for rim, edge, _ in data["lid_rims"].tolist()}
    rest = _in_picture(head)
    _show(head, f"eyeBlink{side}")
    shut = _in_picture(head)
    opening = rest[upper, 1] - rest[lower, 1]
    assert opening > 0.02
    assert shut[upper, 1] - shut[lower, 1] == pytest.approx(0.13 * opening, rel=0.1)
    assert shut[rim_of[upper], 1] - shut[rim_of[lower], 1] < 0.01 * opening


def test_an_open_jaw_opens_the_mouth(head: Any) -> None:
    rest = _in_picture(head)
    _show(head, "jawOpen")
    opened = _in_picture(head)
    gap = [points[UPPER_LIP, 1] - points[LOWER_LIP, 1] for points in (rest, opened)]
    assert gap[1] > gap[0] + 0.04


def test_a_smile_pulls_the_corner_of_the_mouth_up_and_out(head: Any) -> None:
    rest = _in_picture(head)
    _show(head, "mouthSmileLeft")
    moved = _in_picture(head)[MOUTH_CORNER_LEFT] - rest[MOUTH_CORNER_LEFT]
    assert moved[0] > 0.003 and moved[1] > 0.003


def test_left_and_right_shape_keys_are_mirror_images(head: Any) -> None:
    rest = _in_picture(head)
    _show(head, "mouthSmileLeft")
    left = _in_picture(head) - rest
    head.mesh.data.shape_keys.key_blocks["mouthSmileLeft"].value = 0.0
    _show(head, "mouthSmileRight")
    right = _in_picture(head) - rest
    corner_right = 61
    assert left[MOUTH_CORNER_LEFT] * (-1, 1) == pytest.approx(right[corner_right], abs=2e-4)


def test_looking_aside_turns_both_eyes_the_same_way(head: Any) -> None:
    _show(head, "eyeLookOutLeft", "eyeLookInRight")
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    eyes = [item for item in bpy.data.objects if " Eye " in item.name]
    assert len(eyes) == 2
    for eye in eyes:
        gaze = eye.evaluated_get(depsgraph).matrix_world.to_3x3().col[1] * -1
        assert gaze.x > 0.3 and gaze.y < -0.7


def test_the_eyes_follow_the_head(head: Any) -> None:
    eye = next(item for item in bpy.data.objects if item.name.endswith("Eye Left"))
    bpy.context.view_layer.update()
    before = eye.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world.copy()
    _turn(head, 1, 30)
    bpy.context.view_layer.update()
    after = eye.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world
    assert (after.translation - before.translation).length > 0.02
    assert -after.col[1].x > 0.4


def test_the_first_vertices_are_those_of_the_face_mesh(head: Any, addon: ModuleType) -> None:
    data = importlib.import_module(f"{addon.__name__}.head.build").head_arrays()
    assert len(head.mesh.data.vertices) >= 468
    points = np.array([vertex.co for vertex in head.mesh.data.vertices])
    assert points[:468] == pytest.approx(data["vertices"][:468], abs=1e-6)
    assert points[RIGHT_EYE_CORNER, 0] == pytest.approx(-points[LEFT_EYE_CORNER, 0], abs=1e-4)


def test_its_camera_becomes_the_scenes_unless_that_shows_a_portrait(
    addon: ModuleType, scene: bpy.types.Scene
) -> None:
    module = importlib.import_module(f"{addon.__name__}.head.build")
    first = module.build_head(bpy.context)
    assert scene.camera == first.camera
    first.camera.data.photorig.portrait_id = "0" * 64
    module.build_head(bpy.context)
    assert scene.camera == first.camera


def test_the_operator_adds_the_head(scene: bpy.types.Scene) -> None:
    assert bpy.ops.photorig.add_head(name="Ada") == {"FINISHED"}
    assert {"Ada", "Ada Rig", "Ada Camera", "Ada Eye Left", "Ada Eye Right"} <= set(
        bpy.data.objects.keys()
    )
