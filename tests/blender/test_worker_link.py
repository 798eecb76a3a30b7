"""Starting a worker: at once, with a reason when it fails, and never for ever."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import bpy
import pytest


@pytest.fixture
def use_program(scene: bpy.types.Scene, addon: ModuleType, tmp_path: Path) -> Callable[[str], None]:
    """Make a shell script the worker program."""

    def use(script: str) -> None:
        program = tmp_path / "worker-program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        bpy.context.preferences.addons[addon.__name__].preferences.executable = str(program)

    return use


def test_starting_returns_at_once(modules: SimpleNamespace, use_program) -> None:
    use_program("exec sleep 60")
    start = time.monotonic()
    modules.link.link.start()
    assert time.monotonic() - start < 1
    assert modules.link.link.is_starting


def test_waiting_for_a_worker_that_never_gets_ready_can_be_cancelled(
    modules: SimpleNamespace, use_program
) -> None:
    use_program("exec sleep 60")
    asked = iter([False, False, True])
    with pytest.raises(modules.errors.Cancelled):
        modules.link.link.wait_until_ready(lambda: next(asked))


def test_a_program_that_fails_is_quoted(modules: SimpleNamespace, use_program) -> None:
    use_program("echo starting >&2; echo no graphics card here >&2; exit 1")
    with pytest.raises(RuntimeError, match="no graphics card here"):
        bpy.ops.photorig.start_worker()
    assert modules.link.link.message.endswith("no graphics card here")
    assert "starting" in modules.link.link.log_tail()


def test_a_stopped_worker_has_ended(
    scene: bpy.types.Scene, card_worker: Path, modules: SimpleNamespace
) -> None:
    bpy.ops.photorig.start_worker()
    link = modules.link.link
    connection = link.connection
    assert not connection.is_stale
    bpy.ops.photorig.stop_worker()
    assert connection.is_stale
    assert link.message == "The worker is not running"


def test_a_worker_stays_when_another_file_is_opened(
    scene: bpy.types.Scene, card_worker: Path, modules: SimpleNamespace
) -> None:
    bpy.ops.photorig.start_worker()
    pid = modules.link.link.connection.pid
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    modules.link.link.poll()
    assert modules.link.link.is_ready
    assert modules.link.link.connection.pid == pid
