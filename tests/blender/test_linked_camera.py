"""A camera that came from another file: linked as it is, or overridden to be changed here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from portrait_files import write_portrait
from rigs import add_face, evaluated, select


@pytest.fixture
def library(
    scene: bpy.types.Scene, portrait: Path, modules: SimpleNamespace, tmp_path: Path
) -> Path:
    """A file with a camera that shows a portrait, turned by 10°, and a row that drives a smile."""
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    camera = scene.camera
    camera.name = camera.data.name = "Shot Camera"
    settings = camera.data.photorig
    settings.size, settings.headYaw = "256", 10.0
    face = add_face(scene, "Face", ("mouthSmileLeft",))
    select(face)
    bpy.ops.photorig.detect_rig()
    path = tmp_path / "library.blend"
    bpy.data.libraries.write(str(path), {camera, face})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return path


def link(path: Path, override: bool) -> bpy.types.Object:
    """The camera of a file as the scene's camera."""
    with bpy.data.libraries.load(str(path), link=True) as (_, linked):
        linked.objects = ["Shot Camera", "Face"]
    camera = bpy.data.objects["Shot Camera"]
    scene = bpy.context.scene
    scene.collection.objects.link(camera)
    scene.collection.objects.link(bpy.data.objects["Face"])
    if override:
        camera = camera.override_create(remap_local_usages=True)
        camera.data.override_create(remap_local_usages=True)
    scene.camera = camera
    bpy.context.view_layer.update()
    return camera


def saved_and_opened(path: Path) -> bpy.types.Camera:
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return bpy.context.scene.camera.data


def test_a_linked_camera_shows_its_face_and_says_that_it_is_linked(
    library: Path, modules: SimpleNamespace
) -> None:
    camera = link(library, override=False)
    request = modules.frame_request.frame_request(camera.data, 1)
    assert request.parameters[0] == 10.0
    with pytest.raises(RuntimeError, match="linked from another file"):
        bpy.ops.photorig.reset_to_photo()


def test_what_is_changed_on_an_overridden_camera_stays_in_the_file(
    library: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    data = link(library, override=True).data
    assert data.override_library is not None
    other = write_portrait(tmp_path / "other.portrait", modules.schema.FACE_SCHEMA.hash, "Other")
    bpy.ops.photorig.load_portrait(filepath=str(other))
    data.photorig.jawOpen, data.photorig.mirror, data.photorig.framing = 0.7, True, "FILL"
    data.photorig.gain_mouth = 1.5
    data = saved_and_opened(tmp_path / "shot.blend")
    settings = data.photorig
    assert settings.jawOpen == pytest.approx(0.7)
    assert (settings.mirror, settings.framing, settings.gain_mouth) == (True, "FILL", 1.5)
    assert settings.headYaw == 10.0, "what was not changed is the library's"
    assert settings.portrait_name == "Other"
    assert settings.portrait_id == modules.portrait_file.read_portrait(other).id


def test_an_overridden_camera_can_be_keyed_and_mapped_here(
    library: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    data = link(library, override=True).data
    data.photorig.keyframe_insert("headPitch", frame=1)
    face = add_face(bpy.context.scene, "Own Face", ("jawOpen",))
    select(face)
    bpy.ops.photorig.detect_rig(replace=False)
    face.data.shape_keys.key_blocks["jawOpen"].value = 0.4
    assert evaluated(bpy.context.scene).jawOpen == pytest.approx(0.4)
    data = saved_and_opened(tmp_path / "shot.blend")
    assert modules.compat.curve_of(data, "photorig.headPitch") is not None
    rows = {row.parameter for row in data.photorig.mapping}
    assert rows == {"mouthSmileLeft", "jawOpen"}
    bpy.data.objects["Own Face"].data.shape_keys.key_blocks["jawOpen"].value = 0.9
    assert evaluated(bpy.context.scene).jawOpen == pytest.approx(0.9), "its driver is there again"


def test_rows_of_the_library_are_muted_where_they_should_go(library: Path, tmp_path: Path) -> None:
    data = link(library, override=True).data
    bpy.ops.photorig.remove_mapping_row()
    face = add_face(bpy.context.scene, "Own Face", ("jawOpen",))
    select(face)
    bpy.ops.photorig.detect_rig()
    data = saved_and_opened(tmp_path / "shot.blend")
    assert [(r.parameter, r.mute) for r in data.photorig.mapping] == [
        ("mouthSmileLeft", True),
        ("jawOpen", False),
    ]
    assert data.photorig.mapped_parameters == "jawOpen"
    driven = [curve.data_path for curve in data.animation_data.drivers]
    assert driven == ["photorig.jawOpen"]
    bpy.context.view_layer.objects.active = bpy.context.scene.camera
    data.photorig.mapping_index = 1
    bpy.ops.photorig.remove_mapping_row()
    assert [row.parameter for row in data.photorig.mapping] == ["mouthSmileLeft"]
