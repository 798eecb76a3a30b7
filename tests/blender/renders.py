"""Stills as a person makes them, and what is in their files."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from portrait_files import read_pixels


def still(scene: bpy.types.Scene, path: Path) -> np.ndarray:
    """F12 into a PNG file; its pixels, rows from the top."""
    scene.render.filepath = str(path.with_suffix(""))
    bpy.ops.render.render(write_still=True)
    return read_pixels(path)


def floats(scene: bpy.types.Scene, path: Path) -> np.ndarray:
    """F12 into an EXR file of 32 bits; (h, w, 4) scene-linear, rows from the top."""
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "OPEN_EXR", "RGBA", "32"
    scene.render.filepath = str(path.with_suffix(""))
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    image.alpha_mode = "PREMUL"
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return values.reshape(height, width, 4)[::-1]


def use_compositor(scene: bpy.types.Scene, socket: str) -> None:
    """Let the compositor's picture be one socket of the Render Layers node."""
    if hasattr(scene, "compositing_node_group"):
        tree = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        scene.compositing_node_group = tree
        output = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    layers = tree.nodes.new("CompositorNodeRLayers")
    tree.links.new(layers.outputs[socket], output.inputs[0])
