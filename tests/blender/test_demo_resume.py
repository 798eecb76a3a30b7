"""The demo from end to end in a process of its own, with a worker that dies half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[1] / "demo" / "run_demo.py"
N_FRAMES = 24


class Demo:
    """Starts run_demo.py with a worker that paints test cards and tells its process id."""

    def __init__(self, folder: Path, extension: Path, portrait: Path, program: Path) -> None:
        self.out = folder / "demo"
        self.frames = self.out / "frames"
        self.pid_file = folder / "worker.pid"
        self._log = folder / "rendered.log"
        worker = folder / "worker"
        worker.write_text(f'#!/bin/sh\necho $$ > "{self.pid_file}"\nexec "{program}" "$@"\n')
        worker.chmod(0o755)
        self._command = [sys.executable, str(DEMO), "--extension", str(extension)]
        self._command += ["--out", str(self.out), "--worker", str(worker)]
        self._command += ["--portrait", str(portrait), "--seconds", str(N_FRAMES / 24)]

    def start(self, delay: float) -> subprocess.Popen[str]:
        """delay: seconds the worker takes for a frame."""
        environment = os.environ | {
            "PHOTORIG_TEST_LOG": str(self._log),
            "PHOTORIG_TEST_DELAY": str(delay),
        }
        environment.pop("BLENDER_USER_RESOURCES", None)
        self._log.write_text("")
        return subprocess.Popen(
            self._command,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def finished(self) -> dict[str, int]:
        """Time of change by name of the frames on disk."""
        return {path.name: path.stat().st_mtime_ns for path in self.frames.glob("frame_*.png")}


@pytest.fixture
def demo(tmp_path: Path, extension_zip: Path, portrait: Path, card_worker_program: Path) -> Demo:
    return Demo(tmp_path, extension_zip, portrait, card_worker_program)


@pytest.mark.timeout(500)  # two whole runs of the demo, on a machine that may be busy
def test_a_demo_whose_worker_was_killed_goes_on_with_the_missing_frames(demo: Demo) -> None:
    first = demo.start(delay=0.3)
    deadline = time.monotonic() + 120
    while len(demo.finished()) < 4 and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.02)
    os.kill(int(demo.pid_file.read_text()), signal.SIGKILL)
    _, complaint = first.communicate(timeout=120)
    kept = demo.finished()
    assert first.returncode == 1
    assert "worker" in complaint and "Traceback" not in complaint
    assert 4 <= len(kept) < N_FRAMES

    second = demo.start(delay=0.0)
    said, complaint = second.communicate(timeout=250)
    assert second.returncode == 0, complaint
    finished = demo.finished()
    assert len(finished) == N_FRAMES
    assert {name: finished[name] for name in kept} == kept
    assert f"{N_FRAMES - len(kept)} frames in" in said
    for name in ("demo.blend", "demo.mp4", "contact_sheet.png"):
        assert (demo.out / name).stat().st_size > 10_000
