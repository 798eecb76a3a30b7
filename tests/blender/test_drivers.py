"""A rig drives the parameters, hidden or not, with automatic scripts switched off."""

from __future__ import annotations

import math
from types import SimpleNamespace

import bpy
import pytest
from mathutils import Matrix, Vector


@pytest.fixture
def rig(scene: bpy.types.Scene) -> SimpleNamespace:
    """A mesh with shape keys and an armature with a head bone that points up."""
    mesh = bpy.data.meshes.new("Face")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    face = bpy.data.objects.new("Face", mesh)
    scene.collection.objects.link(face)
    for name in ("Basis", "jawOpen", "eyeBlink_L", "browInnerUp_L", "browInnerUp_R", "Key 7"):
        face.shape_key_add(name=name)
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bone = armature.data.edit_bones.new("head")
    bone.head, bone.tail = (0, 0, 0), (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    return SimpleNamespace(face=face, armature=armature, bone=armature.pose.bones["head"])


def _turn(rig: SimpleNamespace, yaw: float, pitch: float, roll: float) -> None:
    """Pose the head by its meaning: what a viewer in front of it (at −Y) sees, in degrees."""
    turned = (
        Matrix.Rotation(math.radians(yaw), 3, "Z")  # nose from −Y towards +X, image right
        @ Matrix.Rotation(math.radians(-pitch), 3, "X")  # nose from −Y towards +Z, up
        @ Matrix.Rotation(math.radians(-roll), 3, "Y")  # top of the head from +Z towards −X
    )
    rest = rig.bone.bone.matrix_local.to_3x3()
    rig.bone.rotation_mode = "QUATERNION"
    rig.bone.rotation_quaternion = (rest.inverted() @ turned @ rest).to_quaternion()


def _parameters(scene: bpy.types.Scene) -> bpy.types.PropertyGroup:
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return scene.camera.evaluated_get(depsgraph).data.photorig


def test_shape_keys_drive_the_parameters_they_are_named_after(
    scene: bpy.types.Scene, rig: SimpleNamespace, modules: SimpleNamespace
) -> None:
    driven = modules.connect.connect_shape_keys(scene.camera.data, rig.face)
    assert set(driven) == {"jawOpen", "eyeBlinkLeft", "browInnerUp"}
    keys = rig.face.data.shape_keys.key_blocks
    keys["jawOpen"].value, keys["eyeBlink_L"].value = 0.4, 1.0
    keys["browInnerUp_L"].value, keys["browInnerUp_R"].value = 1.0, 0.5
    parameters = _parameters(scene)
    assert parameters.jawOpen == pytest.approx(0.4)
    assert parameters.eyeBlinkLeft == pytest.approx(1.0)
    assert parameters.browInnerUp == pytest.approx(0.75)
    assert parameters.eyeBlinkRight == 0.0


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(25, 0, 0), (0, 15, 0), (0, 0, -20), (30, -12, 8), (-40, 20, 30)]
)
def test_the_head_bone_gives_the_angles_a_viewer_in_front_sees(
    scene: bpy.types.Scene,
    rig: SimpleNamespace,
    modules: SimpleNamespace,
    yaw: float,
    pitch: float,
    roll: float,
) -> None:
    modules.connect.connect_head_bone(scene.camera.data, rig.armature, "head")
    _turn(rig, yaw, pitch, roll)
    parameters = _parameters(scene)
    assert parameters.headYaw == pytest.approx(yaw, abs=1e-3)
    assert parameters.headPitch == pytest.approx(pitch, abs=1e-3)
    assert parameters.headRoll == pytest.approx(roll, abs=1e-3)


def test_the_head_bone_gives_the_shift_a_viewer_in_front_sees_in_centimetres(
    scene: bpy.types.Scene, rig: SimpleNamespace, modules: SimpleNamespace
) -> None:
    modules.connect.connect_head_bone(scene.camera.data, rig.armature, "head")
    rest = rig.bone.bone.matrix_local.to_3x3()
    rig.bone.location = rest.inverted() @ Vector((0.02, -0.03, 0.01))
    _turn(rig, 20, 5, 0)
    parameters = _parameters(scene)
    assert parameters.headX == pytest.approx(2, abs=1e-3)  # to image right
    assert parameters.headY == pytest.approx(1, abs=1e-3)  # up
    assert parameters.headZ == pytest.approx(3, abs=1e-3)  # towards the camera
    assert parameters.headYaw == pytest.approx(20, abs=1e-3)


