"""build.py: it has to cope with computers nobody has prepared."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


environments = load("environments", ROOT / ".ci" / "environments.py")
build = load("photorig_build", ROOT / "build.py")


def test_build_needs_nothing_but_the_standard_library() -> None:
    check = (
        "import sys; sys.path[:0] = ['.']; import build; "
        "names = {name.split('.')[0] for name in sys.modules if not name.startswith('_')}; "
        "sys.exit(', '.join(names - set(sys.stdlib_module_names)"
        " - {'build', 'environments', 'sitecustomize', 'usercustomize'}) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", check], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_python_that_is_running_is_found() -> None:
    found = environments.find_python(sys.version_info[:2])
    answer = subprocess.run(
        [found, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True
    )
    assert answer.stdout.split() == [str(number) for number in sys.version_info[:2]]


def test_a_name_on_the_path_that_does_not_work_is_no_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environments.find_python((3, 99)) is None


def test_an_environment_is_stale_when_a_pin_changes() -> None:
    before = environments.Environment("x", (3, 11), ("numpy==1",))
    assert before.stamp != replace(before, packages=("numpy==2",)).stamp
    assert before.stamp != replace(before, fingerprint="other entry points").stamp
    assert before.stamp == environments.Environment("x", (3, 11), ("numpy==1",)).stamp


def test_an_environment_whose_stamp_is_right_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "BUILD", tmp_path)
    environment = environments.Environment("x", (3, 11), ("numpy==1",))
    environment.folder.mkdir()
    (environment.folder / "photorig.stamp").write_text(environment.stamp)
    monkeypatch.setattr(environments, "run_pip", lambda *_: pytest.fail("pip was run"))
    assert environments.prepare(environment) is environment


@pytest.mark.parametrize(
    ("version", "right"), [("3.11.7", True), ("3.12.1", False), ("3.1.1", False)]
)
def test_an_environment_of_another_python_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, right: bool
) -> None:
    monkeypatch.setattr(environments, "BUILD", tmp_path)
    environment = environments.Environment("x", (3, 11), ())
    program = Path(environment.tool("python"))
    program.parent.mkdir(parents=True)
    program.touch()
    (environment.folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")
    assert environments.has_right_python(environment) is right


def test_an_environment_beside_another_has_its_packages_too(tmp_path: Path) -> None:
    folders = [tmp_path / "venv-worker", tmp_path / "venv-ray"]
    for folder in folders:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(folders[0].rglob("site-packages"))
    (packages / "only_there.py").write_text("answer = 42")
    (packages / "more.pth").write_text(str(tmp_path))  # such files count as well
    (tmp_path / "further.py").write_text("")
    environment = replace(environments.ray_environment(), name="ray")
    monkey = pytest.MonkeyPatch()
    monkey.setattr(environments, "BUILD", tmp_path)
    environments.see_packages_of(environment, folders[0])
    monkey.undo()
    python = str(folders[1] / environments.BIN / f"python{environments.EXE}")
    ask = "import further, only_there; print(only_there.answer)"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True)
    assert done.stdout.strip() == "42", done.stderr


def test_two_builds_at_once_fill_an_environment_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "BUILD", tmp_path)
    environment = environments.Environment("x", (3, 11), ())
    fillings = []

    def fill(_: object) -> None:
        fillings.append(1)
        time.sleep(0.3)
        environment.folder.mkdir()
        (environment.folder / "photorig.stamp").write_text(environment.stamp)

    monkeypatch.setattr(environments, "fill", fill)
    threads = [threading.Thread(target=environments.prepare, args=[environment]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert fillings == [1]


def test_a_failing_pip_is_explained_in_a_sentence_that_names_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "BUILD", tmp_path)
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    pip = [sys.executable, "-c", "print('Looking'); print('ERROR: No such thing.'); exit(1)"]
    environment = environments.Environment("x", (3, 11), ())
    with pytest.raises(environments.BuildError, match=r"No such thing\..*pip-x\.log"):
        environments.run_pip(pip, environment)
    assert "Looking" in (tmp_path / "logs" / "pip-x.log").read_text()


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(mark)!r}).touch()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    start = time.monotonic()
    assert environments.run([sys.executable, "-c", parent], timeout=0.5) == 124
    assert time.monotonic() - start < 5
    time.sleep(2.5)
    assert not mark.exists()


def test_the_exit_code_of_a_command_is_passed_on() -> None:
    assert environments.run([sys.executable, "-c", "raise SystemExit(7)"], timeout=30) == 7


REPORT = '<testsuites><testsuite tests="5" failures="1" errors="1" skipped="1"/></testsuites>'


@pytest.mark.parametrize(
    ("report", "code", "expected"),
    [
        (REPORT, 1, (2, 2, 1)),
        (REPORT.replace('failures="1" errors="1"', ""), 0, (4, 0, 1)),
        (REPORT.replace('failures="1" errors="1"', ""), 139, (3, 1, 1)),
        (None, 0, (0, 1, 0)),
        ("<testsuites>", 0, (0, 1, 0)),
    ],
)
def test_a_test_run_is_judged_by_its_report_and_its_exit_code(
    tmp_path: Path, report: str | None, code: int, expected: tuple[int, int, int]
) -> None:
    path = tmp_path / "report.xml"
    if report is not None:
        path.write_text(report)
    outcome = build.read_report("step", path, code)
    assert (outcome.passed, outcome.failed, outcome.skipped) == expected


def test_one_failed_step_fails_the_whole(capsys) -> None:
    outcomes = [build.Outcome("a", passed=3), build.Outcome("b", failed=1, skipped=2)]
    assert build.summarize(outcomes, time.monotonic()) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 passed, 1 failed, 2 skipped")


def test_every_command_of_the_help_exists() -> None:
    commands = (
        "setup",
        "demo",
        "test",
        "lint",
        "extension",
        "bench",
        "models",
        "clean",
        "lock",
        "audit",
        "faults",
    )
    for name in commands:
        args = build.parse_arguments([name])
        assert callable(getattr(build, f"command_{args.command}"))


def test_the_full_set_is_every_blender_and_every_window() -> None:
    args = build.parse_arguments(["test", "--blender", "all", "--window"])
    assert build.chosen_series(args) == ["4.2", "4.5", "5.0", "5.2"]
    assert args.window == "all"
    assert args.only == ["lint", "unit", "ray", "blender"]


@pytest.mark.parametrize(
    ("words", "windows"), [(["--window"], ""), (["--window", "5.2"], "5.2"), ([], "")]
)
def test_the_window_step_is_told_which_windows(
    words: list[str], windows: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: dict[str, str] = {}

    def pytest_step(*_arguments: object, **settings: str) -> build.Outcome:
        told.update(settings)
        return build.Outcome("windows")

    monkeypatch.setattr(build, "build_extension", lambda *_: [tmp_path / "photorig.zip"])
    monkeypatch.setattr(build, "pytest", pytest_step)
    args = build.parse_arguments(["test", *words])
    worker = build.Environment("worker", (3, 11), ())
    build.window_test(worker, args)
    assert told["PHOTORIG_WINDOWS"] == windows
    assert told["PHOTORIG_EXTENSION_ZIP"].endswith(".zip")


def test_a_failure_is_a_sentence_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    def fail(_: object) -> int:
        raise build.BuildError("The disk is not there.")

    monkeypatch.setattr(build, "command_setup", fail)
    assert build.main(["setup"]) == 1
    assert capsys.readouterr().out == "build.py setup: The disk is not there.\n"
