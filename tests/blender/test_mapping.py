"""Rows of a mapping become drivers that say the same, and come back from them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from rigs import RandomRig, add_armature, add_face, evaluated, select

PARAMETERS = ("headYaw", "headX", "jawOpen", "mouthSmileLeft")


def _map(camera: bpy.types.Camera, modules: SimpleNamespace, rows: list[tuple]) -> None:
    rig_row = modules.mapping_rows.RigRow
    with modules.mapping_rows.changing(camera) as settings:
        settings.mapping.clear()
        for row, owner in rows:
            modules.mapping_rows.add_row(settings, rig_row(row, owner))


@pytest.fixture
def jaw(scene: bpy.types.Scene, modules: SimpleNamespace) -> SimpleNamespace:
    """A shape key that drives jawOpen, and another one that nothing uses."""
    face = add_face(scene, "Face", ("open", "other"))
    row = modules.rows.MappingRow(modules.rows.Source("SHAPE_KEY", "Face", "open"), "jawOpen")
    _map(scene.camera.data, modules, [(row, face)])
    keys = face.data.shape_keys.key_blocks
    keys["open"].value = 0.4
    return SimpleNamespace(face=face, keys=keys, item=scene.camera.data.photorig.mapping[0])


@pytest.mark.parametrize("seed", range(12))
def test_drivers_give_the_numbers_of_the_twin_without_blender(
    scene: bpy.types.Scene, modules: SimpleNamespace, seed: int
) -> None:
    rig = RandomRig(scene, modules.rows, seed)
    rows = [rig.row(name) for name in PARAMETERS for _ in range(rig.random.integers(1, 4))]
    neutral = {"headYaw": 5.25, "jawOpen": -0.125}
    modules.properties.set_neutral(scene.camera.data.photorig, neutral)
    _map(scene.camera.data, modules, rows)
    assert all(not item.problem for item in scene.camera.data.photorig.mapping)
    curves = scene.camera.data.animation_data.drivers
    assert {curve.data_path for curve in curves} == {f"photorig.{name}" for name in PARAMETERS}
    assert all(curve.driver.is_simple_expression for curve in curves)
    for _ in range(3):
        rig.pose()
        parameters = evaluated(scene)
        values = {
            row.source: modules.mapping_rig.source_value(owner, row.source) for row, owner in rows
        }
        expected = modules.rows.mapped([row for row, _ in rows], values, neutral)
        for name in PARAMETERS:
            near = 2e-4 * (1 + abs(expected[name]))
            assert getattr(parameters, name) == pytest.approx(expected[name], abs=near), name


@pytest.mark.parametrize("seed", range(6))
def test_drivers_are_read_back_to_the_rows_they_were_made_of(
    scene: bpy.types.Scene, modules: SimpleNamespace, seed: int
) -> None:
    rig = RandomRig(scene, modules.rows, seed + 100)
    camera = scene.camera.data
    _map(camera, modules, [rig.row(name) for name in PARAMETERS for _ in range(2)])
    before = [modules.mapping_rows.row_of(item) for item in camera.photorig.mapping]
    expressions = {
        curve.data_path: curve.driver.expression for curve in camera.animation_data.drivers
    }
    camera.photorig.mapping.clear()
    bpy.ops.photorig.rows_from_drivers()
    after = [modules.mapping_rows.row_of(item) for item in camera.photorig.mapping]
    assert len(after) == len(before)
    by_parameter = modules.rows.by_parameter(before)
    for name, rows in modules.rows.by_parameter(after).items():
        for read, row in zip(rows, by_parameter[name], strict=True):
            assert read.source == row.source
            assert (read.clamp, read.invert) == (row.clamp, row.invert)
            assert read.amount == pytest.approx(row.amount, rel=1e-5)
            assert (read.start, read.end) == pytest.approx((row.start, row.end), abs=1e-5)
        combines = [row.combine for row in rows[1:]]
        assert combines == [row.combine for row in by_parameter[name][1:]]
    for curve in camera.animation_data.drivers:
        assert len(curve.driver.expression) == pytest.approx(
            len(expressions[curve.data_path]), abs=9
        )


def test_changing_a_row_changes_its_driver_at_once(
    scene: bpy.types.Scene, jaw: SimpleNamespace
) -> None:
    assert evaluated(scene).jawOpen == pytest.approx(0.4)
    jaw.item.amount = 0.5
    assert evaluated(scene).jawOpen == pytest.approx(0.2)
    jaw.item.invert = True
    assert evaluated(scene).jawOpen == pytest.approx(0.3)
    jaw.item.parameter = "mouthPucker"
    assert evaluated(scene).mouthPucker == pytest.approx(0.3)
    assert evaluated(scene).jawOpen == 0


def test_a_control_that_goes_the_other_way_asks_for_no_opposite(
    scene: bpy.types.Scene, modules: SimpleNamespace, jaw: SimpleNamespace
) -> None:
    jaw.keys["open"].value = -0.4
    evaluated(scene)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    values = modules.values.slider_values(scene.camera.evaluated_get(depsgraph).data)
    assert values[modules.schema.FACE_SCHEMA.index["jawOpen"]] == 0


def test_a_muted_row_drives_nothing_and_leaves_rest_behind(
    scene: bpy.types.Scene, jaw: SimpleNamespace
) -> None:
    evaluated(scene)
    jaw.item.mute = True
    assert evaluated(scene).jawOpen == 0
    assert not scene.camera.data.animation_data.drivers
    jaw.item.mute = False
    assert evaluated(scene).jawOpen == pytest.approx(0.4)


def test_solo_silences_the_other_rows(
    scene: bpy.types.Scene, modules: SimpleNamespace, jaw: SimpleNamespace
) -> None:
    with modules.mapping_rows.changing(scene.camera.data) as settings:
        other = settings.mapping.add()
        other.owner, other.control, other.parameter = jaw.face, "other", "mouthFunnel"
    jaw.keys["other"].value = 0.7
    assert evaluated(scene).mouthFunnel == pytest.approx(0.7)
    scene.camera.data.photorig.mapping[0].solo = True
    parameters = evaluated(scene)
    assert (parameters.jawOpen, parameters.mouthFunnel) == (pytest.approx(0.4), 0)


def test_switching_the_mapping_off_lets_keyframes_count(
    scene: bpy.types.Scene, jaw: SimpleNamespace
) -> None:
    settings = scene.camera.data.photorig
    settings.keyframe_insert("jawOpen", frame=1)
    settings.id_data.photorig.use_mapping = False
    assert not scene.camera.data.animation_data.drivers
    settings.use_mapping = True
    assert evaluated(scene).jawOpen == pytest.approx(0.4)


def test_a_row_without_its_source_says_so_and_leaves_the_others_alone(
    scene: bpy.types.Scene, jaw: SimpleNamespace
) -> None:
    item = scene.camera.data.photorig.mapping.add()
    item.parameter = "mouthLeft"
    assert item.problem == "The row has no source. Choose a shape key, bone or property."
    item.control = "gone"
    assert item.problem == "The row has no source object"
    item.owner = jaw.face
    assert item.problem == "'Face' has no shape key 'gone'"
    item.control = "other"
    assert item.problem == ""
    item.end = 0
    assert "range is empty" in item.problem
    assert evaluated(scene).jawOpen == pytest.approx(0.4)


def test_too_many_rows_for_one_driver_are_named_as_the_problem(
    scene: bpy.types.Scene, modules: SimpleNamespace, jaw: SimpleNamespace
) -> None:
    with modules.mapping_rows.changing(scene.camera.data) as settings:
        for _ in range(12):
            item = settings.mapping.add()
            item.owner, item.control, item.parameter = jaw.face, "other", "mouthFunnel"
            item.start, item.end, item.amount, item.clamp = 0.123, 0.987, 0.789, True
    assert "more than a driver can hold" in settings.mapping[1].problem
    assert evaluated(scene).jawOpen == pytest.approx(0.4)


def test_a_parameter_of_a_newer_version_does_no_harm(
    scene: bpy.types.Scene, jaw: SimpleNamespace
) -> None:
    settings = scene.camera.data.photorig
    settings.mapped_parameters = "earWiggle jawOpen"
    item = settings.mapping.add()
    item.owner, item.control, item.parameter = jaw.face, "other", "earWiggle"
    assert "There is no parameter 'earWiggle'" in item.problem
    settings.mapping[0].amount = 0.5
    assert settings.mapped_parameters == "jawOpen"
    assert evaluated(scene).jawOpen == pytest.approx(0.2)


def test_a_driver_made_by_hand_is_left_alone(
    scene: bpy.types.Scene, modules: SimpleNamespace, jaw: SimpleNamespace
) -> None:
    camera = scene.camera.data
    camera.driver_add("photorig.tongueOut").driver.expression = "0.5 if frame > 0 else 0"
    jaw.item.amount = 0.5
    jaw.item.mute = True
    assert evaluated(scene).tongueOut == pytest.approx(0.5)
    bpy.ops.photorig.rows_from_drivers()
    assert evaluated(scene).tongueOut == pytest.approx(0.5)
    assert modules.drivers.read_drivers(camera).unreadable == ("tongueOut",)


def test_renamed_bones_and_shape_keys_keep_driving(
    scene: bpy.types.Scene, modules: SimpleNamespace, jaw: SimpleNamespace
) -> None:
    armature = add_armature(scene, "Rig", ("lid",))
    source = modules.rows.Source("BONE", "Rig", "lid", "LOC_Y")
    row = modules.rows.MappingRow(source, "eyeBlinkLeft")
    with modules.mapping_rows.changing(scene.camera.data) as settings:
        modules.mapping_rows.add_row(settings, modules.mapping_rows.RigRow(row, armature))
    armature.data.bones["lid"].name = "upper lid"
    jaw.keys["open"].name = "jaw drop"
    jaw.item.amount = 0.5
    assert [item.control for item in settings.mapping] == ["jaw drop", "upper lid"]
    armature.pose.bones["upper lid"].location.y = 0.3
    parameters = evaluated(scene)
    assert parameters.jawOpen == pytest.approx(0.2)
    assert parameters.eyeBlinkLeft == pytest.approx(0.3)


def test_a_rig_that_was_deleted_leaves_rows_that_say_so(
    scene: bpy.types.Scene, modules: SimpleNamespace, jaw: SimpleNamespace
) -> None:
    bpy.data.objects.remove(jaw.face)
    item = scene.camera.data.photorig.mapping[0]
    assert modules.mapping_panel.shown_problem(item) == "The row has no source object"
    modules.drivers.compile_mapping(scene.camera.data)
    assert not scene.camera.data.animation_data.drivers


def test_an_average_driver_is_read_as_rows(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    face = add_face(scene, "Face", ("left", "right"))
    driver = scene.camera.data.driver_add("photorig.browInnerUp").driver
    driver.type = "AVERAGE"
    for name in ("left", "right"):
        target = driver.variables.new().targets[0]
        target.id_type, target.id = "KEY", face.data.shape_keys
        target.data_path = f'key_blocks["{name}"].value'
    bpy.ops.photorig.rows_from_drivers()
    rows = [modules.mapping_rows.row_of(item) for item in scene.camera.data.photorig.mapping]
    assert [(row.source.control, row.amount) for row in rows] == [("left", 0.5), ("right", 0.5)]
    face.data.shape_keys.key_blocks["left"].value = 0.5
    assert evaluated(scene).browInnerUp == pytest.approx(0.25)


def test_undo_and_redo_keep_rows_and_drivers_together(
    scene: bpy.types.Scene, modules: SimpleNamespace, jaw: SimpleNamespace
) -> None:
    bpy.ops.ed.undo_push(message="before")
    scene.camera.data.photorig.mapping[0].parameter = "mouthPucker"
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    assert scene.camera.data.photorig.mapping[0].parameter == "jawOpen"
    assert evaluated(scene).jawOpen == pytest.approx(0.4)
    bpy.ops.ed.redo()
    scene = bpy.context.scene
    assert scene.camera.data.photorig.mapped_parameters == "mouthPucker"
    assert evaluated(scene).mouthPucker == pytest.approx(0.4)
    assert [c.data_path for c in scene.camera.data.animation_data.drivers] == [
        "photorig.mouthPucker"
    ]


def test_rows_survive_saving_and_reloading(
    scene: bpy.types.Scene, jaw: SimpleNamespace, tmp_path: Path
) -> None:
    jaw.item.amount = 0.5
    blend = str(tmp_path / "mapped.blend")
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=blend)
    scene = bpy.context.scene
    item = scene.camera.data.photorig.mapping[0]
    assert (item.owner.name, item.control, item.amount) == ("Face", "open", 0.5)
    assert evaluated(scene).jawOpen == pytest.approx(0.2)
    item.amount = 1.0
    assert evaluated(scene).jawOpen == pytest.approx(0.4)


@pytest.mark.parametrize("override", [False, True], ids=["linked", "overridden"])
def test_a_rig_from_another_file_drives_as_well(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path, override: bool
) -> None:
    face = add_face(scene, "Linked Face", ("jawOpen",))
    armature = add_armature(scene, "Linked Rig", ("head",))
    face.data.shape_keys.key_blocks["jawOpen"].value = 0.3
    armature.pose.bones["head"].location = (0.02, 0, 0)
    library = str(tmp_path / "rig.blend")
    bpy.data.libraries.write(library, {face, armature})
    for item in (face, armature):
        bpy.data.objects.remove(item)
    with bpy.data.libraries.load(library, link=True) as (_, linked):
        linked.objects = ["Linked Face", "Linked Rig"]
    objects = [bpy.data.objects[name] for name in ("Linked Face", "Linked Rig")]
    if override:
        objects = [item.override_create(remap_local_usages=True) for item in objects]
    for item in objects:
        scene.collection.objects.link(item)
        assert item.library is not None or item.override_library is not None
    bpy.context.view_layer.update()
    select(*objects)
    bpy.ops.photorig.detect_rig()
    parameters = evaluated(scene)
    assert parameters.jawOpen == pytest.approx(0.3)
    assert parameters.headX == pytest.approx(2.0, abs=1e-3)
    if override:
        objects[1].pose.bones["head"].location = (0.05, 0, 0)
        assert evaluated(scene).headX == pytest.approx(5.0, abs=1e-3)
