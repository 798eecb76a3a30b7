"""F12 and Ctrl-F12: the worker's very pixels, or an error and no file."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from portrait_files import read_pixels

pytestmark = pytest.mark.shared_worker


def _render_still(scene: bpy.types.Scene, path: Path) -> Path:
    scene.render.filepath = str(path.with_suffix(""))
    bpy.ops.render.render(write_still=True)
    return path


def _worker_png(scene: bpy.types.Scene, modules: SimpleNamespace, path: Path) -> Path:
    """The worker's own PNG of the scene's present frame."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    camera = scene.camera.evaluated_get(depsgraph).data
    link = modules.link.link
    link.client.upload_portrait(modules.frame_request.portrait_of(camera).content)
    request = modules.frame_request.frame_request(camera, scene.frame_current)
    path.write_bytes(link.client.request_frame(request, codec="png").image)
    return path


def test_f12_gives_the_workers_pixels(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    shot.frame_set(3)
    still = _render_still(shot, tmp_path / "still.png")
    expected = read_pixels(_worker_png(shot, modules, tmp_path / "worker.png"))
    np.testing.assert_array_equal(read_pixels(still), expected)


def test_every_byte_value_survives_the_way_through_blender(modules: SimpleNamespace) -> None:
    table = modules.canvas.SRGB_TO_LINEAR.astype(np.float64)
    encoded = np.where(
        table <= 0.0031308, table * 12.92, 1.055 * np.maximum(table, 1e-9) ** (1 / 2.4) - 0.055
    )
    np.testing.assert_array_equal(np.rint(encoded * 255), np.arange(256))


def test_an_animation_uses_the_parameters_of_each_frame(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    shot.render.filepath = str(tmp_path / "anim_")
    bpy.ops.render.render(animation=True)
    pictures = [read_pixels(tmp_path / f"anim_{frame:04d}.png") for frame in range(1, 5)]
    assert all((pictures[0] != other).any() for other in pictures[1:])
    assert card_worker.read_text().split() == ["1", "2", "3", "4"]


def test_a_render_of_another_size_is_scaled_and_letterboxed(
    shot: bpy.types.Scene, tmp_path: Path
) -> None:
    shot.render.resolution_x, shot.render.resolution_y = 200, 100
    pixels = read_pixels(_render_still(shot, tmp_path / "wide.png"))
    assert pixels.shape == (100, 200, 3)
    assert pixels[:, :50].max() == 0
    assert pixels[:, 150:].max() == 0
    assert pixels[:, 50:150].min() > 0


def test_a_render_region_is_a_part_of_the_whole(shot: bpy.types.Scene, tmp_path: Path) -> None:
    whole = read_pixels(_render_still(shot, tmp_path / "whole.png"))
    render = shot.render
    render.use_border = render.use_crop_to_border = True
    render.border_min_x, render.border_max_x = 0.25, 0.75
    render.border_min_y, render.border_max_y = 0.5, 1.0
    part = read_pixels(_render_still(shot, tmp_path / "part.png"))
    np.testing.assert_array_equal(part, whole[:128, 64:192])


def test_camera_markers_cut_between_portraits(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    from portrait_files import write_portrait

    second = bpy.data.objects.new("Second", bpy.data.cameras.new("Second"))
    shot.collection.objects.link(second)
    other = write_portrait(tmp_path / "other.portrait", modules.schema.FACE_SCHEMA.hash, seed=5)
    second.data.photorig.portrait_path = str(other)
    second.data.photorig.size = "256"
    first = shot.camera
    for camera, frame in ((first, 1), (second, 3)):
        shot.timeline_markers.new(camera.name, frame=frame).camera = camera
    plan = modules.sequence_job.plan_sequence(bpy.context, shot, tmp_path)
    ids = [request.portrait for request in plan.requests]
    one, two = first.data.photorig.portrait_id, second.data.photorig.portrait_id
    assert ids == [one, one, two, two]


@pytest.mark.own_worker
@pytest.mark.parametrize("still", [True, False])
def test_a_worker_that_dies_gives_an_error_and_no_black_frame(
    shot: bpy.types.Scene,
    modules: SimpleNamespace,
    tmp_path: Path,
    still: bool,
) -> None:
    os.environ["PHOTORIG_TEST_DELAY"] = "30"
    bpy.ops.photorig.start_worker()
    pid = modules.link.link.connection.pid
    killer = subprocess.Popen(["sh", "-c", f"sleep 1.5; kill -{int(signal.SIGKILL)} {pid}"])
    shot.render.filepath = str(tmp_path / "frame_")
    with pytest.raises(RuntimeError, match=r"worker|connection"):
        bpy.ops.render.render(write_still=still, animation=not still)
    killer.wait()
    assert not list(tmp_path.glob("frame_*"))


@pytest.mark.own_worker
def test_a_missing_worker_program_gives_an_error_and_no_file(
    shot: bpy.types.Scene, addon, tmp_path: Path
) -> None:
    preferences = bpy.context.preferences.addons[addon.__name__].preferences
    preferences.executable = str(tmp_path / "nothing")
    with pytest.raises(RuntimeError, match="not there or cannot be run"):
        _render_still(shot, tmp_path / "still.png")
    assert not (tmp_path / "still.png").exists()


@pytest.mark.own_worker
def test_no_worker_is_started_where_the_preferences_forbid_it(
    shot: bpy.types.Scene, addon, tmp_path: Path
) -> None:
    bpy.context.preferences.addons[addon.__name__].preferences.auto_start = False
    with pytest.raises(RuntimeError, match="No worker is running"):
        _render_still(shot, tmp_path / "still.png")


def test_a_camera_without_a_portrait_gives_an_error_that_says_so(
    scene: bpy.types.Scene, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="has no portrait"):
        _render_still(scene, tmp_path / "still.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.own_worker
def test_a_worker_that_failed_is_started_again_by_the_next_render(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    bpy.ops.photorig.start_worker()
    link = modules.link.link
    os.kill(link.connection.pid, signal.SIGKILL)
    while link.process.is_running:
        time.sleep(0.01)
    _render_still(shot, tmp_path / "still.png")
    assert (tmp_path / "still.png").exists()


@pytest.mark.parametrize("animation", [True, False])
def test_written_pngs_say_that_a_model_made_the_face(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path, animation: bool
) -> None:
    shot.frame_end = 1
    shot.render.filepath = str(tmp_path / "frame_")
    bpy.ops.render.render(animation=animation, write_still=not animation)
    (path,) = tmp_path.glob("frame_*.png")
    found = modules.provenance.read_provenance(path.read_bytes())
    assert found.digital_source_type == modules.provenance.DIGITAL_SOURCE_TYPE
    assert found.model_id == "card"


@pytest.mark.parametrize("form", ["TIFF", "WEBP", "JPEG", "OPEN_EXR"])
def test_files_of_every_format_tell_the_model_and_can_be_read(
    shot: bpy.types.Scene, tmp_path: Path, form: str
) -> None:
    shot.render.image_settings.file_format = form
    shot.render.filepath = str(tmp_path / "still")
    bpy.ops.render.render(write_still=True)
    (path,) = tmp_path.glob("still.*")
    content = path.read_bytes()
    assert (b"PhotorigModelId" if form == "OPEN_EXR" else b'photorig:ModelId="card"') in content
    image = bpy.data.images.load(str(path))
    assert tuple(image.size) == (256, 256) and image.pixels[0] >= 0


def test_inexact_colours_are_pointed_out_and_can_be_put_right(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    scene.view_settings.view_transform = "AgX"
    scene.render.dither_intensity = 1.0
    problem = modules.render_settings.colour_problem(scene)
    assert "AgX" in problem
    assert "dither" in problem
    bpy.ops.photorig.use_exact_colours()
    assert modules.render_settings.colour_problem(scene) == ""
