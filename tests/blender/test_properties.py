"""The parameters on camera data: animatable, saved with the file, turned into requests."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest


def _evaluated_camera(scene: bpy.types.Scene) -> bpy.types.Camera:
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return scene.camera.evaluated_get(depsgraph).data


def test_there_is_one_number_for_each_parameter(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    settings = scene.camera.data.photorig
    for parameter in modules.schema.FACE_SCHEMA.parameters:
        described = settings.bl_rna.properties[parameter.id]
        assert getattr(settings, parameter.id) == parameter.default
        assert described.is_animatable
        assert (described.soft_min, described.soft_max) == (parameter.minimum, parameter.maximum)
        assert (described.hard_min, described.hard_max) == (parameter.least, parameter.maximum)


def test_keyframes_animate_a_parameter(scene: bpy.types.Scene) -> None:
    settings = scene.camera.data.photorig
    for frame, value in ((1, 0.0), (11, 1.0)):
        settings.jawOpen = value
        settings.keyframe_insert("jawOpen", frame=frame)
    scene.frame_set(6)
    assert _evaluated_camera(scene).photorig.jawOpen == pytest.approx(0.5, abs=1e-3)


def test_a_request_holds_the_evaluated_parameters_in_schema_order(
    scene: bpy.types.Scene, modules: SimpleNamespace, portrait: Path
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    settings = scene.camera.data.photorig
    settings.headYaw, settings.tongueOut = 12.5, 0.25
    settings.size, settings.mode = "FULL", "ABSOLUTE"
    scene.frame_set(3)
    request = modules.frame_request.frame_request(_evaluated_camera(scene), 3)
    expected = modules.schema.FACE_SCHEMA.vector({"headYaw": 12.5, "tongueOut": 0.25})
    np.testing.assert_array_equal(request.parameters, expected)
    assert (request.size, request.mode, request.frame) == ("full", "absolute", 3)
    assert request.portrait == settings.portrait_id


def test_a_difference_below_zero_is_animated_and_asked_for(
    scene: bpy.types.Scene, modules: SimpleNamespace, portrait: Path
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    settings = scene.camera.data.photorig
    for frame, value in ((1, 0.0), (11, -0.5)):
        settings.mouthSmileLeft = value
        settings.keyframe_insert("mouthSmileLeft", frame=frame)
    scene.frame_set(6)
    request = modules.frame_request.frame_request(_evaluated_camera(scene), 6)
    smile = modules.schema.FACE_SCHEMA.index["mouthSmileLeft"]
    assert request.parameters[smile] == pytest.approx(-0.25, abs=1e-3)
    settings.mode = "ABSOLUTE"
    request = modules.frame_request.frame_request(_evaluated_camera(scene), 6)
    assert request.parameters[smile] == 0, "a face does not show less than nothing"


def test_neutral_is_animated_and_asked_for_in_relative_mode(
    scene: bpy.types.Scene, modules: SimpleNamespace, portrait: Path
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    settings = scene.camera.data.photorig
    assert modules.frame_request.frame_request(_evaluated_camera(scene), 1).neutral == 0
    for frame, value in ((1, 0.0), (11, 1.0)):
        settings.photo_neutral = value
        settings.keyframe_insert("photo_neutral", frame=frame)
    scene.frame_set(6)
    request = modules.frame_request.frame_request(_evaluated_camera(scene), 6)
    assert request.neutral == pytest.approx(0.5, abs=1e-3)
    settings.mode = "ABSOLUTE"
    assert modules.frame_request.frame_request(_evaluated_camera(scene), 6).neutral == 0


def test_gain_and_mirror_of_a_shot_reach_the_request_but_not_the_sliders(
    scene: bpy.types.Scene, modules: SimpleNamespace, portrait: Path
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    settings = scene.camera.data.photorig
    settings.headYaw, settings.mouthSmileLeft = 10, 0.4
    settings.gain_mouth, settings.mirror = 2.0, True
    request = modules.frame_request.frame_request(_evaluated_camera(scene), 1)
    expected = modules.schema.FACE_SCHEMA.vector({"headYaw": -10, "mouthSmileRight": 0.8})
    np.testing.assert_allclose(request.parameters, expected, atol=1e-6)
    assert settings.mouthSmileLeft == pytest.approx(0.4)


def test_loading_a_portrait_keeps_its_id_and_name(scene: bpy.types.Scene, portrait: Path) -> None:
    import hashlib

    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    settings = scene.camera.data.photorig
    assert settings.portrait_id == hashlib.sha256(portrait.read_bytes()).hexdigest()
    assert settings.portrait_name == "Test Face"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.portrait", None, "no portrait file"),
        ("photo.jpg", b"jpeg", "is no .portrait file"),
        ("broken.portrait", b"\x08\0\0\0\0\0\0\0nonsense", "damaged"),
        ("empty.portrait", b"", "damaged"),
    ],
)
def test_a_file_that_is_no_portrait_is_refused(
    scene: bpy.types.Scene, tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.photorig.load_portrait(filepath=str(path))
    assert scene.camera.data.photorig.portrait_id == ""


def test_a_portrait_that_changed_on_disk_is_noticed(
    scene: bpy.types.Scene, portrait: Path, modules: SimpleNamespace
) -> None:
    from portrait_files import write_portrait

    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    write_portrait(portrait, modules.schema.FACE_SCHEMA.hash, seed=1)
    with pytest.raises(modules.errors.InputError, match="is not the portrait"):
        modules.frame_request.portrait_of(scene.camera.data)


def test_saving_and_reloading_keeps_portrait_parameters_and_animation(
    scene: bpy.types.Scene, portrait: Path, tmp_path: Path
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    settings = scene.camera.data.photorig
    settings.size, settings.mouthSmileLeft = "1024", 0.7
    settings.headRoll = 5.0
    settings.keyframe_insert("headRoll", frame=1)
    identity = settings.portrait_id
    blend = str(tmp_path / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=blend)
    settings = bpy.context.scene.camera.data.photorig
    assert settings.portrait_id == identity
    assert settings.size == "1024"
    assert settings.mouthSmileLeft == pytest.approx(0.7)
    assert settings.id_data.animation_data.action is not None


def test_a_portrait_beside_the_file_is_found_by_a_relative_path(
    scene: bpy.types.Scene, portrait: Path, modules: SimpleNamespace
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(portrait.with_name("shot.blend")))
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    assert bpy.context.scene.camera.data.photorig.portrait_path == "//face.portrait"
    found = modules.frame_request.portrait_of(bpy.context.scene.camera.data)
    assert found.path == portrait
    assert found.photo_size == (40, 30)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"jawOpen":' * 50_000,
        '{"jawOpen": 1' + "0" * 400 + "}",
        '{"jawOpen": Infinity, "headYaw": NaN}',
        '{"jawOpen": 1e999}',
        '{"x": "\\ud800"}',
        "[]",
        "7",
        '{"parameters": 7, "name": {}}',
    ],
)
def test_what_a_stranger_wrote_into_a_file_counts_as_nothing(
    scene: bpy.types.Scene, modules: SimpleNamespace, text: str
) -> None:
    settings = scene.camera.data.photorig
    for name in ("photo_parameters", "photo_reach", "neutral", "extra_parameters"):
        setattr(settings, name, text)
    assert not modules.properties.photo_parameters(settings)
    assert modules.properties.photo_reach(settings, "bundle") == {}
    assert modules.extra_parameters.schema_of(scene.camera.data).ids == (
        modules.schema.FACE_SCHEMA.ids
    )
    modules.properties.neutral_of(settings)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
def test_a_pipe_with_the_name_of_a_photo_is_a_sentence(
    modules: SimpleNamespace, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "photo.jpg")
    with pytest.raises(modules.errors.InputError, match="no ordinary file"):
        modules.portrait_fit._read_photo(tmp_path / "photo.jpg")
