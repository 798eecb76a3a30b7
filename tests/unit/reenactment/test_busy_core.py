"""What `photorig bench` keeps busy, and when it measures."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.reenactment import busy_core


def test_a_busy_core_works_until_it_is_not_wanted_any_more() -> None:
    with busy_core.busy_core() as pid:
        process = psutil.Process(pid)
        deadline = time.monotonic() + 60
        while process.cpu_times().user < 0.1:
            assert time.monotonic() < deadline, "it does nothing"
            time.sleep(0.02)
    assert not process.is_running()


def test_a_busy_core_does_not_outlive_the_one_that_asked_for_it() -> None:
    asks = (
        "from photorig.worker.reenactment import busy_core\nimport os\n"
        "with busy_core.busy_core() as pid:\n    print(pid, flush=True)\n    os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    left = int(done.stdout)
    deadline = time.monotonic() + 60
    while psutil.pid_exists(left) and psutil.Process(left).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.02)


def test_frames_are_measured_in_turns_and_none_is_asked_for_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []
    seen: list[bytes] = []
    clock = SimpleNamespace(now=0.0)

    class Beside:
        def __enter__(self) -> int:
            order.append("busy")
            return 1

        def __exit__(self, *_: object) -> None:
            order.append("alone")

    class Renderer:
        schema = FACE_SCHEMA

        def render(self, _portrait: Any, request: FrameRequest) -> np.ndarray:
            seen.append(request.parameters.tobytes())
            clock.now += 0.03 if order and order[-1] == "busy" else 0.02
            return np.zeros((256, 256, 3), np.uint8)

    monkeypatch.setattr(busy_core, "busy_core", Beside)
    monkeypatch.setattr(busy_core.time, "perf_counter", lambda: clock.now)
    portrait = SimpleNamespace(id="0" * 64)
    told = busy_core.measure(Renderer(), portrait, 256, rounds=3)  # type: ignore[arg-type]
    assert order == ["busy", "alone"] * 3
    assert (told.size, round(told.milliseconds), round(told.busy_milliseconds)) == (256, 20, 30)
    assert told.ratio == pytest.approx(1.5)
    assert len(set(seen)) == len(seen)
