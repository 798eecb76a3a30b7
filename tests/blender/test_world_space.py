"""Head angles and places are those of the world at rest, whatever a rig's own axes and units."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from fake_layout import FakeLayout
from mathutils import Matrix, Vector
from rigs import add_face, add_rigify_face, select
from standing import (
    Rig,
    angles,
    body,
    build,
    move_bone,
    places,
    reset,
    seen_turn,
    turn_bone,
)

DATA = Path(__file__).resolve().parents[1] / "data"
SEEN = [(20, 0, 0), (0, 20, 0), (0, 0, 20), (30, -12, 8), (-25, 15, -20)]

_RIGIFY = {"hips": "torso", "chest": "chest", "head": "head"}
_RIGIFY |= {"arm_left": "upper_arm_fk.L", "arm_right": "upper_arm_fk.R"}
_VROID = {"hips": "J_Bip_C_Hips", "chest": "J_Bip_C_Chest", "neck": "J_Bip_C_Neck"}
_VROID |= {"head": "J_Bip_C_Head", "arm_left": "J_Bip_L_UpperArm", "arm_right": "J_Bip_R_UpperArm"}
_VROID |= {"eye_left": "J_Adj_L_FaceEye", "eye_right": "J_Adj_R_FaceEye"}
_RPM = {"hips": "Hips", "chest": "Spine2", "neck": "Neck", "head": "Head"}
_RPM |= {"arm_left": "LeftArm", "arm_right": "RightArm"}
_RPM |= {"eye_left": "LeftEye", "eye_right": "RightEye"}
_MIXAMO = {"hips": "Hips", "chest": "Spine2", "neck": "Neck", "head": "Head"}
_MIXAMO |= {"arm_left": "LeftArm", "arm_right": "RightArm"}
_MIXAMO = {part: f"mixamorig1:{name}" for part, name in _MIXAMO.items()}
_CC = {"hips": "CC_Base_Hip", "chest": "CC_Base_Spine02", "neck": "CC_Base_NeckTwist01"}
_CC |= {"head": "CC_Base_Head", "arm_left": "CC_Base_L_Upperarm", "arm_right": "CC_Base_R_Upperarm"}
_CC |= {"eye_left": "CC_Base_L_Eye", "eye_right": "CC_Base_R_Eye"}
_META = {"hips": "pelvis", "chest": "spine_05", "neck": "neck_01", "head": "head"}
_META |= {"arm_left": "upperarm_l", "arm_right": "upperarm_r"}
_META |= {"eye_left": "FACIAL_L_Eye", "eye_right": "FACIAL_R_Eye"}


def _rig(names: dict[str, str], **options: object) -> Rig:
    shape = {key: options.pop(key) for key in ("up", "lean", "roll") if key in options}
    unit = options.pop("of", 1.0)
    eyes = tuple(names[f"eye_{side}"] for side in ("left", "right") if f"eye_{side}" in names)
    return Rig(
        body(names, unit=unit, **shape),
        names["head"],
        names.get("neck", ""),
        names["chest"],
        eyes=eyes,
        **options,
    )


PUBLIC = {
    "rigify": _rig(_RIGIFY),
    "vroid, turned by its importer": _rig(_VROID, lean=4),
    "ready player me, gltf": _rig(_RPM, lean=12, roll=180),
    "mixamo, fbx": _rig(_MIXAMO, up="Y", of=100, scale=0.01, turned=(90, 0, 0), lean=6),
    "character creator, fbx": _rig(_CC, up="Y", of=100, scale=0.01, turned=(90, 0, 0), roll=90),
    "metahuman, cm": _rig(_META, of=100, scale=0.01, lean=20, roll=-90),
}
OTHERS = {
    "looks along +Y": _rig(_RPM, turned=(0, 0, 180)),
    "looks along +X, leaning": _rig(_RPM, turned=(0, 0, 90), lean=10),
    "turned by 37 degrees": _rig(_RPM, turned=(0, 0, 37), lean=10),
    "a hundredth": _rig(_RPM, of=100, scale=0.01),
    "a hundredfold": _rig(_RPM, of=0.01, scale=100),
    "a scene in centimetres": _rig(_RPM, of=100, unit=0.01),
    "fbx in a scene in centimetres": _rig(_MIXAMO, up="Y", of=100, turned=(90, 0, 0), unit=0.01),
}
ALL = {**PUBLIC, **OTHERS}


def _facing(rig: Rig) -> float:
    return rig.turned[2]


def _map(scene: bpy.types.Scene, rig: Rig, **options: str) -> bpy.types.Object:
    armature = build(scene, rig)
    bpy.ops.photorig.detect_rig(**options)
    return armature


@pytest.mark.parametrize("seen", SEEN, ids=str)
@pytest.mark.parametrize("kind", ALL)
def test_turning_the_head_gives_the_angles_a_viewer_sees(
    scene: bpy.types.Scene, kind: str, seen: tuple[float, float, float]
) -> None:
    rig = ALL[kind]
    armature = _map(scene, rig)
    turn_bone(armature, rig.head, seen_turn(*seen, _facing(rig)))
    assert angles(scene) == pytest.approx(seen, abs=0.5 if kind in PUBLIC else 0.05)
    assert places(scene) == pytest.approx((0, 0, 0), abs=1e-3)


@pytest.mark.parametrize("kind", ALL)
def test_one_centimetre_is_one_centimetre(scene: bpy.types.Scene, kind: str) -> None:
    rig = ALL[kind]
    armature = _map(scene, rig)
    around = Matrix.Rotation(math.radians(_facing(rig)), 3, "Z")
    for name, way in (("right", (1, 0, 0)), ("up", (0, 0, 1)), ("forward", (0, -1, 0))):
        reset(armature)
        move_bone(armature, rig.head, around @ Vector(way) * 0.01 / rig.unit)
        expected = {"right": (1, 0, 0), "up": (0, 1, 0), "forward": (0, 0, 1)}[name]
        assert places(scene) == pytest.approx(expected, abs=5e-3), name


@pytest.mark.parametrize("kind", ALL)
def test_all_of_it_is_simple_expressions_that_run_without_trust(
    scene: bpy.types.Scene, kind: str
) -> None:
    _map(scene, ALL[kind])
    curves = scene.camera.data.animation_data.drivers
    assert all(curve.driver.is_simple_expression and curve.driver.is_valid for curve in curves)
    assert all(len(curve.driver.expression) <= 255 for curve in curves)
    assert not any(len(curve.modifiers) or len(curve.keyframe_points) for curve in curves)


def test_bones_built_to_look_along_plus_y_are_known_by_their_sides(scene: bpy.types.Scene) -> None:
    half_turn = Matrix.Rotation(math.pi, 3, "Z")
    bones = [
        (name, parent, tuple(half_turn @ Vector(head)), tuple(half_turn @ Vector(tail)), roll)
        for name, parent, head, tail, roll in body(_RPM)
    ]
    armature = _map(scene, Rig(bones, "Head"))
    turn_bone(armature, "Head", seen_turn(20, 10, -15, 180))
    assert angles(scene) == pytest.approx((20, 10, -15), abs=0.05)


def test_the_shape_keys_sides_tell_where_a_lone_head_bone_looks(scene: bpy.types.Scene) -> None:
    face = add_face(scene, "Face", ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen"))
    for key, vertex in (("eyeBlinkLeft", 0), ("eyeBlinkRight", 1)):
        face.data.shape_keys.key_blocks[key].data[vertex].co.z += 0.1
    armature = build(scene, Rig([("head", "", (0, 0, 0), (0, 0, 1), 0.0)], "head"))
    face.parent = armature  # vertex 0 lies at x = 0, vertex 1 at x = 1: its left is -X
    bpy.ops.photorig.detect_rig()
    turn_bone(armature, "head", seen_turn(20, 10, 5, 180))
    assert angles(scene) == pytest.approx((20, 10, 5), abs=0.05)


def test_a_mixamo_file_turns_and_moves_the_head_as_it_is_seen(scene: bpy.types.Scene) -> None:
    bpy.ops.import_scene.fbx(filepath=str(DATA / "mixamo_like.fbx"))
    armature = next(item for item in bpy.data.objects if item.type == "ARMATURE")
    select(armature)
    bpy.ops.photorig.detect_rig()
    head = next(bone.name for bone in armature.pose.bones if bone.name.endswith(":Head"))
    armature.pose.bones[head].rotation_mode = "QUATERNION"
    for seen in SEEN:
        turn_bone(armature, head, seen_turn(*seen))
        assert angles(scene) == pytest.approx(seen, abs=0.5)
    reset(armature)
    move_bone(armature, head, Vector((0, 0, 0.01)))
    assert places(scene) == pytest.approx((0, 1, 0), abs=0.01)


def test_a_scaled_rigify_head_moves_by_centimetres(scene: bpy.types.Scene) -> None:
    for scale in (0.01, 1, 100):
        armature = add_rigify_face(scene)
        armature.scale = (scale,) * 3
        bpy.context.view_layer.update()
        select(armature)
        bpy.ops.photorig.detect_rig()
        move_bone(armature, "head", Vector((0.03, -0.02, 0.01)))
        assert places(scene) == pytest.approx((3, 1, 2), abs=0.01)
        bpy.data.objects.remove(armature)


@pytest.mark.parametrize(
    ("turned", "up"), [((90, 0, 0), "Z"), ((0, 90, 0), "Z"), ((180, 0, 0), "Z"), ((0, 0, 0), "Y")]
)
def test_a_character_that_lies_is_refused_with_its_axes(
    scene: bpy.types.Scene, modules: SimpleNamespace, turned: tuple[float, ...], up: str
) -> None:
    armature = build(scene, _rig(_RPM, up=up, turned=turned))
    with pytest.raises(modules.errors.InputError, match=r"does not stand upright.*[+−][XYZ]"):
        modules.head_bone.head_rows(armature, "Head")


def test_a_mirrored_armature_is_refused_with_a_sentence(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    armature = build(scene, _rig(_RPM))
    armature.scale = (-1, 1, 1)
    bpy.context.view_layer.update()
    with pytest.raises(modules.errors.InputError, match="is mirrored"):
        modules.head_bone.head_rows(armature, "Head")


def test_a_character_on_its_side_and_one_without_a_known_front_are_refused(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    lone = build(scene, Rig([("head", "", (0, 0, 0), (1, 0, 0), 0.0)], "head", turned=(0, -90, 0)))
    with pytest.raises(modules.errors.InputError, match="cannot be told which way"):
        modules.head_bone.head_rows(lone, "head")
    confused = [("head", "", (0, 0, 0), (0, 0, 1), 0.0)]
    confused += [
        ("eye.L", "head", (0, 0, 2), (0, 0, 3), 0),
        ("eye.R", "head", (0, 0, 0.2), (0, 0, 1), 0),
    ]
    with pytest.raises(modules.errors.InputError, match="not understood how"):
        modules.head_bone.head_rows(build(scene, Rig(confused, "head")), "head")


def test_what_lies_leaves_the_face_mapped_and_is_told(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    armature = build(scene, _rig(_RPM, turned=(90, 0, 0)))
    face = add_face(scene, "Face", modules.schema.ARKIT_NAMES)
    face.parent = armature
    select(face)
    detection = modules.connect.detect_rig(modules.mapping_rig.rig_objects([face]))
    applied = modules.connect.apply_preset(scene.camera.data, detection)
    assert len(applied.parameters) == 52
    assert "does not stand upright" in applied.problem


def test_the_dialog_shows_how_a_character_stands_and_what_a_unit_is(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    def texts() -> str:
        detection = modules.connect.detect_rig(
            modules.mapping_rig.rig_objects(bpy.context.selected_objects)
        )
        operator = SimpleNamespace(
            bl_rna=SimpleNamespace(
                properties={"presets", "face", "head_bone", "head_space", "replace"}
            ),
            preset="",
            head_bone="",
            head_space="AUTO",
        )
        layout = FakeLayout()
        modules.detection_dialog.draw_detection(layout, detection, operator)
        return " ".join(layout.texts)

    armature = build(scene, PUBLIC["mixamo, fbx"])
    assert "Rig looks along −Y, its top is +Z, its left is +X" in texts()
    assert "Relative to body; one of its own units is 1 cm" in texts()
    armature.rotation_euler = (0, 0, 0)
    bpy.context.view_layer.update()
    assert "does not stand upright" in texts()
