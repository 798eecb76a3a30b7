"""Detect Rig on whole characters: many meshes, several vocabularies at once, real choices."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from fake_layout import FakeLayout
from rigs import add_armature, add_face, evaluated, select

VISEMES = ("PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U")


def _mesh(
    scene: bpy.types.Scene, name: str, keys: tuple[str, ...], size: int, moved: int
) -> bpy.types.Object:
    """A mesh of some vertices whose every key moves the first of them."""
    item = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    scene.collection.objects.link(item)
    points = np.random.default_rng(size).normal(size=(size, 3)).astype(np.float32)
    item.data.from_pydata(points.tolist(), [], [])
    item.shape_key_add(name="Basis")
    for key in keys:
        block = item.shape_key_add(name=key)
        block.value = 0
        changed = points.copy()
        changed[:moved] += 0.1
        block.data.foreach_set("co", changed.ravel())
    return item


@pytest.fixture
def avatar(scene: bpy.types.Scene, modules: SimpleNamespace) -> SimpleNamespace:
    """As Ready Player Me makes them: every mesh has all keys, visemes too; gaze bones."""
    keys = (*modules.schema.ARKIT_NAMES, *(f"viseme_{name}" for name in VISEMES))
    armature = add_armature(scene, "Armature", ("Head", "RightEye", "LeftEye"))
    meshes = {
        "EyeLeft": _mesh(scene, "EyeLeft", keys, 300, 5),
        "Wolf3D_Head": _mesh(scene, "Wolf3D_Head", keys, 200, 60),
        "Wolf3D_Teeth": _mesh(scene, "Wolf3D_Teeth", keys, 100, 30),
    }
    for item in meshes.values():
        item.parent = armature
    bpy.context.view_layer.update()
    select(armature)
    return SimpleNamespace(armature=armature, **meshes)


def _owners(scene: bpy.types.Scene) -> set[str]:
    rows = scene.camera.data.photorig.mapping
    return {row.owner.name for row in rows if row.kind == "SHAPE_KEY"}


def test_the_mesh_whose_keys_move_most_vertices_is_the_face(
    scene: bpy.types.Scene, avatar: SimpleNamespace
) -> None:
    bpy.ops.photorig.detect_rig()
    assert _owners(scene) == {"Wolf3D_Head"}
    avatar.Wolf3D_Head.data.shape_keys.key_blocks["jawOpen"].value = 0.7
    assert evaluated(scene).jawOpen == pytest.approx(0.7)


def test_another_mesh_can_be_chosen_as_the_face(
    scene: bpy.types.Scene, avatar: SimpleNamespace
) -> None:
    bpy.ops.photorig.detect_rig(face="Wolf3D_Teeth")
    assert _owners(scene) == {"Wolf3D_Teeth"}


def test_a_mesh_that_is_disabled_is_the_face_only_where_there_is_no_other(
    scene: bpy.types.Scene, avatar: SimpleNamespace
) -> None:
    avatar.Wolf3D_Head.hide_viewport = True
    bpy.ops.photorig.detect_rig()
    assert _owners(scene) == {"Wolf3D_Teeth"}


def test_controls_that_the_face_lacks_are_taken_from_the_other_meshes(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    names = tuple(name for name in modules.schema.ARKIT_NAMES if name != "tongueOut")
    head, tongue = _mesh(scene, "Head", names, 50, 20), _mesh(scene, "Tongue", ("tongueOut",), 9, 5)
    select(tongue, head)
    bpy.ops.photorig.detect_rig()
    owners = {row.parameter: row.owner.name for row in scene.camera.data.photorig.mapping}
    assert (owners["jawOpen"], owners["tongueOut"]) == ("Head", "Tongue")


def test_expressions_visemes_and_eye_bones_add_up_at_once(
    scene: bpy.types.Scene, avatar: SimpleNamespace
) -> None:
    bpy.ops.photorig.detect_rig()
    keys = avatar.Wolf3D_Head.data.shape_keys.key_blocks
    keys["jawOpen"].value, keys["viseme_aa"].value = 0.2, 0.5
    assert evaluated(scene).jawOpen == pytest.approx(0.2 + 0.5 * 0.7)
    avatar.armature.pose.bones["LeftEye"].rotation_mode = "XYZ"
    avatar.armature.pose.bones["LeftEye"].rotation_euler.y = np.radians(14)
    assert evaluated(scene).eyeLookOutLeft == pytest.approx(0.5, abs=0.01)


def test_presets_can_be_chosen_by_name_one_or_several(
    scene: bpy.types.Scene, avatar: SimpleNamespace
) -> None:
    def controls() -> set[str]:
        rows = scene.camera.data.photorig.mapping
        return {row.control for row in rows if row.kind == "SHAPE_KEY"}

    bpy.ops.photorig.detect_rig(preset="arkit")
    assert len(controls()) == 52
    bpy.ops.photorig.detect_rig(preset="arkit, meta-visemes")
    assert len(controls()) == 52 + len(VISEMES)
    with pytest.raises(RuntimeError, match="the preset 'mmd' knows"):
        bpy.ops.photorig.detect_rig(preset="arkit mmd")


def test_without_replacing_the_rows_that_are_there_stay_and_nothing_is_doubled(
    scene: bpy.types.Scene, avatar: SimpleNamespace
) -> None:
    def rows() -> list[tuple[str, str, str]]:
        mapping = scene.camera.data.photorig.mapping
        return sorted((row.control, row.parameter, row.channel) for row in mapping)

    bpy.ops.photorig.detect_rig(preset="arkit")
    before = rows()
    bpy.ops.photorig.detect_rig(preset="meta-visemes", replace=False)
    both = rows()
    assert set(before) <= set(both)
    keys = avatar.Wolf3D_Head.data.shape_keys.key_blocks
    keys["jawOpen"].value, keys["viseme_aa"].value = 0.2, 0.5
    assert evaluated(scene).jawOpen == pytest.approx(0.55)
    bpy.ops.photorig.detect_rig(preset="meta-visemes", replace=False)
    bpy.ops.photorig.detect_rig(preset="arkit", replace=False)
    assert rows() == both


def test_a_second_character_joins_the_first_without_replacing(scene: bpy.types.Scene) -> None:
    select(add_face(scene, "Mouth", ("jawOpen",)))
    bpy.ops.photorig.detect_rig()
    select(add_face(scene, "Jaw", ("jawOpen",)))
    bpy.ops.photorig.detect_rig(replace=False)
    owners = [row.owner.name for row in scene.camera.data.photorig.mapping]
    assert owners == ["Mouth", "Jaw"]


def test_the_dialog_offers_choices_and_names_owners_and_coverage(
    scene: bpy.types.Scene, avatar: SimpleNamespace, modules: SimpleNamespace
) -> None:
    detection = modules.connect.detect_rig(modules.mapping_rig.rig_objects([avatar.armature]))
    items = modules.detection_dialog.preset_items(detection)
    labels = {item[0]: item[1] for item in items}
    assert labels["arkit"] == "ARKit: 52 of 52 controls, 52 parameters"
    assert labels["meta-visemes"].startswith("Meta Visemes: 14 of 14 controls")
    chosen = [coverage.preset.id for coverage in detection.chosen()]
    assert chosen[0] == "arkit"
    assert {"meta-visemes", "eye-bones"} <= set(chosen)
    layout = FakeLayout()
    properties = bpy.ops.photorig.detect_rig.get_rna_type().properties
    operator = SimpleNamespace(
        bl_rna=SimpleNamespace(properties=set(properties.keys())),
        preset="arkit meta-visemes",
        head_bone="",
        head_space="AUTO",
    )
    modules.detection_dialog.draw_detection(layout, detection, operator)
    for name in ("presets", "face", "head_bone", "head_space", "replace"):
        assert layout.has("prop", name)
    assert layout.texts.count("Controls of Wolf3D_Head") == 2
    assert any("looks along −Y" in text for text in layout.texts)
    assert properties["presets"].is_enum_flag


def test_the_choices_of_the_dialog_become_the_presets_that_are_mapped(
    scene: bpy.types.Scene, avatar: SimpleNamespace, modules: SimpleNamespace
) -> None:
    module = modules.mapping_presets
    module._found = modules.connect.detect_rig(modules.mapping_rig.rig_objects([avatar.armature]))
    try:
        operator = SimpleNamespace(presets={"meta-visemes", "eye-bones"}, preset="")
        module._presets_changed(operator, bpy.context)
        assert set(operator.preset.split()) == {"meta-visemes", "eye-bones"}
        identifiers = [item[0] for item in module._preset_items(operator, bpy.context)]
        assert "arkit" in identifiers
    finally:
        module._found = None


@pytest.mark.parametrize(
    "name",
    ["mixamorig1:Head", "c_head.x", "Bip001 Head", "Head_M", "head_jnt", "spine.006", "頭"],
)
def test_a_head_bone_is_known_in_any_usual_spelling(scene: bpy.types.Scene, name: str) -> None:
    armature = add_armature(scene, "Rig", ("pelvis", name))
    select(armature)
    bpy.ops.photorig.detect_rig()
    assert {row.control for row in scene.camera.data.photorig.mapping} == {name}
    armature.pose.bones[name].rotation_mode = "XYZ"
    armature.pose.bones[name].rotation_euler.y = np.radians(20)
    assert evaluated(scene).headYaw == pytest.approx(20, abs=0.5)
