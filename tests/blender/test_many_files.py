"""Blender after hundreds of files: nothing is registered twice, nothing is left behind."""

from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

LOADS = 500


def _handlers() -> list[str]:
    """Our functions in Blender's lists of handlers."""
    found = []
    for name in dir(bpy.app.handlers):
        functions = getattr(bpy.app.handlers, name)
        for one in functions if isinstance(functions, list) else ():
            module = getattr(one, "__module__", "")
            if "photorig" in module:
                found.append(f"{name}: {module}.{one.__qualname__} {id(one)}")
    return sorted(found)


def _blocks() -> dict[str, int]:
    """How many data-blocks of each kind the open file has."""
    kinds = ("images", "cameras", "objects", "meshes", "texts", "materials", "node_groups")
    return {name: len(getattr(bpy.data, name)) for name in kinds}


def _process() -> dict[str, int]:
    """What this process holds, where the system tells."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return {"descriptors": 0, "threads": 0, "kilobytes": 0}
    words = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "threads": int(words["Threads"]),
        "kilobytes": int(words["VmRSS"].split()[0]),
    }


@pytest.mark.slow
def test_five_hundred_files_leave_no_handler_image_or_texture_behind(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    files = []
    for number in (1, 2):
        shot.camera.location.x = number
        files.append(tmp_path / f"shot-{number}.blend")
        bpy.ops.wm.save_as_mainfile(filepath=str(files[-1]), copy=True)
    seen = []
    for load in range(LOADS + 1):
        bpy.ops.wm.open_mainfile(filepath=str(files[load % 2]), load_ui=False)
        if load in (100, LOADS):
            gc.collect()
            seen.append((_handlers(), _blocks(), _process()))
    # Blender remembers for files to come whether windows are loaded.
    bpy.ops.wm.open_mainfile(filepath=str(files[0]), load_ui=True)
    (handlers, blocks, before), (handlers_after, blocks_after, after) = seen
    assert handlers_after == handlers
    assert handlers
    assert len(set(handlers)) == len(handlers), handlers
    assert blocks_after == blocks
    assert not [image for image in bpy.data.images if "photorig" in image.name.lower()]
    assert after["descriptors"] <= before["descriptors"] + 2
    assert after["threads"] <= before["threads"] + 1
    assert after["kilobytes"] < 1.05 * before["kilobytes"] + 8192, (before, after)
