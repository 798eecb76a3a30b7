"""The demo's scene in Blender: the Photorig head with the performance's keyframes."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import performance

_AXES = {"headPitch": (0, -1.0), "headYaw": (1, 1.0), "headRoll": (2, 1.0)}
"""Channel of the head bone and its sign: nose up turns about the bone's -X."""


def build_scene(blend: Path, portrait: Path, size: str, n_frames: int) -> bpy.types.Scene:
    """A new file with the rigged head, its keyframes, the portrait beside it and the settings."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.name = "Shot"
    scene.render.fps = performance.FRAMES_PER_SECOND
    scene.frame_start, scene.frame_end = 1, n_frames
    bpy.ops.photorig.add_head(name="Head", use_board=False)
    _animate(bpy.data.objects["Head"], bpy.data.objects["Head Rig"], n_frames)
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    scene.camera.data.photorig.size = size.upper()
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    # Beside the file, so that the folder can be moved.
    scene.camera.data.photorig.portrait_path = f"//{portrait.name}"
    scene.render.engine = "PHOTORIG"
    bpy.ops.photorig.use_exact_colours()
    bpy.ops.photorig.use_picture_size()
    scene.render.filepath = "//frames/"
    return scene


def _animate(face: bpy.types.Object, rig: bpy.types.Object, n_frames: int) -> None:
    bone = rig.pose.bones["head"]
    for name, keys in performance.HEAD.items():
        channel, sign = _AXES[name]
        for frame, degrees in performance.repeated(keys, n_frames):
            bone.rotation_euler[channel] = sign * math.radians(degrees)
            bone.keyframe_insert("rotation_euler", index=channel, frame=frame)
    for name, keys in performance.shape_keys().items():
        block = face.data.shape_keys.key_blocks[name]
        for frame, value in performance.repeated(keys, n_frames):
            block.value = value
            block.keyframe_insert("value", frame=frame)


def render_rig(scene: bpy.types.Scene, frames: tuple[int, ...], size: int, folder: Path) -> None:
    """Pictures of the rig itself, rig_0001.png and so on, drawn by Workbench."""
    render, shading = scene.render, scene.display.shading
    kept = (render.engine, render.resolution_x, render.resolution_y, render.filepath)
    render.engine = "BLENDER_WORKBENCH"
    render.resolution_x = render.resolution_y = size
    shading.light, shading.color_type = "STUDIO", "MATERIAL"
    shading.show_cavity, shading.cavity_type = True, "BOTH"
    scene.display.render_aa = "8"
    scene.world = scene.world or bpy.data.worlds.new("World")
    scene.world.color = (0.045, 0.05, 0.06)
    for frame in frames:
        scene.frame_set(frame)
        render.filepath = str(folder / f"rig_{frame:04d}.png")
        bpy.ops.render.render(write_still=True)
    render.engine, render.resolution_x, render.resolution_y, render.filepath = kept
