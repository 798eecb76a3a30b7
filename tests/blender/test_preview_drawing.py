"""What the graphics card makes of a picture, drawn without a window."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import gpu
import numpy as np
import pytest
from mathutils import Matrix

EDGE = 64


@pytest.fixture
def drawing(scene: bpy.types.Scene, addon: Any) -> Iterator[SimpleNamespace]:
    """The drawing modules, with the graphics card ready."""
    if hasattr(gpu, "init"):
        gpu.init()
    else:
        scene.render.engine = "BLENDER_WORKBENCH"
        scene.render.resolution_x = scene.render.resolution_y = 16
        bpy.ops.render.render()
    names = ("shapes", "textures", "frame_cache", "placement", "rendered_view")
    package = addon.__name__
    loaded = {name: importlib.import_module(f"{package}.preview.{name}") for name in names}
    yield SimpleNamespace(**loaded)
    loaded["textures"].clear()
    loaded["shapes"].forget()


def picture(drawing: SimpleNamespace, name: str, pixels: np.ndarray) -> Any:
    return drawing.frame_cache.Picture((name, b"", 0, "", "", ""), pixels)


def on_target(width: int, height: int, draw: Callable[[], None]) -> np.ndarray:
    """(height, width, 4) float32, rows from the top: what is drawn into an empty target."""
    target = gpu.types.GPUOffScreen(width, height, format="RGBA32F")
    with target.bind():
        frame = gpu.state.active_framebuffer_get()
        frame.clear(color=(0.0, 0.0, 0.0, 0.0))
        gpu.state.viewport_set(0, 0, width, height)
        with gpu.matrix.push_pop():
            gpu.matrix.load_matrix(Matrix.Identity(4))
            scale = Matrix.Diagonal((2 / width, 2 / height, 1, 1))
            gpu.matrix.load_projection_matrix(Matrix.Translation((-1, -1, 0)) @ scale)
            draw()
        buffer = frame.read_color(0, 0, width, height, 4, 0, "FLOAT")
    target.free()
    return np.array(buffer.to_list(), np.float32).reshape(height, width, 4)[::-1]


def drawn(drawing: SimpleNamespace, shown: Any, corners: Any, **options: Any) -> np.ndarray:
    """(EDGE, EDGE, 4) float32, rows from the top: a picture drawn into an empty target."""

    def draw() -> None:
        texture = drawing.textures.texture_of(shown)
        drawing.shapes.draw_picture(texture, corners, **options)

    return on_target(EDGE, EDGE, draw)


def noise(edge: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (edge, edge, 3), np.uint8)


def test_a_picture_of_the_size_of_its_rectangle_is_drawn_byte_for_byte(
    drawing: SimpleNamespace,
) -> None:
    pixels = noise(EDGE)
    whole = drawing.placement.Rectangle(0, 0, EDGE, EDGE)
    result = drawn(drawing, picture(drawing, "same", pixels), whole)
    np.testing.assert_array_equal(np.rint(result[..., :3] * 255), pixels)
    assert (result[..., 3] == 1).all()


def test_a_rendered_viewport_gets_the_linear_values_of_a_render(
    drawing: SimpleNamespace, modules: SimpleNamespace
) -> None:
    pixels = noise(EDGE)
    whole = drawing.placement.Rectangle(0, 0, EDGE, EDGE)
    result = drawn(drawing, picture(drawing, "linear", pixels), whole, to_linear=True)
    expected = modules.canvas.SRGB_TO_LINEAR[pixels]
    np.testing.assert_allclose(result[..., :3], expected, atol=2e-5)


def test_a_smaller_rectangle_shows_means_and_no_chosen_pixels(drawing: SimpleNamespace) -> None:
    pixels = noise(2 * EDGE)
    whole = drawing.placement.Rectangle(0, 0, EDGE, EDGE)
    result = drawn(drawing, picture(drawing, "half", pixels), whole)
    expected = pixels.reshape(EDGE, 2, EDGE, 2, 3).mean((1, 3)) / 255
    np.testing.assert_allclose(result[..., :3], expected, atol=2e-3)


def test_a_transparent_picture_and_one_in_a_corner(drawing: SimpleNamespace) -> None:
    white = np.full((EDGE, EDGE, 3), 255, np.uint8)
    corners = [(0, 0), (EDGE / 2, 0), (EDGE / 2, EDGE / 2), (0, EDGE / 2)]
    result = drawn(drawing, picture(drawing, "white", white), corners, opacity=0.25)
    np.testing.assert_allclose(result[EDGE // 2 :, : EDGE // 2], 0.25, atol=1e-6)
    assert result[: EDGE // 2].max() == 0
    assert result[:, EDGE // 2 :].max() == 0


def test_a_large_picture_is_prepared_before_it_is_drawn(drawing: SimpleNamespace) -> None:
    shown = picture(drawing, "large", noise(1024))
    assert drawing.textures.texture_of(shown) is None
    turns = 0
    while not drawing.textures.go_on():
        assert drawing.textures.is_busy()
        turns += 1
    assert not drawing.textures.is_busy()
    texture = drawing.textures.texture_of(shown)
    assert (texture.width, texture.height) == (1024, 1024)


def in_viewport(
    drawing: SimpleNamespace, scene: bpy.types.Scene, shown: Any, width: int, height: int
) -> np.ndarray:
    """(height, width, 3) float32, rows from the top: a viewport in rendered shading that shows
    this picture and does not look through the camera."""
    live = drawing.rendered_view.live.live
    follower = live.followers.setdefault(scene.session_uid, live.follower_of(scene))
    follower.shown = shown
    region = SimpleNamespace(x=0, y=0, width=width, height=height, type="WINDOW")
    context = SimpleNamespace(
        scene=scene,
        region=region,
        area=SimpleNamespace(regions=[], spaces=SimpleNamespace(active=None)),
        space_data=SimpleNamespace(),
        region_data=SimpleNamespace(view_perspective="PERSP"),
    )
    try:
        return on_target(width, height, lambda: drawing.rendered_view._draw(context))[..., :3]
    finally:
        live.forget()


@pytest.mark.parametrize("framing", ["FIT", "FILL", "EXACT"])
@pytest.mark.parametrize("resolution", [(64, 40), (40, 64), (320, 300)])
def test_rendered_shading_puts_the_face_where_the_render_does(
    drawing: SimpleNamespace,
    scene: bpy.types.Scene,
    modules: SimpleNamespace,
    framing: str,
    resolution: tuple[int, int],
) -> None:
    scene.render.resolution_x, scene.render.resolution_y = resolution
    settings = scene.camera.data.photorig
    settings.framing, settings.size = framing, "256"
    smooth = np.linspace(0, 255, 256, dtype=np.uint8)
    pixels = np.stack(np.broadcast_arrays(smooth[:, None], smooth, np.uint8(90)), -1)
    shown = picture(drawing, f"laid {framing} {resolution}", pixels)
    seen = in_viewport(drawing, scene, shown, *resolution)
    canvas = modules.render_settings.canvas_of(scene, scene.camera.data)
    rendered = modules.colour.render_pixels(pixels, canvas)[::-1, :, :3]
    inner = np.s_[2:-2, 2:-2]  # a filtered edge may be a pixel wide
    assert np.abs(seen - rendered)[inner].mean() < 0.003
    assert (rendered[..., 2] == 0).mean() == pytest.approx((seen[..., 2] == 0).mean(), abs=0.04)


def test_rendered_shading_covers_what_the_render_cuts_off(
    drawing: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    scene.render.resolution_x, scene.render.resolution_y = 64, 32
    scene.camera.data.photorig.framing, scene.camera.data.photorig.size = "FILL", "256"
    white = picture(drawing, "cut off", np.full((256, 256, 3), 255, np.uint8))
    seen = in_viewport(drawing, scene, white, 64, 64)
    assert (seen[16:48] == 1).all()
    assert seen[:15].max() < 0.1
    assert seen[49:].max() < 0.1


def test_a_crop_stands_at_its_place_before_the_whole_photo_has_come(
    drawing: SimpleNamespace, scene: bpy.types.Scene, portrait: Path
) -> None:
    settings = scene.camera.data.photorig
    settings.portrait_path, settings.size = str(portrait), "FULL"
    scene.render.resolution_x, scene.render.resolution_y = 80, 60
    live = drawing.rendered_view.live.live
    live._portraits[scene.session_uid] = str(portrait)
    white = picture(drawing, "in photo", np.full((256, 256, 3), 255, np.uint8))
    seen = in_viewport(drawing, scene, white, 80, 60)
    assert (seen[:, :59] == 1).all(), "the test photo's face is its left 30 of 40 pixels"
    assert seen[:, 61:].max() == 0
