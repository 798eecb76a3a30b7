"""A Blender in a real window: an X server, a mouse, screenshots, and Python inside.

Blender runs in the folder of another Debian; the repository lies there at the same path as here.
The worker that it starts is the one of this computer: its program changes back to this computer's
root first. All of it is in a namespace of its own and ends with the session.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from debian_system import FOLDER, ROOT, NotPossible, System

WIDTH, HEIGHT = 1280, 800
_START_SECONDS = 180.0
_TOOL_SECONDS = 60.0
_SEARCH_SECONDS = 400.0
_THREADS = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "LP_NUM_THREADS": "1",
}
_KEY_CODES = {"F12": "96"}
"""By its name xdotool finds that key on a level where it would hold Alt, too."""
_OPENBOX = """\
<?xml version="1.0"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
<focus><followMouse>yes</followMouse></focus>
<applications><application class="*"><decor>no</decor></application></applications>
</openbox_config>
"""
_OWN_ROOT = "setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child sh -c".split()
"""Begins a command that may mount what it likes, and that ends when the test does."""
_MOUNTS = """\
set -e
mount -t proc proc "$SYSTEM/proc"
mount --rbind /dev "$SYSTEM/dev"
mkdir -p "$SYSTEM/host" "$SYSTEM$REPOSITORY"
mount --rbind / "$SYSTEM/host"
mount -t proc proc "$SYSTEM/host/proc"
mount --bind "$REPOSITORY" "$SYSTEM$REPOSITORY"
exec chroot "$SYSTEM" /bin/sh "$RUN/inside.sh"
"""
_INSIDE = f"""\
Xvfb -displayfd 3 -screen 0 {WIDTH}x{HEIGHT}x24 +extension GLX 3>"$RUN/display" 2>"$RUN/xvfb.log" &
for wait in $(seq 300); do [ -s "$RUN/display" ] && break; sleep 0.1; done
export DISPLAY=":$(cat "$RUN/display")"
openbox --config-file "$RUN/openbox.xml" >"$RUN/openbox.log" 2>&1 &
sleep 0.5
exec blender --factory-startup -t 1 --window-geometry 0 0 {WIDTH} {HEIGHT} \\
    --python "$INSIDE" >"$RUN/blender.log" 2>&1
