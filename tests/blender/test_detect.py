"""Detect Rig: what a rig is, how much of it is covered, and the rows that follow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from fake_layout import FakeLayout
from mathutils import Vector
from rigs import add_armature, add_face, add_rigify_face, evaluated, generate_rigify, select


@pytest.fixture
def own_presets(modules: SimpleNamespace) -> Iterator[Path]:
    """The folder of a person's own presets, empty before and after."""
    folder = modules.connect.user_preset_folder()
    for path in folder.glob("*.json"):
        path.unlink()
    yield folder
    for path in folder.glob("*.json"):
        path.unlink()


def _arkit_face(scene: bpy.types.Scene, modules: SimpleNamespace) -> bpy.types.Object:
    return add_face(
        scene,
        "Face",
        tuple(f"head__{name}" for name in modules.schema.ARKIT_NAMES),
    )


def test_a_face_and_its_armature_are_mapped_from_either_of_them(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    face, armature = _arkit_face(scene, modules), add_armature(scene, "Rig", ("head",))
    face.parent = armature
    select(armature)
    bpy.ops.photorig.detect_rig()
    face.data.shape_keys.key_blocks["head__mouthSmileLeft"].value = 0.6
    armature.pose.bones["head"].location = (0.01, 0, 0)
    parameters = evaluated(scene)
    assert parameters.mouthSmileLeft == pytest.approx(0.6)
    assert parameters.headX == pytest.approx(1.0, abs=1e-3)
    assert len(scene.camera.data.photorig.mapped_parameters.split()) == 58
    curves = scene.camera.data.animation_data.drivers
    assert all(curve.driver.is_simple_expression for curve in curves)


def test_the_dialog_shows_the_coverage_before_anything_is_changed(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    names = [name for name in modules.schema.ARKIT_NAMES if name != "tongueOut"]
    face, armature = add_face(scene, "Face", tuple(names)), add_armature(scene, "Rig", ("Head",))
    detection = modules.connect.detect_rig([face, armature])
    layout = FakeLayout()
    operator = SimpleNamespace(
        bl_rna=SimpleNamespace(
            properties={"presets", "face", "head_bone", "head_space", "replace"}
        ),
        preset="arkit",
        head_bone="",
        head_space="AUTO",
    )
    modules.detection_dialog.draw_detection(layout, detection, operator)
    assert "ARKit: 51 of 52 controls, 51 parameters" in layout.texts
    assert "Missing: tongueOut" in layout.texts
    assert layout.has("prop", "head_bone")
    assert "The head's angles and place stay as they are" not in layout.texts
    assert not scene.camera.data.photorig.mapping


def test_a_preset_can_be_chosen_over_the_best_one(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    names = (*modules.schema.ARKIT_NAMES, "viseme_aa", "viseme_O", "viseme_PP")
    face = add_face(scene, "Face", names)
    select(face)
    bpy.ops.photorig.detect_rig(preset="meta-visemes")
    assert {item.control for item in scene.camera.data.photorig.mapping} == {
        "viseme_aa",
        "viseme_O",
        "viseme_PP",
    }
    face.data.shape_keys.key_blocks["viseme_aa"].value = 1
    assert evaluated(scene).jawOpen == pytest.approx(0.7)


def test_custom_properties_of_a_control_bone_are_found(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    armature = add_armature(scene, "Rig", ("controls",))
    bone = armature.pose.bones["controls"]
    for name in modules.schema.ARKIT_NAMES:
        bone[name] = 0.0
    bone["note"] = "not a number"
    select(armature)
    bpy.ops.photorig.detect_rig()
    bone["mouthPucker"] = 0.25
    modules.frame_request.tag_sources(scene.camera)  # a script sets it without Blender noticing
    assert evaluated(scene).mouthPucker == pytest.approx(0.25)


def test_a_rig_without_known_names_is_refused_with_a_sentence(scene: bpy.types.Scene) -> None:
    select(add_face(scene, "Blob", ("wobble",)))
    with pytest.raises(RuntimeError, match="Nothing of this rig has a known name"):
        bpy.ops.photorig.detect_rig()


def test_the_active_bone_is_the_head_where_none_is_named_as_one(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    armature = add_armature(scene, "Rig", ("tail", "skull"))
    select(armature)
    bpy.ops.object.mode_set(mode="POSE")
    armature.data.bones.active = armature.data.bones["skull"]
    bpy.ops.photorig.detect_rig()
    armature.pose.bones["skull"].location = (0, 0.02, 0)
    assert evaluated(scene).headY == pytest.approx(2, abs=1e-3)


def test_a_head_bone_that_lies_askew_leaves_the_face_mapped_and_is_named(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    face, armature = _arkit_face(scene, modules), add_armature(scene, "Rig", ("head",))
    select(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones["head"].tail = (1, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    detection = modules.connect.detect_rig([face, armature])
    applied = modules.connect.apply_preset(scene.camera.data, detection)
    assert len(applied.parameters) == 52
    assert "'head' lies askew" in applied.problem


def test_the_rows_of_another_rig_stay_where_they_are_not_replaced(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    select(add_face(scene, "Mouth", ("mouthPucker", "jawOpen")))
    bpy.ops.photorig.detect_rig()
    select(add_face(scene, "Eyes", ("eyeBlinkLeft", "jawOpen")))
    bpy.ops.photorig.detect_rig(preset="arkit", replace=False)
    rows = {item.parameter: item.owner.name for item in scene.camera.data.photorig.mapping}
    assert rows == {"mouthPucker": "Mouth", "eyeBlinkLeft": "Eyes", "jawOpen": "Eyes"}


def test_a_rigify_face_is_mapped_by_how_its_controls_move(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    rig = add_rigify_face(scene)
    assert modules.connect.detect_rig([rig]).coverage().preset.id == "rigify-face"
    _check_rigify(scene, modules, rig)


@pytest.mark.slow
def test_a_face_that_rigify_generates_is_mapped_and_its_jaw_goes_down(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    rig = generate_rigify(scene)
    coverage = modules.connect.detect_rig([rig]).coverage()
    assert (coverage.preset.id, coverage.missing) == ("rigify-face", ())
    bpy.context.view_layer.update()
    at_rest = rig.pose.bones["DEF-chin"].matrix.translation.copy()
    _check_rigify(scene, modules, rig)
    rig.pose.bones["head"].rotation_euler.y = 0
    bpy.context.view_layer.update()
    assert at_rest.z - rig.pose.bones["DEF-chin"].matrix.translation.z > 0.01


def _check_rigify(scene: bpy.types.Scene, modules: SimpleNamespace, rig: bpy.types.Object) -> None:
    select(rig)
    bpy.ops.photorig.detect_rig()
    bones = rig.pose.bones
    bones["jaw_master"].rotation_mode = "XYZ"
    bones["jaw_master"].rotation_euler.x = math.radians(12.5)
    bones["lid.T.L.002"].location.y = -0.6 * bones["lid.T.L.002"].length
    bones["lips.R"].location.y = 0.5 * bones["lips.R"].length
    bones["eyes"].location.x = 2.25 * bones["eyes"].length
    bones["head"].rotation_mode = "ZXY"
    bones["head"].rotation_euler.y = math.radians(20)
    parameters = evaluated(scene)
    expected = {
        "jawOpen": 0.5,
        "eyeBlinkLeft": 0.5,
        "eyeBlinkRight": 0,
        "mouthSmileRight": 0.5,
        "mouthSmileLeft": 0,
        "eyeLookOutLeft": 0.5,  # to the subject's left
        "eyeLookInRight": 0.5,
        "eyeLookInLeft": 0,
    }
    for name, value in expected.items():
        assert getattr(parameters, name) == pytest.approx(value, abs=0.01), name
    assert parameters.headYaw == pytest.approx(20, abs=0.5)  # nose to image right


@pytest.mark.slow
def test_controls_of_a_generated_rigify_move_what_they_are_for_and_nothing_else(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    rig = generate_rigify(scene)
    select(rig)
    bpy.ops.photorig.detect_rig()
    moved = {
        "lips.L": {"mouthSmileLeft": 1.0},
        "lips.R": {"mouthSmileRight": 1.0},
        "brow.T.L.001": {"browOuterUpLeft": 1.0},
        "brow.T.L.002": {"browOuterUpLeft": 0.5, "browInnerUp": 0.25},
        "brow.T.R.002": {"browOuterUpRight": 0.5, "browInnerUp": 0.25},
        "brow.T.L.003": {"browInnerUp": 0.5},
        "cheek.B.L.001": {},
        "lip.T.L.001": {"mouthUpperUpLeft": 1.0},
        "eyes": {"eyeLookUpLeft": 1 / 3.5, "eyeLookUpRight": 1 / 3.5},
    }
    for name, expected in moved.items():
        bone = rig.pose.bones[name]
        at_rest = bone.bone.matrix_local.to_3x3()
        bone.location = at_rest.inverted() @ Vector((0, 0, bone.bone.length))
        parameters = evaluated(scene)
        seen = {n: max(0.0, getattr(parameters, n)) for n in modules.schema.ARKIT_NAMES}
        assert {n: v for n, v in seen.items() if v > 0.01} == pytest.approx(expected, abs=0.02), (
            name
        )
        bone.location = (0, 0, 0)
    for side in ("L", "R"):
        for number in ("001", "002", "003"):
            bone = rig.pose.bones[f"brow.T.{side}.{number}"]
            at_rest = bone.bone.matrix_local.to_3x3()
            bone.location = at_rest.inverted() @ Vector((0, 0, 2 * bone.bone.length))
    parameters = evaluated(scene)
    assert (parameters.browInnerUp, parameters.browOuterUpLeft) == (1, 1)


def test_a_mapping_can_be_kept_and_used_on_another_rig(
    scene: bpy.types.Scene, modules: SimpleNamespace, own_presets: Path, tmp_path: Path
) -> None:
    face = add_face(scene, "Face", ("Gob auf", "Grinsen"))
    with modules.mapping_rows.changing(scene.camera.data) as settings:
        for control, parameter in (("Gob auf", "jawOpen"), ("Grinsen", "mouthSmileLeft")):
            item = settings.mapping.add()
            item.owner, item.control, item.parameter = face, control, parameter
            item.end, item.clamp = 0.5, True
    path = tmp_path / "mine.json"
    bpy.ops.photorig.export_mapping(filepath=str(path), label="Meine Figur")
    assert json.loads(path.read_text())["label"] == "Meine Figur"
    bpy.ops.photorig.remove_mapping_row(everything=True)
    assert not scene.camera.data.photorig.mapping
    bpy.ops.photorig.import_mapping(filepath=str(path))
    assert [each.name for each in own_presets.iterdir()] == ["meine-figur.json"]
    other = add_face(scene, "Other", ("gob_auf", "grinsen"))
    select(other)
    bpy.ops.photorig.detect_rig()
    other.data.shape_keys.key_blocks["gob_auf"].value = 0.25
    other.data.shape_keys.key_blocks["grinsen"].value = 3
    parameters = evaluated(scene)
    assert parameters.jawOpen == pytest.approx(0.5)
    assert parameters.mouthSmileLeft == 1.0


def test_a_preset_file_that_is_none_is_refused_with_a_sentence(
    scene: bpy.types.Scene, tmp_path: Path, own_presets: Path
) -> None:
    path = tmp_path / "shopping.json"
    path.write_text('{"milk": 2}')
    with pytest.raises(RuntimeError, match="no mapping preset"):
        bpy.ops.photorig.import_mapping(filepath=str(path))
    assert not list(own_presets.iterdir())
