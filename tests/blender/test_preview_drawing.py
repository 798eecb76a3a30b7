"""What the graphics card makes of a picture, drawn without a window."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
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
    names = ("shapes", "textures", "frame_cache", "placement")
    package = addon.__name__
    loaded = {name: importlib.import_module(f"{package}.preview.{name}") for name in names}
    yield SimpleNamespace(**loaded)
    loaded["textures"].clear()
    loaded["shapes"].forget()


def picture(drawing: SimpleNamespace, name: str, pixels: np.ndarray) -> Any:
    return drawing.frame_cache.Picture((name, b"", 0, "", "", ""), pixels)


def drawn(drawing: SimpleNamespace, shown: Any, corners: Any, **options: Any) -> np.ndarray:
    """(EDGE, EDGE, 4) float32, rows from the top: a picture drawn into an empty target."""
    target = gpu.types.GPUOffScreen(EDGE, EDGE, format="RGBA32F")
    with target.bind():
        frame = gpu.state.active_framebuffer_get()
        frame.clear(color=(0.0, 0.0, 0.0, 0.0))
        gpu.state.viewport_set(0, 0, EDGE, EDGE)
        with gpu.matrix.push_pop():
            gpu.matrix.load_matrix(Matrix.Identity(4))
            scale = Matrix.Diagonal((2 / EDGE, 2 / EDGE, 1, 1))
            gpu.matrix.load_projection_matrix(Matrix.Translation((-1, -1, 0)) @ scale)
            texture = drawing.textures.texture_of(shown)
            drawing.shapes.draw_picture(texture, corners, **options)
        buffer = frame.read_color(0, 0, EDGE, EDGE, 4, 0, "FLOAT")
    target.free()
    return np.array(buffer.to_list(), np.float32).reshape(EDGE, EDGE, 4)[::-1]


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
    expected = modules.colour.SRGB_TO_LINEAR[pixels]
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
