# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a frame that Blender wrote is what it would write again.

Blender's file depends on more than the face: size, colours, format, and whatever a compositor does.
So each file is marked with a digest of all that, and one with another mark is made again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import bpy

from .. import compat
from ..camera.passes import passes_of
from ..extension import ENGINE
from ..render.settings import canvas_of
from ..shared.files.frame_index import picture_key
from ..shared.files.request_mark import marked, read_mark
from ..shared.files.writing import write_atomically
from ..shared.wire.messages import FrameRequest
from .facts import colours_of

_RENDER = (
    "film_transparent use_border use_crop_to_border border_min_x border_max_x border_min_y"
    " border_max_y use_stamp use_compositing use_sequencer use_multiview"
).split()


class FrameKeys:
    """Keys of one scene's frames; the .blend file and what it links are read once.

    Args:
        weights: of the worker's model; "" where the engine is another.
    """

    def __init__(self, scene: bpy.types.Scene, weights: str) -> None:
        self._scene, self._weights = scene, weights
        self._of_files = [] if is_plain(scene) else _digests_of_files()

    def key(self, camera: bpy.types.Camera, request: FrameRequest | None) -> str:
        """Of a frame that this camera (evaluated data) shows."""
        parts = [*self._of_files, *_settings(self._scene), repr(canvas_of(self._scene, camera))]
        if request is not None:
            parts.append(picture_key(request, self._weights))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_plain(scene: bpy.types.Scene) -> bool:
    """Whether a frame is the engine's picture and nothing else."""
    render = scene.render
    composites = render.use_compositing and compat.compositor_tree(scene) is not None
    editor = scene.sequence_editor if render.use_sequencer else None
    has_strips = editor is not None and len(compat.strips_of(editor)) > 0
    return render.engine == ENGINE and not composites and not has_strips


def _settings(scene: bpy.types.Scene) -> list[str]:
    render = scene.render
    found = [render.engine, *(f"{name} {getattr(render, name)}" for name in _RENDER)]
    found += [f"{name} {value}" for name, value in colours_of(scene).items()]
    found += _scalars(render.image_settings)
    for layer in scene.view_layers:
        found.append(f"{layer.name} {layer.use} {[entry.name for entry in passes_of(layer)]}")
    return found


def _scalars(settings: Any) -> list[str]:
    kinds = ("BOOLEAN", "INT", "FLOAT", "STRING", "ENUM")
    return [
        f"{each.identifier} {getattr(settings, each.identifier)}"
        for each in settings.bl_rna.properties
        if each.type in kinds and not getattr(each, "is_array", False)
    ]


def _digests_of_files() -> list[str]:
    """Of the .blend file and of every library that is there."""
    libraries = sorted(bpy.path.abspath(each.filepath) for each in bpy.data.libraries)
    digests = []
    for path in map(Path, (bpy.data.filepath, *libraries)):
        if path.is_file():
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests


def is_finished(path: Path, key: str) -> bool:
    """Whether the file is there, whole, and has this mark."""
    found = read_mark(path)
    return found is not None and found[0] == key


def mark_finished(path: Path, key: str) -> None:
    """Mark a file that Blender has just written, if it is of a kind that holds marks."""
    content = path.read_bytes()
    with_mark = marked(content, key)
    if with_mark is not content:
        write_atomically(path, with_mark)
