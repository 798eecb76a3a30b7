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
    modules.worker_link.link.schema = modules.schema.ARKIT_52
    modules.worker_link.link.responses = {}


def render(scene: bpy.types.Scene, path: Path) -> bytes:
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return read_pixels(path).tobytes()


def test_they_appear_on_the_camera_with_limits_and_a_slider(
    newer: bpy.types.Camera, modules: SimpleNamespace
) -> None:
    shown = newer.id_properties_ui(EAR).as_dict()
    assert (shown["min"], shown["max"], shown["default"]) == (0.0, 1.0, 0.0)
    layout = FakeLayout()
    modules.panels.draw_parameters(layout, newer, "test")
    assert layout.find("prop", f'["{EAR}"]').options["text"] == "Ear Left"
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
    modules.worker_link.link.schema = modules.schema.ARKIT_52
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
    modules.worker_link.link.on_timer()
    assert EAR in newer, "it comes back with the worker"
