# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and format of a sequence's files, as the scene's output settings say."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..shared.errors import InputError
from ..shared.files.frame_index import file_name
from ..shared.wire.picture_format import DEPTHS, EXTENSIONS, PictureFormat
from ..translation import said

_CODECS = {
    "PNG": "png",
    "JPEG": "jpeg",
    "WEBP": "webp",
    "TIFF": "tiff",
    "OPEN_EXR": "exr",
}
"""Codec by Blender's name of a file format."""
_BLENDERS_OWN = ("/tmp/", "/tmp\\", "")
"""Output paths of a new scene, by system."""
_UNLIKE = 111_111, 222_222
"""Frames whose numbers have no digit in common."""


@dataclass(frozen=True)
class SequenceFiles:
    """Where frames go.

    Attributes:
        folder: absolute.
        names: file name by frame.
        picture_format: of all of them.
        pattern: what their names have in common, before and behind the frame's number; another
            extension is no other sequence.
    """

    folder: Path
    names: dict[int, str]
    picture_format: PictureFormat
    pattern: tuple[str, str]


def sequence_files(
    scene: bpy.types.Scene, frames: range, folder: Path | None = None
) -> SequenceFiles:
    """Files for these frames.

    Args:
        folder: where they go under names of their own; None for the scene's output path, with its
            names and its padding.

    Raises:
        InputError: the scene's file format cannot be written, or its output path has no place yet.
    """
    form = picture_format(scene)
    if folder is not None:
        return _own_files(folder, frames, form)
    path = output_path(scene)
    if path.startswith("//") and not bpy.data.filepath:
        raise InputError("The output folder is beside a file that has no name", "Save it first.")
    if path != scene.render.filepath:
        return _own_files(Path(bpy.path.abspath(path)).resolve(), frames, form)
    first = Path(bpy.path.abspath(scene.render.frame_path(frame=frames[0])))
    if not path or path.endswith(("/", "\\")):
        return _own_files(first.parent.resolve(), frames, form)
    names = {frame: Path(scene.render.frame_path(frame=frame)).name for frame in frames}
    return SequenceFiles(first.parent.resolve(), names, form, _pattern(scene))


def output_path(scene: bpy.types.Scene) -> str:
    """The scene's output path. Where that is still Blender's own, which is for files that nobody
    misses, a folder beside the .blend file as soon as that has a name."""
    path: str = scene.render.filepath
    if path not in _BLENDERS_OWN or not bpy.data.filepath:
        return path
    return f"//{Path(bpy.data.filepath).stem}_frames/{bpy.path.clean_name(scene.name)}/"


def told_folder(scene: bpy.types.Scene) -> str:
    """Where frames go, for a person; the part that says so in a path that names files, too."""
    path = output_path(scene)
    if not bpy.data.filepath and path in _BLENDERS_OWN:
        return said("{folder}: save the file to have them beside it", folder=path or "/tmp/")
    if not bpy.data.filepath and path.startswith("//"):
        return said("a folder beside the file: save it first")
    return re.sub(r"(?<=[/\\])[^/\\]*$", "", path)


def _own_files(folder: Path, frames: range, form: PictureFormat) -> SequenceFiles:
    names = {frame: _own_name(frame, form) for frame in frames}
    return SequenceFiles(folder, names, form, ("frame_", ""))


def _pattern(scene: bpy.types.Scene) -> tuple[str, str]:
    """What names of the scene's output have before and behind the frame's number.

    Blender puts it where the last "#" are, or at the end; a path may have variables besides. What
    two frames' names do not have in common is the number.
    """
    one, other = (Path(scene.render.frame_path(frame=frame)).stem for frame in _UNLIKE)
    before = os.path.commonprefix([one, other])  # noqa: RUF071 -- letters are what is wanted
    behind = os.path.commonprefix([one[::-1], other[::-1]])[::-1]  # noqa: RUF071
    return before, behind


def picture_format(scene: bpy.types.Scene) -> PictureFormat:
    """The scene's file format. Raises InputError where the worker cannot write it."""
    settings = scene.render.image_settings
    codec = _CODECS.get(settings.file_format)
    if codec is None:
        items = settings.bl_rna.properties["file_format"].enum_items
        known = items.get(settings.file_format)
        # 5.2 writes the extension behind the name.
        label = known.name.partition(" (")[0] if known is not None else settings.file_format
        raise InputError(
            f"Render to Sequencer cannot write {label} files",
            "Choose PNG, JPEG, WebP, TIFF or OpenEXR as file format, or use Render Animation.",
        )
    depth = int(settings.color_depth)
    colours = settings.color_mode
    return PictureFormat(
        codec,
        depth if depth in DEPTHS[codec] else DEPTHS[codec][-1],
        "RGB" if codec == "jpeg" and colours == "RGBA" else colours,
        settings.quality,
        transparent=scene.render.film_transparent and colours == "RGBA" and codec != "jpeg",
    )


def _own_name(frame: int, form: PictureFormat) -> str:
    return Path(file_name(frame)).with_suffix(EXTENSIONS[form.codec]).name
