"""What the demo makes of the frames: a check against the engine, an mp4 and a contact sheet."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import performance

FRAMES_PER_SECOND = performance.FRAMES_PER_SECOND
SHEET_SIZE = 256


def finished_files(folder: Path) -> set[tuple[str, int]]:
    """Name and time of change of each frame in a folder."""
    return {(path.name, path.stat().st_mtime_ns) for path in folder.glob("frame_*.png")}


def key_poses(n_frames: int) -> tuple[int, ...]:
    """Frames for the contact sheet that lie in the film, at least one."""
    return tuple(frame for frame in performance.KEY_POSES if frame <= n_frames) or (1,)


def check_engine(scene: bpy.types.Scene, frames: Path, folder: Path, poses: tuple[int, ...]) -> int:
    """Render some frames as F12 and as Ctrl-F12 do, and compare them with the sequence's.

    Returns:
        How many frames were compared.

    Raises:
        RuntimeError: a pixel differs.
    """
    render = scene.render
    kept = (render.filepath, scene.frame_start, scene.frame_end)
    first, last = poses[0], poses[-1]
    compared = sorted({first, poses[len(poses) // 2], last, min(last + 1, scene.frame_end)})
    for frame in compared[:2]:
        scene.frame_set(frame)
        render.filepath = str(folder / f"{frame:04d}")
        bpy.ops.render.render(write_still=True)
    if compared[2:]:
        render.filepath = f"{folder}/"
        scene.frame_start, scene.frame_end = last, compared[-1]
        bpy.ops.render.render(animation=True)
    render.filepath, scene.frame_start, scene.frame_end = kept
    for frame in compared:
        engine = read_image(folder / f"{frame:04d}.png")
        sequence = read_image(frames / f"frame_{frame:04d}.png")
        if engine.shape != sequence.shape or not np.array_equal(engine, sequence):
            raise RuntimeError(f"The engine's frame {frame} differs from the sequence's")
    return len(compared)


def write_film(scene: bpy.types.Scene, path: Path) -> None:
    """The strip of the sequencer as H.264, by Blender's own sequencer render."""
    render, image = scene.render, scene.render.image_settings
    kept = render.filepath
    has_media_type = hasattr(image, "media_type")
    if has_media_type:
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    render.ffmpeg.constant_rate_factor = "PERC_LOSSLESS"
    render.ffmpeg.audio_codec = "NONE"
    render.filepath, render.use_file_extension = str(path), False
    render.use_sequencer = True
    bpy.ops.render.render(animation=True)
    # F12 in the saved file shall render the face, not show the strip.
    render.use_sequencer = False
    render.filepath, render.use_file_extension = kept, True
    bpy.ops.photorig.use_exact_colours()


def write_contact_sheet(poses: tuple[int, ...], rig: Path, frames: Path, path: Path) -> None:
    """The rig above, the face below, one column for each pose."""
    columns = []
    for frame in poses:
        above = read_image(rig / f"rig_{frame:04d}.png")
        below = _reduced(read_image(frames / f"frame_{frame:04d}.png"))
        columns.append(np.concatenate([above, below]))
    _write_image(np.concatenate(columns, 1), path)


def read_image(path: Path) -> np.ndarray:
    """(h, w, 4) float32 in [0, 1] as stored in the file, rows from the top."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1]


def _reduced(image: np.ndarray) -> np.ndarray:
    """To SHEET_SIZE, cropped to a square of a whole number of its pixels."""
    side = min(image.shape[:2])
    factor = max(1, side // SHEET_SIZE)
    top, left = ((extent - SHEET_SIZE * factor) // 2 for extent in image.shape[:2])
    square = image[top : top + SHEET_SIZE * factor, left : left + SHEET_SIZE * factor]
    return square.reshape(SHEET_SIZE, factor, SHEET_SIZE, factor, 4).mean((1, 3))


def _write_image(pixels: np.ndarray, path: Path) -> None:
    height, width = pixels.shape[:2]
    image = bpy.data.images.new("Contact Sheet", width, height)
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)
