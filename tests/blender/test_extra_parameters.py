"""A newer worker's parameters are sliders, keyframes and pixels like all others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from fake_layout import FakeLayout
from portrait_files import read_pixels
from rigs import add_face, evaluated, select

EAR = "photorig_earLeft"


@pytest.fixture(autouse=True)
def newer_worker() -> Iterator[None]:
    os.environ["PHOTORIG_TEST_NEWER"] = "1"
    yield
    del os.environ["PHOTORIG_TEST_NEWER"]


@pytest.fixture
def newer(shot: bpy.types.Scene, modules: SimpleNamespace) -> Iterator[bpy.types.Camera]:
    """The camera of a shot whose worker knows ears."""
    bpy.ops.photorig.start_worker()
    yield shot.camera.data
    modules.link.link.schema = modules.schema.FACE_SCHEMA
    modules.link.link.responses = {}


def render(scene: bpy.types.Scene, path: Path) -> bytes:
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return read_pixels(path).tobytes()


def test_they_appear_on_the_camera_with_limits_and_a_slider(
    newer: bpy.types.Camera, modules: SimpleNamespace
) -> None:
    shown = newer.id_properties_ui(EAR).as_dict()
    assert (shown["soft_min"], shown["max"], shown["default"]) == (0.0, 1.0, 0.0)
    assert shown["min"] == -1.0, "a difference goes below 0"
    layout = FakeLayout()
    modules.panels.draw_parameters(layout, newer, "test")
    assert layout.find("prop", f'["{EAR}"]').options["text"] == "Ear Left"
    assert layout.has("prop_decorator", f'["{EAR}"]'), "the dot for its keyframes"
    assert layout.has("prop_decorator", "jawOpen")
    assert "Ears" in layout.texts
    assert layout.texts.count("0.00 – 0.30") > 50, "their range stands beside them, too"


def test_their_keyframes_change_the_picture(
    newer: bpy.types.Camera, shot: bpy.types.Scene, tmp_path: Path
) -> None:
    newer.animation_data_clear()  # only the ears shall move
    for frame, value in ((1, 0.0), (3, 0.5)):
        newer[EAR] = value
        newer.keyframe_insert(f'["{EAR}"]', frame=frame)
    pictures = []
    for frame in (1, 2, 3):
        shot.frame_set(frame)
        pictures.append(render(shot, tmp_path / f"{frame}.png"))
    assert len(set(pictures)) == 3


def test_their_values_are_sent_by_id(
    newer: bpy.types.Camera, shot: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    newer[EAR] = 0.5
    request = modules.frame_request.frame_request(newer, 1)
    assert request.extra == {"earLeft": 0.5, "earRight": 0.0}
    newer.photorig.mirror = True
    request = modules.frame_request.frame_request(newer, 1)
    assert request.extra == {"earLeft": 0.0, "earRight": 0.5}


def test_they_stay_in_the_file_without_a_worker_and_reset_with_the_rest(
    newer: bpy.types.Camera, shot: bpy.types.Scene, tmp_path: Path, modules: SimpleNamespace
) -> None:
    newer[EAR] = 0.5
    path = str(tmp_path / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.photorig.stop_worker()
    modules.link.link.schema = modules.schema.FACE_SCHEMA
    bpy.ops.wm.open_mainfile(filepath=path)
    camera = bpy.context.scene.camera.data
    assert modules.frame_request.frame_request(camera, 1).extra["earLeft"] == 0.5
    bpy.ops.photorig.reset_to_photo()
    assert modules.frame_request.frame_request(camera, 1).extra["earLeft"] == 0.0


def test_an_older_worker_renders_the_file_without_them(
    newer: bpy.types.Camera, shot: bpy.types.Scene, tmp_path: Path
) -> None:
    newer[EAR] = 0.5
    bpy.ops.photorig.stop_worker()
    del os.environ["PHOTORIG_TEST_NEWER"]
    try:
        first = render(shot, tmp_path / "with.png")
        newer[EAR] = 0.0
        assert render(shot, tmp_path / "without.png") == first
    finally:
        os.environ["PHOTORIG_TEST_NEWER"] = "1"


def test_one_that_was_deleted_is_at_rest_and_the_panel_says_so(
    newer: bpy.types.Camera, modules: SimpleNamespace
) -> None:
    del newer[EAR]
    assert modules.frame_request.frame_request(newer, 1).extra["earLeft"] == 0.0
    layout = FakeLayout()
    modules.panels.draw_parameters(layout, newer, "test")
    assert "Ear Left was removed from the camera's custom properties" in layout.texts
    modules.link.link.on_timer()
    assert EAR in newer, "it comes back with the worker"


@pytest.fixture
def wiggle(newer: bpy.types.Camera, shot: bpy.types.Scene) -> bpy.types.ShapeKey:
    """A shape key that a row lets drive the left ear, up to half of it, from -1 to 1."""
    face = add_face(shot, "Face", ("jawOpen", "wiggleLeft", "wiggleRight"))
    select(face)
    face.active_shape_key_index = 2
    bpy.ops.photorig.add_mapping_row(parameter="earLeft")
    row = newer.photorig.mapping[0]
    assert (row.control, row.problem) == ("wiggleLeft", "")
    row.amount = 0.5
    return face.data.shape_keys.key_blocks["wiggleLeft"]


def ear_of(scene: bpy.types.Scene) -> float:
    """The left ear with all drivers applied."""
    return float(evaluated(scene).id_data[EAR])


def test_a_row_drives_one_and_lets_it_go_again(
    wiggle: bpy.types.ShapeKey, newer: bpy.types.Camera, shot: bpy.types.Scene
) -> None:
    assert newer.photorig.mapped_parameters == "earLeft"
    for key, ear in ((0.5, 0.25), (1.0, 0.5), (3.0, 1.0), (-3.0, -1.0)):
        wiggle.value = key
        assert ear_of(shot) == pytest.approx(ear), "held to its limits like any other"
    wiggle.value = 0.8
    bpy.ops.photorig.remove_mapping_row()
    assert ear_of(shot) == 0.0
    assert not len(newer.animation_data.drivers)


def test_a_driven_one_changes_the_picture_by_the_rig_alone(
    wiggle: bpy.types.ShapeKey, newer: bpy.types.Camera, shot: bpy.types.Scene, tmp_path: Path
) -> None:
    pictures = []
    for value in (0.0, 0.7):
        wiggle.value = value
        pictures.append(render(shot, tmp_path / f"{value}.png"))
    assert pictures[0] != pictures[1]


def test_rows_are_seen_mirrored_and_read_back_from_drivers(
    wiggle: bpy.types.ShapeKey, newer: bpy.types.Camera, modules: SimpleNamespace
) -> None:
    settings = newer.photorig
    bpy.ops.photorig.mirror_mapping_row()
    assert [(r.control, r.parameter) for r in settings.mapping] == [
        ("wiggleLeft", "earLeft"),
        ("wiggleRight", "earRight"),
    ]
    layout = FakeLayout()
    modules.mapping_panel.PHOTORIG_UL_mapping.draw_item(
        SimpleNamespace(), bpy.context, layout, settings, settings.mapping[0], 0, settings, ""
    )
    assert "Ear Left" in layout.texts
    with modules.mapping_rows.not_compiling():
        settings.mapping.clear()
    bpy.ops.photorig.rows_from_drivers()
    assert [(r.parameter, round(r.amount, 4)) for r in settings.mapping] == [
        ("earLeft", 0.5),
        ("earRight", 0.5),
    ]


def test_a_driven_one_is_baked_to_keyframes(
    wiggle: bpy.types.ShapeKey, newer: bpy.types.Camera, shot: bpy.types.Scene
) -> None:
    for frame, value in ((1, 0.0), (4, 0.6)):
        wiggle.value = value
        wiggle.keyframe_insert("value", frame=frame)
    bpy.ops.photorig.bake_mapping(frame_start=1, frame_end=4)
    assert not newer.photorig.use_mapping
    shot.frame_set(4)
    assert ear_of(shot) == pytest.approx(0.3)
    curves = [c.data_path for c in newer.animation_data.drivers]
    assert curves == []
    shot.frame_set(1)
    assert ear_of(shot) == 0.0


def test_the_pose_can_stand_for_the_photo(
    wiggle: bpy.types.ShapeKey, newer: bpy.types.Camera, shot: bpy.types.Scene
) -> None:
    wiggle.value = -0.4
    bpy.ops.photorig.capture_neutral()
    assert ear_of(shot) == pytest.approx(0.0, abs=1e-6)
    wiggle.value = 0.6
    assert ear_of(shot) == pytest.approx(0.5)


def test_a_row_brings_back_the_property_that_somebody_deleted(
    wiggle: bpy.types.ShapeKey, newer: bpy.types.Camera, shot: bpy.types.Scene
) -> None:
    del newer[EAR]
    newer.photorig.mapping[0].amount = 1.0
    wiggle.value = 0.5
    assert ear_of(shot) == pytest.approx(0.5)


def test_a_preset_keeps_them_and_is_offered_where_the_camera_knows_them(
    wiggle: bpy.types.ShapeKey,
    newer: bpy.types.Camera,
    shot: bpy.types.Scene,
    modules: SimpleNamespace,
) -> None:
    bpy.ops.photorig.export_mapping(label="Ears", filepath="")
    try:
        newer.photorig.mapping.clear()
        bpy.ops.photorig.detect_rig(preset="ears")
        assert [row.parameter for row in newer.photorig.mapping] == ["earLeft"]
        found = modules.connect.detect_rig(bpy.context.selected_objects)
        assert found.coverage("ears") is None, "a camera that does not know ears"
    finally:
        (modules.connect.user_preset_folder() / "ears.json").unlink()
