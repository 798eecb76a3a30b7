"""A performance goes back through the mapping onto the rig, and the rig gives it to the camera."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from rigs import add_armature, add_face, add_rigify_face, evaluated, generate_rigify, select
from standing import Rig, body, build

NAMES = {"hips": "hips", "chest": "chest", "neck": "neck", "head": "head"}


def write_take(path: Path, curves: Mapping[str, Sequence[float]]) -> Path:
    count = len(next(iter(curves.values())))
    lines = [
        json.dumps({"frame": n + 1, "parameters": {k: float(v[n]) for k, v in curves.items()}})
        for n in range(count)
    ]
    path.write_text("\n".join(lines))
    return path


def waves(names: Sequence[str], count: int = 12, most: float = 1.0) -> dict[str, np.ndarray]:
    """Curves between 0 and ``most``, each of its own."""
    time = np.arange(count)
    return {
        name: most * (0.5 - 0.5 * np.cos(time * (0.4 + 0.13 * number)))
        for number, name in enumerate(names)
    }


def import_on_rig(path: Path, **options: object) -> None:
    bpy.ops.photorig.import_performance(
        filepath=str(path), mode="UNCHANGED", onto="RIG", use_time=False, **options
    )


def worst_miss(scene: bpy.types.Scene, curves: Mapping[str, np.ndarray]) -> tuple[float, str]:
    """Greatest difference of what the camera is given from what was asked, and where."""
    worst = (0.0, "")
    for place in range(len(next(iter(curves.values())))):
        scene.frame_set(scene.frame_start + place)
        now = evaluated(scene)
        for name, values in curves.items():
            worst = max(worst, (abs(getattr(now, name) - float(values[place])), name))
    return worst


def actions_of(owner: bpy.types.ID) -> list[bpy.types.Action]:
    animation = owner.animation_data
    strips = [strip.action for track in animation.nla_tracks for strip in track.strips]
    return [action for action in (animation.action, *strips) if action is not None]


def test_shape_keys_and_a_head_get_keys_that_give_the_recording_back(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    face = add_face(scene, "Face", modules.schema.ARKIT_NAMES)
    armature = build(scene, Rig(body(NAMES), "head", "neck"))
    face.parent = armature
    select(face, armature)
    bpy.ops.photorig.detect_rig()
    curves = waves(modules.schema.ARKIT_NAMES) | {
        "headYaw": np.linspace(-30, 40, 12),
        "headPitch": np.linspace(12, -20, 12),
        "headRoll": np.linspace(0, 15, 12),
        "headY": np.linspace(0, 3, 12),
    }
    import_on_rig(write_take(tmp_path / "take.jsonl", curves))
    miss, name = worst_miss(scene, curves)
    assert miss < 1e-3, name
    assert scene.camera.data.photorig.use_mapping
    assert modules.compat.curve_of(scene.camera.data, "photorig.jawOpen") is None
    assert modules.compat.curve_of(face.data.shape_keys, 'key_blocks["jawOpen"].value') is not None


def test_the_take_may_lie_in_strips_over_what_was_animated(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    face = add_face(scene, "Face", ("jawOpen", "mouthPucker", "own"))
    keys = face.data.shape_keys
    for name in ("own", "jawOpen"):
        keys.key_blocks[name].value = 0.7
        keys.key_blocks[name].keyframe_insert("value", frame=1)
    select(face)
    bpy.ops.photorig.detect_rig()
    curves = waves(("jawOpen", "mouthPucker"))
    import_on_rig(write_take(tmp_path / "take.jsonl", curves), as_strip=True)
    assert worst_miss(scene, curves)[0] < 1e-3
    assert keys.key_blocks["own"].value == pytest.approx(0.7), "what was animated goes on"
    names = [strip.name for track in keys.animation_data.nla_tracks for strip in track.strips]
    assert names[-1] == "take" and len(names) == 2
    (take,) = (action for action in actions_of(keys) if action.name == "take")
    assert tuple(take.frame_range) == (1, 12)


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "ZXY", "AXIS_ANGLE"])
@pytest.mark.parametrize("space", ["BODY", "WORLD", "CAMERA"])
def test_a_head_turns_in_its_own_way_of_rotating(
    scene: bpy.types.Scene, tmp_path: Path, space: str, mode: str
) -> None:
    names = {k: v for k, v in NAMES.items() if k != "neck"}
    armature = build(scene, Rig(body(names, lean=10, roll=15), "head"))
    armature.pose.bones["chest"].rotation_quaternion = (0.98, 0.1, -0.1, 0.1)
    armature.pose.bones["chest"].keyframe_insert("rotation_quaternion", frame=1)
    armature.pose.bones["head"].rotation_mode = mode
    scene.camera.rotation_euler = (math.pi / 2, 0, 0.2)
    select(armature)
    bpy.ops.photorig.detect_rig(head_space=space)
    curves = {
        "headYaw": np.linspace(-40, 60, 12),
        "headPitch": np.linspace(20, -25, 12),
        "headRoll": np.linspace(5, -25, 12),
    }
    import_on_rig(write_take(tmp_path / "take.jsonl", curves), as_strip=True)
    miss, name = worst_miss(scene, curves)
    assert miss < 0.01, name


@pytest.mark.parametrize("mode", ["XYZ", "QUATERNION"])
def test_a_head_without_bones_is_turned_and_moved_as_an_object(
    scene: bpy.types.Scene, tmp_path: Path, mode: str
) -> None:
    parent = bpy.data.objects.new("Body", None)
    scene.collection.objects.link(parent)
    parent.rotation_euler.z = 0.3
    head = add_face(scene, "Head", ("jawOpen",))
    head.parent, head.rotation_mode = parent, mode
    bpy.context.view_layer.update()
    select(head)
    bpy.ops.photorig.detect_rig(head_space="WORLD")
    mapped = scene.camera.data.photorig.mapped_parameters.split()
    assert "headYaw" in mapped
    curves = {
        "headYaw": np.linspace(-30, 40, 12),
        "headPitch": np.linspace(15, -15, 12),
        "headRoll": np.linspace(0, 20, 12),
        "headX": np.linspace(0, 2, 12),
        "jawOpen": np.linspace(0, 1, 12),
    }
    import_on_rig(write_take(tmp_path / "take.jsonl", curves))
    miss, name = worst_miss(scene, curves)
    assert miss < 0.01, name


def test_a_skeleton_in_centimetres_that_lies_on_its_back_is_turned_right(
    scene: bpy.types.Scene, tmp_path: Path
) -> None:
    bones = body({k: f"mixamorig:{v.title()}" for k, v in NAMES.items()}, up="Y", unit=100)
    armature = build(
        scene, Rig(bones, "mixamorig:Head", "mixamorig:Neck", turned=(90, 0, 0), scale=0.01)
    )
    select(armature)
    bpy.ops.photorig.detect_rig()
    curves = {"headYaw": np.linspace(-30, 30, 12), "headY": np.linspace(0, 4, 12)}
    import_on_rig(write_take(tmp_path / "take.jsonl", curves))
    miss, name = worst_miss(scene, curves)
    assert miss < 0.01, name


def test_a_linked_rig_is_not_keyed_and_it_is_said_what_to_do(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    face = add_face(scene, "Face", ("jawOpen",))
    library = tmp_path / "rig.blend"
    bpy.data.libraries.write(str(library), {face})
    bpy.data.objects.remove(face)
    with bpy.data.libraries.load(str(library), link=True) as (_, linked):
        linked.objects = ["Face"]
    (face,) = linked.objects
    scene.collection.objects.link(face)
    row = modules.rows.MappingRow(modules.rows.Source("SHAPE_KEY", "Face", "jawOpen"), "jawOpen")
    map_rows(scene, modules, [(row, face)])
    with pytest.raises(RuntimeError, match="is linked from another file"):
        import_on_rig(write_take(tmp_path / "take.jsonl", waves(("jawOpen",))))


def test_the_control_board_is_what_is_keyed_where_it_drives_the_face(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    bpy.ops.photorig.add_head()
    armature = next(item for item in scene.objects if item.type == "ARMATURE")
    select(armature)
    if not any(bone.name.startswith("photorig_") for bone in armature.pose.bones):
        bpy.ops.photorig.add_control_board()
    names = ("jawOpen", "mouthSmileLeft", "mouthPucker", "eyeBlinkRight", "browInnerUp")
    curves = waves(names) | {"headYaw": np.linspace(-20, 20, 12)}
    import_on_rig(write_take(tmp_path / "take.jsonl", curves))
    miss, name = worst_miss(scene, curves)
    assert miss < 1e-3, name
    face = next(item for item in scene.objects if getattr(item.data, "shape_keys", None))
    assert face.data.shape_keys.animation_data.action is None
    assert actions_of(armature)


def test_rigify_moves_its_bones_and_says_what_they_cannot_do_together(
    scene: bpy.types.Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    armature = add_rigify_face(scene)
    select(armature)
    bpy.ops.photorig.detect_rig()
    mapped = scene.camera.data.photorig.mapped_parameters.split()
    names = [n for n in ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight") if n in mapped]
    curves = waves(names)
    import_on_rig(write_take(tmp_path / "take.jsonl", curves))
    miss, name = worst_miss(scene, curves)
    told = capfd.readouterr().out
    assert miss < 1e-3 or name in told


def test_controls_that_share_a_parameter_are_named_and_share_the_motion(
    scene: bpy.types.Scene,
    modules: SimpleNamespace,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    face = add_face(scene, "Face", ("open", "wide"))
    rows = [
        modules.rows.MappingRow(modules.rows.Source("SHAPE_KEY", "Face", key), "jawOpen")
        for key in ("open", "wide")
    ]
    map_rows(scene, modules, [(row, face) for row in rows])
    curves = waves(("jawOpen",))
    import_on_rig(write_take(tmp_path / "take.jsonl", curves))
    assert worst_miss(scene, curves)[0] < 1e-3
    assert "jawOpen (open, wide)" in capfd.readouterr().out
    scene.frame_set(6)
    blocks = face.data.shape_keys.key_blocks
    assert blocks["open"].value == pytest.approx(blocks["wide"].value)


def map_rows(scene: bpy.types.Scene, modules: SimpleNamespace, rows: list[tuple]) -> None:
    with modules.mapping_rows.changing(scene.camera.data) as settings:
        settings.mapping.clear()
        for row, owner in rows:
            modules.mapping_rows.add_row(settings, modules.mapping_rows.RigRow(row, owner))


def test_one_bone_that_smiles_and_frowns_goes_both_ways(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    armature = add_armature(scene, "Rig", ("corner",))
    source = modules.rows.Source("BONE", "Rig", "corner", "LOC_X")
    row = modules.rows.MappingRow
    map_rows(
        scene,
        modules,
        [
            (row(source, "mouthSmileLeft", 0, 0.02, 1, clamp=True), armature),
            (row(source, "mouthFrownLeft", 0, -0.03, 1, clamp=True), armature),
        ],
    )
    wave = np.sin(np.arange(12) * 0.7)
    curves = {"mouthSmileLeft": np.maximum(wave, 0), "mouthFrownLeft": np.maximum(-wave, 0)}
    import_on_rig(write_take(tmp_path / "take.jsonl", curves))
    assert worst_miss(scene, curves)[0] < 1e-3


def test_properties_and_rows_that_scale_or_stop_are_turned_round(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    armature = add_armature(scene, "Rig", ("jaw",))
    armature.pose.bones["jaw"]["grip"] = 0.0
    face = add_face(scene, "Face", ("a",))
    row, source = modules.rows.MappingRow, modules.rows.Source
    grip = source("PROPERTY", "Rig", 'pose.bones["jaw"]["grip"]')
    size = source("BONE", "Rig", "jaw", "SCALE_X")
    map_rows(
        scene,
        modules,
        [
            (row(grip, "jawOpen", 2.0, -3.0, 1.0, clamp=True, invert=True), armature),
            (row(size, "cheekPuff", 1.0, 2.5), armature),
            (row(source("SHAPE_KEY", "Face", "a"), "mouthPucker", 0, 4, 0.5), face),
        ],
    )
    curves = waves(("jawOpen", "cheekPuff", "mouthPucker"))
    import_on_rig(write_take(tmp_path / "take.jsonl", curves))
    assert worst_miss(scene, curves)[0] < 1e-3


def test_what_a_rig_does_not_do_is_keyed_on_the_camera_and_what_it_misses_is_told(
    scene: bpy.types.Scene,
    modules: SimpleNamespace,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    face = add_face(scene, "Face", ("jawOpen",))
    face.data.shape_keys.key_blocks["jawOpen"].slider_max = 0.6
    select(face)
    bpy.ops.photorig.detect_rig()
    curves = {"jawOpen": np.linspace(0, 1, 12), "mouthPucker": np.linspace(0, 0.5, 12)}
    import_on_rig(write_take(tmp_path / "take.jsonl", curves))
    told = capfd.readouterr().out
    assert "jawOpen by 0.4" in told
    assert "mouthPucker" in told
    scene.frame_set(12)
    assert evaluated(scene).jawOpen == pytest.approx(0.6)
    assert evaluated(scene).mouthPucker == pytest.approx(0.5)


def test_less_than_rest_is_told_apart_from_what_the_rig_misses(
    scene: bpy.types.Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    select(add_face(scene, "Face", ("jawOpen", "mouthPucker")))
    bpy.ops.photorig.detect_rig()
    curves = {"jawOpen": np.linspace(0, -0.4, 12), "mouthPucker": np.linspace(0, 0.5, 12)}
    import_on_rig(write_take(tmp_path / "take.jsonl", curves))
    told = capfd.readouterr().out
    assert "less than the rig's rest of jawOpen: begin it neutral" in told
    assert "misses" not in told


def test_without_a_mapping_it_is_said_what_to_do(scene: bpy.types.Scene, tmp_path: Path) -> None:
    path = write_take(tmp_path / "take.jsonl", waves(("jawOpen",)))
    with pytest.raises(RuntimeError, match="No rig is mapped"):
        import_on_rig(path)


def test_fewer_keys_stay_within_the_tolerance(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    face = add_face(scene, "Face", ("jawOpen",))
    select(face)
    bpy.ops.photorig.detect_rig()
    curves = {"jawOpen": 0.5 - 0.5 * np.cos(np.arange(60) / 8)}
    import_on_rig(write_take(tmp_path / "take.jsonl", curves), reduce=True, tolerance=0.02)
    curve = modules.compat.curve_of(face.data.shape_keys, 'key_blocks["jawOpen"].value')
    assert len(curve.keyframe_points) < 30
    assert worst_miss(scene, curves)[0] < 0.021


def test_what_is_keyed_on_shape_keys_goes_through_fbx(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    import addon_utils

    if addon_utils.enable("io_scene_fbx", default_set=True) is None:
        pytest.skip("this Blender has no FBX exporter")
    face = add_face(scene, "Face", ("jawOpen", "mouthPucker"))
    for block in list(face.data.shape_keys.key_blocks)[1:]:
        block.data[1].co.x += 1
        block.slider_min, block.slider_max = 0, 1
    select(face)
    bpy.ops.photorig.detect_rig()
    curves = waves(("jawOpen", "mouthPucker"), 24)
    scene.frame_end = 24
    import_on_rig(write_take(tmp_path / "take.jsonl", curves), as_strip=True)
    path = str(tmp_path / "face.fbx")
    # With strips or all actions Blender's exporter looks at those of objects, not of shape keys.
    bpy.ops.export_scene.fbx(
        filepath=path,
        use_selection=True,
        bake_anim_simplify_factor=0,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
    )
    bpy.data.objects.remove(face)
    bpy.ops.import_scene.fbx(filepath=path, anim_offset=0)
    (keys,) = (item.data.shape_keys for item in scene.objects if item.type == "MESH")
    for place in range(24):
        scene.frame_set(1 + place)
        for name, values in curves.items():
            assert keys.key_blocks[name].value == pytest.approx(values[place], abs=1e-3)


def test_a_strip_begins_where_its_first_key_is_between_two_frames(
    scene: bpy.types.Scene, tmp_path: Path
) -> None:
    path = tmp_path / "take.jsonl"
    lines = (
        f'{{"frame": {n}, "time": {0.25 + n / 10}, "parameters": {{"jawOpen": {n / 10}}}}}'
        for n in range(1, 9)
    )
    path.write_text("\n".join(lines))
    scene.render.fps = 25
    bpy.ops.photorig.import_performance(filepath=str(path), mode="UNCHANGED", as_strip=True)
    scene.frame_set(1 + 18, subframe=0.75)  # 0.75 s
    assert evaluated(scene).jawOpen == pytest.approx(0.5)


@pytest.mark.slow
def test_a_generated_rigify_human_follows(scene: bpy.types.Scene, tmp_path: Path) -> None:
    armature = generate_rigify(scene)
    select(armature)
    bpy.ops.photorig.detect_rig()
    curves = {"headYaw": np.linspace(-20, 30, 8), "headPitch": np.linspace(10, -10, 8)}
    import_on_rig(write_take(tmp_path / "take.jsonl", curves))
    miss, name = worst_miss(scene, curves)
    assert miss < 0.02, name
