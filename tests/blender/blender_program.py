"""Blender as a program: its Python module behind the words of its command line that farms use.

    blender_program.py -b FILE [-E ENGINE] [-o PATH] [-s N] [-e N] [-a] [--python FILE]
        [--python-expr TEXT] [-- …]

They take effect in their order, as Blender's do. $BLENDER_USER_RESOURCES holds its extensions;
$PHOTORIG_EXTENSION_ZIP is installed there once, "" for a Blender that has none.
"""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from pathlib import Path

import bpy

PACKAGE = "bl_ext.user_default.photorig"


def enable_extension() -> None:
    zip_file = os.environ.get("PHOTORIG_EXTENSION_ZIP", "")
    if not zip_file:
        return
    if not (Path(bpy.utils.user_resource("EXTENSIONS")) / "user_default" / "photorig").is_dir():
        bpy.ops.extensions.package_install_files(
            repo="user_default", filepath=zip_file, enable_on_install=True
        )
    else:
        bpy.ops.preferences.addon_enable(module=PACKAGE)


def run_script(path: str) -> None:
    try:
        runpy.run_path(path, run_name="__main__")
    except BaseException:
        traceback.print_exc()
        leave(1)


def run_text(text: str) -> None:
    path = Path(bpy.app.tempdir) / "expression.py"
    path.write_text(text, encoding="utf-8")
    run_script(str(path))


def leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(words: list[str]) -> None:
    enable_extension()
    scene_words = {
        "-E": lambda text: setattr(bpy.context.scene.render, "engine", text),
        "-o": lambda text: setattr(bpy.context.scene.render, "filepath", text),
        "-s": lambda text: setattr(bpy.context.scene, "frame_start", int(text)),
        "-e": lambda text: setattr(bpy.context.scene, "frame_end", int(text)),
        "--python": run_script,
        "--python-expr": run_text,
        "--python-exit-code": lambda text: None,
    }
    while words:
        word = words.pop(0)
        if word == "--":
            break
        if word in scene_words:
            scene_words[word](words.pop(0))
        elif word == "-a":
            bpy.ops.render.render(animation=True)
        elif word not in ("-b", "--background"):
            bpy.ops.wm.open_mainfile(filepath=word)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Exception:
        traceback.print_exc()
        leave(1)
    leave(0)
