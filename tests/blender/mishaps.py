"""What goes wrong while a sequence is rendered: small disks, and a Blender that is killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_RENDER = """
import bpy, sys
bpy.ops.preferences.addon_enable(module={package!r})
preferences = bpy.context.preferences.addons[{package!r}].preferences
preferences.executable, preferences.auto_start = {worker!r}, True
bpy.ops.wm.open_mainfile(filepath={blend!r})
print("rendering", flush=True)
bpy.ops.photorig.render_to_sequencer(directory={folder!r})
"""


@contextlib.contextmanager
def disk_of(kilobytes: int, folder: Path) -> Iterator[Path]:
    """A file system of that size; the test is skipped where none can be made."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount program here")
    if done.returncode:
        pytest.skip("only an administrator can make a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def resize(folder: Path, kilobytes: int) -> None:
    """Give a disk another size."""
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(folder)], check=True)


def render_and_kill(
    package: str,
    worker: Path,
    blend: Path,
    folder: Path,
    n_frames: int,
    log: Path,
    delay: float = 0.4,
) -> None:
    """Render a file's sequence in another Blender, and kill that after some frames.

    Args:
        package: of the extension.
        delay: seconds that its worker takes for a frame.
    """
    script = _RENDER.format(
        package=package, worker=str(worker), blend=str(blend), folder=f"{folder}/"
    )
    environment = {**os.environ, "PHOTORIG_TEST_DELAY": str(delay)}
    with log.open("wb") as file:
        other = subprocess.Popen(
            [sys.executable, "-c", script], env=environment, stdout=file, stderr=file
        )
        deadline = time.monotonic() + 120
        while len(list(folder.glob("frame_*.png"))) < n_frames and other.poll() is None:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        other.kill()
        other.wait()
