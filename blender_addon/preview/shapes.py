# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws pictures, frames and text in pixels of a region. Only while Blender draws."""

from __future__ import annotations

from collections.abc import Sequence

import blf
import gpu
from gpu_extras.batch import batch_for_shader

from .placement import Rectangle

Colour = tuple[float, float, float, float]

_VERTEX = """
void main()
{
  uv = corner;
  gl_Position = ModelViewProjectionMatrix * vec4(pos, 0.0, 1.0);
}
"""
# A texture made from Python has no filter of its own, so the shader averages what a pixel covers.
_FRAGMENT = """
vec3 texel(ivec2 at, ivec2 size)
{
  return texelFetch(image, clamp(at, ivec2(0), size - 1), 0).rgb;
}

vec3 between(vec2 at, ivec2 size)
{
  vec2 place = at * vec2(size) - 0.5;
  ivec2 low = ivec2(floor(place));
  vec2 part = place - vec2(low);
  vec3 below = mix(texel(low, size), texel(low + ivec2(1, 0), size), part.x);
  vec3 above = mix(texel(low + ivec2(0, 1), size), texel(low + ivec2(1, 1), size), part.x);
  return mix(below, above, part.y);
}

void main()
{
  ivec2 size = textureSize(image, 0);
  vec2 across = dFdx(uv);
  vec2 up = dFdy(uv);
  float covered = max(length(across * vec2(size)), length(up * vec2(size)));
  int steps = clamp(int(ceil(covered - 0.01)), 1, 6);
  vec3 sum = vec3(0.0);
  for (int row = 0; row < steps; row++) {
    for (int column = 0; column < steps; column++) {
      vec2 shift = (vec2(column, row) + 0.5) / float(steps) - 0.5;
      sum += between(uv + shift.x * across + shift.y * up, size);
    }
  }
  vec3 colour = sum / float(steps * steps);
  if (to_linear != 0 || srgbTarget) {
    vec3 dark = colour / 12.92;
    vec3 light = pow((colour + 0.055) / 1.055, vec3(2.4));
    colour = mix(light, dark, vec3(lessThanEqual(colour, vec3(0.04045))));
  }
  shown = vec4(colour * opacity, opacity);
}
"""

_shaders: dict[str, gpu.types.GPUShader] = {}


def _picture_shader() -> gpu.types.GPUShader:
    if "picture" not in _shaders:
        passed = gpu.types.GPUStageInterfaceInfo("photorig_picture")
        passed.smooth("VEC2", "uv")
        info = gpu.types.GPUShaderCreateInfo()
        info.push_constant("MAT4", "ModelViewProjectionMatrix")
        info.push_constant("FLOAT", "opacity")
        info.push_constant("INT", "to_linear")
        # Blender sets this by its name where the screen encodes what is drawn.
        info.push_constant("BOOL", "srgbTarget")
        info.sampler(0, "FLOAT_2D", "image")
        info.vertex_in(0, "VEC2", "pos")
        info.vertex_in(1, "VEC2", "corner")
        info.vertex_out(passed)
        info.fragment_out(0, "VEC4", "shown")
        info.vertex_source(_VERTEX)
        info.fragment_source(_FRAGMENT)
        _shaders["picture"] = gpu.shader.create_from_info(info)
    return _shaders["picture"]


def _corners(rectangle: Rectangle) -> list[tuple[float, float]]:
    right, top = rectangle.x + rectangle.width, rectangle.y + rectangle.height
    return [
        (rectangle.x, rectangle.y),
        (right, rectangle.y),
        (right, top),
        (rectangle.x, top),
    ]


def draw_picture(
    texture: gpu.types.GPUTexture,
    corners: Rectangle | Sequence[tuple[float, float]],
    opacity: float = 1.0,
    to_linear: bool = False,
) -> None:
    """A texture of sRGB values in a rectangle or another parallelogram.

    Args:
        corners: lower left, lower right, upper right, upper left.
        to_linear: whether the target holds scene-linear values, as a render's does.
    """
    if isinstance(corners, Rectangle):
        corners = _corners(corners)
    shader = _picture_shader()
    low_left, low_right, high_right, high_left = corners
    places = [low_left, low_right, high_left, high_right]
    texture_corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
    batch = batch_for_shader(shader, "TRI_STRIP", {"pos": places, "corner": texture_corners})
    _set_state("ALPHA_PREMULT")
    shader.bind()
    matrix = gpu.matrix.get_projection_matrix() @ gpu.matrix.get_model_view_matrix()
    shader.uniform_float("ModelViewProjectionMatrix", matrix)
    shader.uniform_float("opacity", opacity)
    shader.uniform_int("to_linear", int(to_linear))
    shader.uniform_sampler("image", texture)
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def draw_box(rectangle: Rectangle, colour: Colour) -> None:
    """A filled rectangle."""
    low_left, low_right, high_right, high_left = _corners(rectangle)
    _draw_flat("TRI_STRIP", [low_left, low_right, high_left, high_right], colour)


def draw_frame(rectangle: Rectangle, colour: Colour) -> None:
    """The outline of a rectangle, one pixel wide."""
    right, top = rectangle.width - 1, rectangle.height - 1
    for x, y, width, height in (
        (0, 0, rectangle.width, 1),
        (0, top, rectangle.width, 1),
        (0, 0, 1, rectangle.height),
        (right, 0, 1, rectangle.height),
    ):
        draw_box(Rectangle(rectangle.x + x, rectangle.y + y, width, height), colour)


def draw_triangle(corners: Sequence[tuple[float, float]], colour: Colour) -> None:
    _draw_flat("TRIS", corners, colour)


def _set_state(blend: str) -> None:
    """Whatever was drawn before, nothing here is hidden by depth or by its back."""
    gpu.state.blend_set(blend)
    gpu.state.depth_test_set("NONE")
    gpu.state.face_culling_set("NONE")


def _draw_flat(kind: str, corners: Sequence[tuple[float, float]], colour: Colour) -> None:
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    batch = batch_for_shader(shader, kind, {"pos": [(x, y, 0.0) for x, y in corners]})
    _set_state("ALPHA")
    shader.bind()
    shader.uniform_float("color", colour)
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def text_size(text: str, points: float) -> tuple[float, float]:
    """(width, height) in pixels."""
    blf.size(0, points)
    width, _ = blf.dimensions(0, text)
    _, height = blf.dimensions(0, "Xg")
    return width, height


def draw_text(text: str, x: float, y: float, points: float, colour: Colour) -> None:
    """A line of text that begins at (x, y)."""
    blf.size(0, points)
    blf.color(0, *colour)
    blf.position(0, x, y, 0)
    blf.draw(0, text)


def forget() -> None:
    """Drop what was compiled."""
    _shaders.clear()
