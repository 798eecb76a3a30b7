# SPDX-License-Identifier: GPL-3.0-or-later
"""The image strip in the video sequencer: added once, refreshed in place ever after."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from .. import compat
from ..shared.errors import InputError
from .files import SequenceFiles

_MARK = "photorig_folder"
"""Custom property of a strip that Photorig made: the folder it shows, as it was first written."""
_START = "photorig_start"
"""Scene frame of the first image; a person may have moved it elsewhere, with the sound."""
_PATTERN = "photorig_pattern"
"""What the names of the images have before and behind the frame's number."""
_SIZE, _FITTED = "photorig_size", "photorig_fitted"
"""Width and height of the images, and the scale that they were given to fill the picture."""


def refresh_strip(
    scene: bpy.types.Scene,
    name: str,
    files: SequenceFiles,
    names: Sequence[str],
    frame_start: int,
    size: tuple[int, int] | None = None,
) -> Any:
    """Add the image strip of a sequence, or bring the one there is up to date.

    Only the images and their place in time are set on a strip that exists, and its scale as long as
    nobody but Photorig has set that; whatever a person did to it (channel, transform, blending,
    modifiers) stays. One that was moved, as with its sound, is not moved back: a new range begins
    as much earlier or later as it does in the scene.

    Args:
        name: of a new strip.
        files: where the images are.
        names: file name for each frame in turn; missing files are shown as missing.
        frame_start: scene frame of the first name.
        size: (width, height) of the images, None where it has not changed.

    Returns:
        The strip.
    """
    editor = scene.sequence_editor or scene.sequence_editor_create()
    editor.show_missing_media = True
    strip = find_strip(scene, files)
    if strip is None:
        strip = _add_strip(scene, name, files.folder, names, frame_start)
    was_fitted = is_fitted(scene, strip)
    strip[_PATTERN], strip[_SIZE] = list(files.pattern), list(size or _size_of(strip))
    _set_names(strip, names)
    strip.directory = _stored_path(files.folder)
    start = compat.strip_content_start(strip)
    moved_by = start - int(strip.get(_START, start))
    if start != frame_start + moved_by:
        compat.move_strip_content(strip, frame_start + moved_by)
    strip[_START] = frame_start
    if was_fitted:
        fit(scene, strip)
    compat.reload_strip_images(scene, strip)
    return strip


def find_strip(scene: bpy.types.Scene, files: SequenceFiles) -> Any | None:
    """The strip that Photorig made for the files of this folder with this pattern, wherever it was
    moved to."""
    for strip in strips_of(scene):
        if _directory(strip) == files.folder and strip.elements and _has_pattern(strip, files):
            return strip
    return None


def strips_of(scene: bpy.types.Scene) -> list[Any]:
    """All strips in a scene that Photorig made."""
    editor = scene.sequence_editor
    strips = compat.all_strips_of(editor) if editor is not None else ()
    return [strip for strip in strips if strip.type == "IMAGE" and _MARK in strip]


def _has_pattern(strip: Any, files: SequenceFiles) -> bool:
    if _PATTERN in strip:
        return tuple(strip[_PATTERN]) == files.pattern
    # Of an earlier version, which remembered none.
    before, behind = map(re.escape, files.pattern)
    return bool(re.fullmatch(rf"{before}-?\d+{behind}", Path(strip.elements[0].filename).stem))


def is_fitted(scene: bpy.types.Scene, strip: Any) -> bool:
    """Whether a strip fills the picture as Photorig made it do, and nobody scaled it since."""
    scale = tuple(strip[_FITTED]) if _FITTED in strip else _fitting(scene, strip)
    given = strip.transform.scale_x, strip.transform.scale_y
    return all(math.isclose(*pair, rel_tol=1e-4) for pair in zip(scale, given, strict=True))


def fit(scene: bpy.types.Scene, strip: Any) -> None:
    """Scale a strip so that all of its images is seen, as large as the scene's picture allows."""
    strip[_FITTED] = strip.transform.scale_x, strip.transform.scale_y = _fitting(scene, strip)


def _fitting(scene: bpy.types.Scene, strip: Any) -> tuple[float, float]:
    width, height = _size_of(strip)
    render = scene.render
    scale = min(render.resolution_x / max(1, width), render.resolution_y / max(1, height))
    return scale, scale


def _size_of(strip: Any) -> tuple[int, int]:
    """(width, height) of the images."""
    if _SIZE in strip:
        width, height = strip[_SIZE]
        return int(width), int(height)
    return strip.elements[0].orig_width, strip.elements[0].orig_height


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
    names: Sequence[str],
    frame_start: int,
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
        fit_method="FIT",
    )
    strip[_MARK], strip[_START] = str(folder), frame_start
    return strip


def _free_channel(strips: Any) -> int:
    used = {strip.channel for strip in strips}
    return next(channel for channel in range(1, 129) if channel not in used or channel == 128)


def _set_names(strip: Any, names: Sequence[str]) -> None:
    while len(strip.elements) > len(names):
        strip.elements.pop(len(strip.elements) - 1)
    for element, name in zip(strip.elements, names, strict=False):
        element.filename = name
    for name in names[len(strip.elements) :]:
        strip.elements.append(name)
