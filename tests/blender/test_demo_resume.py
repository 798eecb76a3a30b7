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


def frames_of(demo: Demo, running: subprocess.Popen[str], count: int) -> dict[str, int]:
    """The first frames, once there are so many."""
    deadline = time.monotonic() + 120
    while len(demo.finished()) < count and time.monotonic() < deadline and running.poll() is None:
        time.sleep(0.02)
    return demo.finished()


@pytest.mark.timeout(500)  # whole runs of the demo, on a machine that may be busy
def test_a_demo_whose_worker_is_killed_starts_another_and_ends_with_every_frame(
    demo: Demo,
) -> None:
    running = demo.start(delay=0.3)
    before = frames_of(demo, running, 4)
    os.kill(int(demo.pid_file.read_text()), signal.SIGKILL)
    _, complaint = running.communicate(timeout=250)
    assert running.returncode == 0, complaint
    finished = demo.finished()
    assert len(finished) == N_FRAMES
    assert {name: finished[name] for name in before} == before


@pytest.mark.timeout(500)
def test_a_demo_that_is_killed_itself_goes_on_with_the_missing_frames(demo: Demo) -> None:
    first = demo.start(delay=0.3)
    frames_of(demo, first, 4)
    first.kill()
    first.communicate(timeout=120)
    kept = demo.finished()
    assert 4 <= len(kept) < N_FRAMES

    second = demo.start(delay=0.0)
    said, complaint = second.communicate(timeout=250)
    assert second.returncode == 0, complaint
    finished = demo.finished()
    assert len(finished) == N_FRAMES
    # The frame that was being recorded when the demo died may be made once more.
    unchanged = [name for name in kept if finished[name] == kept[name]]
    assert len(unchanged) >= len(kept) - 1
    assert " frames in" in said
    for name in ("demo.blend", "demo.mp4", "contact_sheet.png"):
        assert (demo.out / name).stat().st_size > 10_000
