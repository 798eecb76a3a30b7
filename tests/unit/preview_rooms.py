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
_MODULES = ("frame_cache", "follower", "placement", "badge", "display_pixels", "portrait_source")


def load() -> SimpleNamespace:
    """The modules by name, beside their own copy of ``shared``."""
    folder = Path(tempfile.mkdtemp(prefix="photorig-preview-"))
    package = folder / _PACKAGE
    shutil.copytree(ROOT / "shared", package / "shared")
    (package / "preview").mkdir()
    for init in (package, package / "preview"):
        (init / "__init__.py").touch()
    shutil.copy(ROOT / "blender_addon" / "colour.py", package)
    for name in _MODULES:
        shutil.copy(ROOT / "blender_addon" / "preview" / f"{name}.py", package / "preview")
    sys.path.insert(0, str(folder))
    try:
        names = [f"preview.{name}" for name in _MODULES]
        names += ["shared.messages", "shared.errors", "colour"]
        modules = {
            name.rpartition(".")[2]: importlib.import_module(f"{_PACKAGE}.{name}") for name in names
        }
    finally:
        sys.path.remove(str(folder))
        shutil.rmtree(folder)
    assert "bpy" not in sys.modules
    return SimpleNamespace(**modules)
