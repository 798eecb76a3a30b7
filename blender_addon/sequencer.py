# SPDX-License-Identifier: GPL-3.0-or-later
"""The image strip in the video sequencer: added once, refreshed in place ever after."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import bpy

from . import compat
from .shared.errors import InputError

_MARK = "photorig_folder"
"""Custom property of a strip that Photorig made: the folder it shows, as it was first written."""
_START = "photorig_start"
"""Scene frame of the first image; a person may have moved it elsewhere, with the sound."""
_FIT = {"FIT": "FIT", "FILL": "FILL", "EXACT": "ORIGINAL"}


def refresh_strip(
    scene: bpy.types.Scene,
    name: str,
    folder: Path,
    names: list[str],
    frame_start: int,
    framing: str = "FIT",
) -> Any:
    """Add the image strip of a folder, or bring the one there is up to date.

    Only the images and their place in time are set on a strip that exists; whatever a person did
    to it (channel, transform, blending, modifiers) stays. One that was moved, as with its sound, is
    not moved back: a new range begins as much earlier or later as it does in the scene.

    Args:
        name: of a new strip.
        folder: absolute, holds the images.
        names: file name for each frame in turn; missing files are shown as missing.
        frame_start: scene frame of the first name.
        framing: how a new strip shows images of another size than the scene's.

    Returns:
        The strip.
    """
    editor = scene.sequence_editor or scene.sequence_editor_create()
    editor.show_missing_media = True
    strip = find_strip(scene, folder, names[0])
    if strip is None:
        strip = _add_strip(scene, name, folder, names, frame_start, framing)
    _set_names(strip, names)
    strip.directory = _stored_path(folder)
    start = compat.strip_content_start(strip)
    moved_by = start - int(strip.get(_START, start))
    if start != frame_start + moved_by:
        compat.move_strip_content(strip, frame_start + moved_by)
    strip[_START] = frame_start
    compat.reload_strip_images(scene, strip)
    return strip


def find_strip(scene: bpy.types.Scene, folder: Path, name: str) -> Any | None:
    """The strip that Photorig made for the files of this folder that are named like this one,
    wherever it was moved to."""
    editor = scene.sequence_editor
    if editor is None:
        return None
    for strip in compat.all_strips_of(editor):
        if strip.type != "IMAGE" or _MARK not in strip or _directory(strip) != folder:
            continue
        if strip.elements and _stem(strip.elements[0].filename) == _stem(name):
            return strip
    return None


def _stem(name: str) -> str:
    """What the files of a sequence have in common; another format is no other sequence."""
    return re.sub(r"-?\d+(?=\D*$)", "#", Path(name).stem)


def _directory(strip: Any) -> Path:
    return Path(bpy.path.abspath(strip.directory)).resolve()


def _stored_path(folder: Path) -> str:
    """Relative to the .blend file where it lies beside it, so that both can be moved together."""
    if bpy.data.filepath:
        blend_folder = Path(bpy.data.filepath).resolve().parent
        if folder.is_relative_to(blend_folder):
            return bpy.path.relpath(str(folder)) + "/"
    return str(folder)


def _add_strip(
    scene: bpy.types.Scene,
    name: str,
    folder: Path,
    names: list[str],
    frame_start: int,
    framing: str,
) -> Any:
    strips = compat.strips_of(scene.sequence_editor)
    # The strip takes its size from the first file, so that must be one that exists.
    first = next((name for name in names if (folder / name).exists()), None)
    if first is None:
        raise InputError(f"There is no frame in {str(folder)!r} yet", "Render some first.")
    strip = strips.new_image(
        name=name,
        filepath=str(folder / first),
        channel=_free_channel(strips),
        frame_start=frame_start,
        fit_method=_FIT[framing],
    )
    strip[_MARK], strip[_START] = str(folder), frame_start
    return strip


def _free_channel(strips: Any) -> int:
    used = {strip.channel for strip in strips}
    return next(channel for channel in range(1, 129) if channel not in used or channel == 128)


def _set_names(strip: Any, names: list[str]) -> None:
    while len(strip.elements) > len(names):
        strip.elements.pop(len(strip.elements) - 1)
    for element, name in zip(strip.elements, names, strict=False):
        element.filename = name
    for name in names[len(strip.elements) :]:
        strip.elements.append(name)
