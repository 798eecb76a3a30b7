"""The parts of the extension's preview that know no Blender, as a package of their own."""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
_PACKAGE = "photorig_addon_preview"
_MODULES = (
    "client/portrait_source",
    "preview/badge",
    "preview/display_pixels",
    "preview/follower",
    "preview/frame_cache",
    "preview/motion_size",
    "preview/placement",
    "render/colour",
)


def load() -> SimpleNamespace:
    """The modules by name, beside their own copy of ``shared``."""
    folder = Path(tempfile.mkdtemp(prefix="photorig-preview-"))
    package = folder / _PACKAGE
    shutil.copytree(ROOT / "shared", package / "shared")
    for name in _MODULES:
        to = package / f"{name}.py"
        to.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "blender_addon" / f"{name}.py", to)
    sys.path.insert(0, str(folder))
    try:
        names = [name.replace("/", ".") for name in _MODULES]
        names += ["shared.wire.messages", "shared.errors"]
        modules = {
            name.rpartition(".")[2]: importlib.import_module(f"{_PACKAGE}.{name}") for name in names
        }
    finally:
        sys.path.remove(str(folder))
        shutil.rmtree(folder)
    assert "bpy" not in sys.modules
    return SimpleNamespace(**modules)