def test_the_turn_of_a_neck_bone_counts(
    scene: bpy.types.Scene, rig: SimpleNamespace, modules: SimpleNamespace
) -> None:
    bpy.context.view_layer.objects.active = rig.armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig.armature.data.edit_bones
    neck = bones.new("neck")
    neck.head, neck.tail = (0, 0, -0.1), (0, 0, 0)
    bones["head"].parent = neck
    bpy.ops.object.mode_set(mode="OBJECT")
    modules.connect.connect_head_bone(scene.camera.data, rig.armature, "head")
    _turn(SimpleNamespace(bone=rig.armature.pose.bones["neck"]), 10, 0, 0)
    _turn(SimpleNamespace(bone=rig.armature.pose.bones["head"]), 15, 8, 0)
    parameters = _parameters(scene)
    assert parameters.headYaw == pytest.approx(25, abs=1e-3)
    assert parameters.headPitch == pytest.approx(8, abs=1e-3)
    curves = scene.camera.data.animation_data.drivers
    assert all(curve.driver.is_simple_expression for curve in curves)


def test_a_head_bone_with_other_own_axes_gives_the_same_angles(
    scene: bpy.types.Scene, rig: SimpleNamespace, modules: SimpleNamespace
) -> None:
    bpy.context.view_layer.objects.active = rig.armature
    bpy.ops.object.mode_set(mode="EDIT")
    bone = rig.armature.data.edit_bones["head"]
    bone.tail, bone.roll = (0, -1, 0.1), math.radians(90)
    bpy.ops.object.mode_set(mode="OBJECT")
    bone = rig.armature.pose.bones["head"]
    modules.connect.connect_head_bone(scene.camera.data, rig.armature, "head")
    _turn(SimpleNamespace(bone=bone), 20, 0, 0)
    assert _parameters(scene).headYaw == pytest.approx(20, abs=0.5)


def test_drivers_are_simple_expressions_that_run_without_trust(
    scene: bpy.types.Scene, rig: SimpleNamespace, modules: SimpleNamespace
) -> None:
    modules.connect.connect_shape_keys(scene.camera.data, rig.face)
    modules.connect.connect_head_bone(scene.camera.data, rig.armature, "head")
    curves = scene.camera.data.animation_data.drivers
    assert len(curves) == 9
    assert all(curve.driver.is_simple_expression for curve in curves)
    assert not any(len(curve.modifiers) or len(curve.keyframe_points) for curve in curves)
    assert not bpy.app.autoexec_fail


def test_a_rig_that_is_hidden_from_the_render_drives_as_well(
    shot: bpy.types.Scene, rig: SimpleNamespace, modules: SimpleNamespace, tmp_path
) -> None:
    modules.connect.connect_shape_keys(shot.camera.data, rig.face)
    key = rig.face.data.shape_keys.key_blocks["eyeBlink_L"]
    for frame, value in ((1, 0.0), (4, 1.0)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    rig.face.hide_render = rig.armature.hide_render = True
    plan = modules.sequence_job.plan_sequence(bpy.context, shot, tmp_path)
    position = modules.schema.FACE_SCHEMA.index["eyeBlinkLeft"]
    blinks = [float(request.parameters[position]) for request in plan.requests]
    assert blinks[0] == 0.0
    assert blinks[-1] == 1.0
    assert 0 < blinks[1] < blinks[2] < 1


def test_a_custom_property_that_a_script_set_unnoticed_counts(
    shot: bpy.types.Scene, rig: SimpleNamespace, modules: SimpleNamespace, tmp_path
) -> None:
    rig.armature["smile"] = 0.0
    driver = shot.camera.data.driver_add("photorig.mouthSmileLeft").driver
    variable = driver.variables.new()
    variable.name, variable.targets[0].id = "smile", rig.armature
    variable.targets[0].data_path = '["smile"]'
    driver.expression = "smile"
    position = modules.schema.FACE_SCHEMA.index["mouthSmileLeft"]
    for value in (0.25, 0.75):
        rig.armature["smile"] = value
        plan = modules.sequence_job.plan_sequence(bpy.context, shot, tmp_path)
        assert plan.requests[0].parameters[position] == pytest.approx(value)


def test_the_operator_connects_the_selected_mesh_and_armature(
    scene: bpy.types.Scene, rig: SimpleNamespace
) -> None:
    for item in (rig.face, rig.armature):
        item.select_set(True)
    bpy.ops.photorig.detect_rig()
    driven = {curve.data_path for curve in scene.camera.data.animation_data.drivers}
    assert {"photorig.headYaw", "photorig.jawOpen"} <= driven


def test_a_mesh_without_known_shape_keys_is_refused_with_a_sentence(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    item = bpy.data.objects.new("Plain", bpy.data.meshes.new("Plain"))
    with pytest.raises(modules.errors.InputError, match="no shape key with an ARKit name"):
        modules.connect.connect_shape_keys(scene.camera.data, item)


def test_a_head_bone_that_lies_askew_is_refused(
    scene: bpy.types.Scene, rig: SimpleNamespace, modules: SimpleNamespace
) -> None:
    bpy.context.view_layer.objects.active = rig.armature
    bpy.ops.object.mode_set(mode="EDIT")
    rig.armature.data.edit_bones["head"].tail = (1, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(modules.errors.InputError, match="askew"):
        modules.connect.connect_head_bone(scene.camera.data, rig.armature, "head")
