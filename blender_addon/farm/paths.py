# SPDX-License-Identifier: GPL-3.0-or-later
"""The .blend file's own paths on a node that has them elsewhere.

Portraits are looked up where they are read, see camera/portrait_file.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..shared.farm.path_mapping import place_on_node

_KINDS = ("images", "movieclips", "sounds", "fonts", "volumes", "cache_files")


def map_paths(submitted: str) -> int:
    """Let libraries, pictures and the like be found on this node; returns how many moved.

    Args:
        submitted: the folder that the file was in when it was submitted.
    """
    # Libraries first: they bring the others.
    moved = sum(_map(library, submitted) for library in bpy.data.libraries)
    for kind in _KINDS:
        moved += sum(_map(block, submitted) for block in getattr(bpy.data, kind, ()))
    return moved


def _map(block: Any, submitted: str) -> bool:
    library = getattr(block, "library", None)
    here = bpy.path.abspath(block.filepath, library=library)
    there = place_on_node(block.filepath, here, "" if library is not None else submitted)
    if not block.filepath or Path(there) == Path(here) or not Path(there).exists():
        return False
    block.filepath = there
    if hasattr(block, "reload"):
        block.reload()
    return True
