"""Render to Sequencer makes what F12 makes, as large as that, and finds its strip again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from portrait_files import read_pixels
from renders import floats, still

pytestmark = pytest.mark.shared_worker


def render(scene: bpy.types.Scene, path: Path) -> None:
    """Render to Sequencer into the scene's output path."""
    scene.render.filepath = str(path)
    bpy.ops.photorig.render_to_sequencer()


def strips(scene: bpy.types.Scene, modules: SimpleNamespace) -> list[Any]:
    return list(modules.compat.strips_of(scene.sequence_editor))


def scale_of(strip: Any) -> tuple[float, float]:
    return round(strip.transform.scale_x, 4), round(strip.transform.scale_y, 4)


@pytest.mark.parametrize(
    "name", ["shot_####_v002", "v3_####", "####", "take.7_##_b4", "a_", "12_#####_5_6"]
)
def test_a_strip_is_found_again_by_its_pattern(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path, name: str
) -> None:
    render(shot, tmp_path / name)
    shot.frame_start, shot.frame_end = 3, 6
    render(shot, tmp_path / name)
    (strip,) = strips(shot, modules)
    assert strip.elements[0].filename == Path(shot.render.frame_path(frame=3)).name
    assert len(strip.elements) == 4


def test_another_version_is_another_strip(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    for name in ("shot_####_v002", "shot_####_v003"):
        render(shot, tmp_path / name)
    assert len(strips(shot, modules)) == 2


def test_a_strip_of_an_earlier_version_is_found_by_its_files(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    render(shot, tmp_path / "shot_####_v002")
    (strip,) = strips(shot, modules)
    for name in ("photorig_pattern", "photorig_size", "photorig_fitted"):
        del strip[name]
    shot.frame_start = 2
    render(shot, tmp_path / "shot_####_v002")
    assert len(strips(shot, modules)) == 1


@pytest.mark.parametrize("framing", ["FIT", "FILL", "EXACT"])
@pytest.mark.parametrize(("percentage", "aspect"), [(100, 1.0), (50, 1.0), (100, 1.5)])
def test_its_files_are_what_f12_renders_in_the_scenes_resolution(
    shot: bpy.types.Scene, tmp_path: Path, framing: str, percentage: int, aspect: float
) -> None:
    settings = shot.render
    settings.resolution_x, settings.resolution_y = 480, 270
    settings.resolution_percentage, settings.pixel_aspect_x = percentage, aspect
    shot.camera.data.photorig.framing = framing
    shot.frame_end = 1
    wanted = still(shot, tmp_path / "f12.png")
    render(shot, tmp_path / "shot_")
    made = read_pixels(tmp_path / "shot_0001.png")
    assert made.shape == wanted.shape
    assert np.abs(made.astype(int) - wanted).max() <= 1, "a rounding at most"
    assert made.std() > 10, "and there is something to see"


def test_so_are_linear_files(shot: bpy.types.Scene, tmp_path: Path) -> None:
    shot.render.resolution_x, shot.render.resolution_y = 480, 270
    shot.frame_end = 1
    wanted = floats(shot, tmp_path / "f12.exr")
    render(shot, tmp_path / "shot_")
    shot.render.filepath = str(tmp_path / "shot_0001")
    image = bpy.data.images.load(str(tmp_path / "shot_0001.exr"))
    values = np.empty(480 * 270 * 4, np.float32)
    image.pixels.foreach_get(values)
    made = values.reshape(270, 480, 4)[::-1]
    np.testing.assert_allclose(made[..., :3], wanted[..., :3], atol=1e-6)


def test_match_resolution_after_a_render_refits_the_strip(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    shot.render.resolution_x, shot.render.resolution_y = 480, 270
    render(shot, tmp_path / "shot_")
    (strip,) = strips(shot, modules)
    assert scale_of(strip) == (1.0, 1.0)
    bpy.ops.photorig.use_picture_size()
    assert (shot.render.resolution_x, shot.render.resolution_y) == (256, 256)
    assert scale_of(strip) == (round(256 / 480, 4),) * 2, "all of the old frames is seen"
    render(shot, tmp_path / "shot_")
    assert scale_of(strip) == (1.0, 1.0), "the new frames are as large as the scene"
    assert read_pixels(tmp_path / "shot_0001.png").shape[:2] == (256, 256)


def test_a_strip_that_a_person_has_scaled_keeps_its_scale(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    shot.render.resolution_x, shot.render.resolution_y = 480, 270
    render(shot, tmp_path / "shot_")
    (strip,) = strips(shot, modules)
    strip.transform.scale_x = strip.transform.scale_y = 0.4
    bpy.ops.photorig.use_picture_size()
    render(shot, tmp_path / "shot_")
    assert scale_of(strip) == (0.4, 0.4)


def test_the_sequencer_shows_what_f12_shows(shot: bpy.types.Scene, tmp_path: Path) -> None:
    shot.render.resolution_x, shot.render.resolution_y = 480, 270
    shot.frame_end = 1
    wanted = still(shot, tmp_path / "f12.png")
    render(shot, tmp_path / "shot_")
    shot.render.use_sequencer = True
    shown = still(shot, tmp_path / "edit.png")
    assert np.abs(shown.astype(int) - wanted).max() <= 1


def test_a_photo_that_fills_the_scene_keeps_its_face_in_the_middle(
    shot: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    canvas = modules.canvas.Canvas(100, 50, "FILL", centre=(0.5, 0.1))
    assert canvas.place_of(100, 200) == (0, 0, 100, 200), "as far as the photo goes"
    canvas = modules.canvas.Canvas(100, 50, "FILL", centre=(0.5, 0.3))
    assert canvas.place_of(100, 200) == (0, -35, 100, 200)