"""


class WindowError(Exception):
    """Blender did not answer, or what was asked for failed in it."""


@dataclass
class WindowSession:
    """One Blender in one window.

    Attributes:
        system: the Debian it runs in.
        run: the folder for all that is written meanwhile.
        screens: where screenshots go.
    """

    system: System
    run: Path = field(init=False)
    screens: Path = field(init=False)
    _process: subprocess.Popen[bytes] | None = None
    _count: int = 0

    def __post_init__(self) -> None:
        self.run = FOLDER / f"run-{self.system.series}"
        self.screens = FOLDER / f"screens-{self.system.series}"

    @property
    def commands(self) -> Path:
        return self.run / "commands"

    @property
    def tests(self) -> Path:
        """The folder of what runs inside Blender."""
        return Path(__file__).parent

    @property
    def worker_program(self) -> Path:
        return self.run / "photorig"

    @property
    def console(self) -> str:
        """What Blender has written so far."""
        path = self.run / "blender.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def start(self, worker: Path) -> None:
        """Start the X server and Blender, and wait until Blender answers.

        Args:
            worker: the photorig program of this computer.

        Raises:
            NotPossible: this computer lets nobody mount anything.
            WindowError: Blender does not answer.
        """
        for folder in (self.run, self.screens):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.commands, self.screens, self.run / "tmp", self.run / "home"):
            folder.mkdir(parents=True)
        (self.run / "inside.sh").write_text(_INSIDE)
        (self.run / "openbox.xml").write_text(_OPENBOX)
        self._write_worker_program(worker)
        log = (self.run / "mounts.log").open("wb")
        self._process = subprocess.Popen(
            [*_OWN_ROOT, _MOUNTS],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=self._environment(),
            start_new_session=True,
        )
        log.close()
        try:
            self.ask("answer = bpy.app.version_string", _START_SECONDS)
        except WindowError as error:
            mounts = (self.run / "mounts.log").read_text(errors="replace").strip()
            self.stop()
            if "mount:" in mounts or "unshare:" in mounts:
                raise NotPossible(f"This computer lets nobody mount: {mounts}.") from error
            raise

    def _environment(self) -> dict[str, str]:
        return {
            **_THREADS,
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.run / "home"),
            "TMPDIR": str(self.run / "tmp"),
            "BLENDER_USER_RESOURCES": str(self.run / "blender"),
            "PHOTORIG_WINDOW_COMMANDS": str(self.commands),
            "PHOTORIG_WINDOW_HEIGHT": str(HEIGHT),
            "INSIDE": str(self.tests / "inside.py"),
            "SYSTEM": str(self.system.folder),
            "REPOSITORY": str(ROOT),
            "RUN": str(self.run),
        }

    def _write_worker_program(self, worker: Path) -> None:
        """A program for the preferences: the worker of this computer, with its home and cache."""
        kept = ("HOME", "PATH", "PHOTORIG_CACHE", "PHOTORIG_THREADS", "PHOTORIG_OFFLINE")
        settings = {name: os.environ[name] for name in kept if name in os.environ} | _THREADS
        words = " ".join(f"'{name}={value}'" for name, value in settings.items())
        self.worker_program.write_text(
            f"#!/bin/sh\nexec chroot /host /usr/bin/env {words} '{worker}' \"$@\"\n"
        )
        self.worker_program.chmod(0o755)

    def stop(self) -> None:
        """End everything, at once."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_TOOL_SECONDS)
        self._process = None

    def ask(self, source: str, timeout: float = 120.0) -> Any:
        """Run Python inside Blender (see inside.py) and return its answer.

        Raises:
            WindowError: it failed, took too long, or Blender has ended.
        """
        command = self.commands / f"{self._count}.py"
        unfinished = command.with_suffix(".part")
        unfinished.write_text(textwrap.dedent(source), encoding="utf-8")
        unfinished.rename(command)
        answer = self.commands / f"{self._count}.json"
        self._count += 1
        deadline = time.monotonic() + timeout
        while not answer.exists():
            if self._process is None or self._process.poll() is not None:
                raise WindowError(f"Blender has ended.\n{self.console[-2000:]}")
            if time.monotonic() > deadline:
                raise WindowError(f"No answer in {timeout:.0f} s to:\n{source}")
            time.sleep(0.03)
        told = json.loads(answer.read_text(encoding="utf-8"))
        if told["error"]:
            raise WindowError(told["error"])
        return told["answer"]

    def wait_for(self, expression: str, timeout: float, what: str) -> Any:
        """Ask again and again until an expression inside Blender is true.

        Raises:
            WindowError: it is not within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            answer = self.ask(f"answer = {expression}")
            if answer:
                return answer
            if time.monotonic() > deadline:
                self.screenshot("timeout")
                raise WindowError(f"After {timeout:.0f} s still not: {what}")
            time.sleep(0.3)

    def find_button(self, area: str, region: str, wanted: str) -> tuple[int, int]:
        """Where a button is on the screen: see inside.find_button."""
        x, y = self.ask(
            f"""
            def steps():
                return (yield from find_button(areas({area!r})[0], {region!r}, {wanted!r}))
            """,
            _SEARCH_SECONDS,
        )
        return x, y

    def press(self, area: str, region: str, wanted: str) -> None:
        """Look for a button and click on it with the mouse."""
        self.click(*self.find_button(area, region, wanted))

    def click(self, x: int, y: int) -> None:
        self._tool("xdotool", "mousemove", str(x), str(y), "sleep", "0.3", "click", "1")
        time.sleep(0.5)

    def point(self, x: int, y: int) -> None:
        """Move the mouse somewhere, to where it is in nobody's way."""
        self._tool("xdotool", "mousemove", str(x), str(y))

    def key(self, *names: str) -> None:
        keys = [_KEY_CODES.get(name, name) for name in names]
        self._tool("xdotool", "key", "--delay", "150", *keys)
        time.sleep(0.5)

    def resize(self, width: int = WIDTH, height: int = HEIGHT) -> None:
        """Make the window as large as this; the whole screen without a size."""
        find = ["xdotool", "search", "--onlyvisible", "--class", "blender"]
        # Blender sees where its window has gone when it is moved, not when its size changes.
        for place in ("9", "0"):
            size = ["windowsize", "--sync", str(width), str(height)]
            self._tool(*find, *size, "windowmove", place, place)
            time.sleep(1.0)

    def screenshot(self, name: str) -> np.ndarray:
        """A picture of the whole screen, (h, w, 3) uint8 RGB; also kept as NAME.png."""
        self.ask("bpy.ops.wm.redraw_timer(type='DRAW_WIN_SWAP', iterations=1)")
        inside = f"/tmp/{name}.png"
        self._tool("import", "-window", "root", inside)
        path = self.screens / f"{name}.png"
        shutil.move(f"{self.system.folder}{inside}", path)
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise WindowError(f"{path} is no picture")
        return np.ascontiguousarray(picture[..., ::-1])

    def _tool(self, *command: str) -> None:
        """A program of the Debian; it reaches the X server without its files."""
        display = ":" + (self.run / "display").read_text().strip()
        done = subprocess.run(
            ["chroot", str(self.system.folder), "env", f"DISPLAY={display}", *command],
            capture_output=True,
            text=True,
            timeout=_TOOL_SECONDS,
            check=False,
        )
        if done.returncode:
            raise WindowError(f"{command[0]} failed: {done.stderr.strip()}")
