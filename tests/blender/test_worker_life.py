"""The worker's environment is found, checked and explained; it restarts, and may run elsewhere."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import pytest
from fake_layout import FakeLayout


@pytest.fixture
def preferences(scene: bpy.types.Scene, addon: ModuleType) -> Any:
    chosen = bpy.context.preferences.addons[addon.__name__].preferences
    yield chosen
    for name in ("place", "executable", "connection_file", "host", "show_setup", "auto_start"):
        chosen.property_unset(name)


@pytest.fixture
def use_program(preferences: Any, tmp_path: Path) -> Callable[[str], Path]:
    """Make a shell script the worker program."""

    def use(script: str) -> Path:
        program = tmp_path / "photorig"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        preferences.executable = str(program)
        return program

    return use


def texts(draw: Callable[..., None], *arguments: Any) -> str:
    layout = FakeLayout()
    draw(layout, *arguments)
    return " ".join(layout.texts)


@pytest.fixture
def panel(modules: SimpleNamespace) -> ModuleType:
    return modules.worker_panel


def test_a_missing_environment_is_explained_with_the_lines_to_type(
    preferences: Any, panel: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PHOTORIG_WORKER", raising=False)
    said = texts(panel.draw_setup, preferences)
    assert "The photorig command is not installed" in said
    assert "-m venv ~/photorig-worker" in said
    assert "nothing is put into Blender's" in said
    assert "PHOTORIG_OFFLINE=1" in said


def test_the_environment_in_the_documented_folder_is_found_without_any_setting(
    preferences: Any, modules: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PHOTORIG_WORKER", raising=False)
    program = tmp_path / "photorig-worker" / "bin" / "photorig"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = modules.check.worker_program()
    assert (found.path, found.how) == (program, "found in ~/photorig-worker")


def test_the_check_shows_what_the_doctor_says(
    use_program: Callable[[str], Path], modules: SimpleNamespace, panel: ModuleType
) -> None:
    use_program('echo "doctor said $*"; echo "  cpu  a processor"')
    bpy.ops.photorig.check_worker()
    check = modules.check.check
    assert check.is_good
    assert check.report.splitlines() == ["doctor said doctor --no-speed", "  cpu  a processor"]
    said = texts(panel.draw_check)
    assert "The environment works" in said
    assert "a processor" in said
    report = modules.check.support_report()
    assert "doctor said" in report
    assert bpy.app.version_string in report


def test_a_doctor_that_fails_is_quoted(
    use_program: Callable[[str], Path], modules: SimpleNamespace, panel: ModuleType
) -> None:
    use_program("echo torch is missing >&2; exit 1")
    bpy.ops.photorig.check_worker()
    said = texts(panel.draw_check)
    assert "The environment does not work" in said
    assert "torch is missing" in said
    assert not modules.check.check.is_good


def test_a_restarted_worker_is_another_process(
    card_worker: Path, scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    bpy.ops.photorig.start_worker()
    link = modules.link.link
    first = link.connection.pid
    bpy.ops.photorig.restart_worker()
    assert link.is_ready
    assert link.connection.pid != first
    assert not modules.connection.process_alive(first)


def test_the_log_of_a_blender_that_was_killed_is_removed(
    card_worker: Path, scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    folder = Path(bpy.utils.extension_path_user(modules.package, path="worker", create=True))
    left = folder / f"worker-{ended.pid}.log"
    left.write_text("old")
    other = folder / f"worker-{os.getppid()}.log"
    other.write_text("of a Blender that runs")
    bpy.ops.photorig.start_worker()
    assert not left.exists()
    assert other.exists()
    other.unlink()


def test_a_worker_elsewhere_is_connected_to_when_a_render_needs_it(
    preferences: Any,
    shot: bpy.types.Scene,
    card_worker_program: Path,
    tmp_path: Path,
    modules: SimpleNamespace,
) -> None:
    file = tmp_path / "elsewhere.json"
    worker = subprocess.Popen(
        [card_worker_program, "serve", "--connection-file", file], stdout=subprocess.PIPE, text=True
    )
    try:
        assert worker.stdout.readline() == "ready\n"
        preferences.place, preferences.connection_file = "REMOTE", str(file)
        preferences.host = "localhost"
        shot.render.filepath = str(tmp_path / "still.png")
        bpy.ops.render.render(write_still=True)
        link = modules.link.link
        assert link.process is None
        assert link.connection.control.startswith("tcp://localhost:")
        assert (tmp_path / "still.png").is_file()
        link.stop()
        assert worker.poll() is None, "it is not ours to end"
    finally:
        worker.terminate()
        worker.wait()


def test_another_computer_is_not_reached_while_blender_is_offline(
    preferences: Any,
    shot: bpy.types.Scene,
    card_worker_program: Path,
    tmp_path: Path,
    modules: SimpleNamespace,
) -> None:
    bpy.ops.photorig.start_worker()
    file = tmp_path / "elsewhere.json"
    modules.link.link.connection.save(file)
    bpy.ops.photorig.stop_worker()
    if bpy.app.online_access:
        pytest.skip("this Blender is allowed to go online")
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.photorig.connect_worker(filepath=str(file), host="192.0.2.7")


def test_every_operator_that_can_be_greyed_out_says_why(addon: ModuleType) -> None:
    import ast

    folder = Path(addon.__file__).parent / "operators"
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "poll":
                source = ast.unparse(node)
                assert "poll_message_set" in source or "_needs" in source or "needs_" in source, (
                    f"{path.name}, line {node.lineno}"
                )
