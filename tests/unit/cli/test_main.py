"""The command line's edge: every way to fail ends in one sentence and the agreed exit code."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import platformdirs
import pytest

from photorig.shared.errors import Cancelled, InputError
from photorig.worker.cli import main as cli


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Put a command of our own in the place of 'doctor'; its run raises or returns what we say."""
    monkeypatch.setattr(platformdirs, "user_log_dir", lambda *_, **__: str(tmp_path))

    def install(outcome: BaseException | int) -> None:
        def run(_: object) -> int:
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        module = types.SimpleNamespace(
            add_parser=lambda subparsers: subparsers.add_parser("doctor"), run=run
        )
        monkeypatch.setattr(cli, "_module", lambda name: module)

    return install


def test_a_command_that_works_exits_with_zero(command) -> None:
    command(0)
    assert cli.main(["doctor"]) == 0


def test_an_explained_failure_is_one_line_on_standard_error(command, capsys) -> None:
    command(InputError("The picture holds no face", "Try another one."))
    assert cli.main(["doctor"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "photorig: The picture holds no face. Try another one.\n"
    assert captured.out == ""


def test_an_unexpected_failure_is_one_line_and_a_log_with_the_rest(
    command, capsys, tmp_path: Path
) -> None:
    command(ZeroDivisionError("division\nby zero"))
    assert cli.main(["doctor"]) == 1
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert "ZeroDivisionError: division by zero" in complaint
    assert "Traceback" in (tmp_path / "photorig.log").read_text()


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Cancelled("Stopped")])
def test_stopping_exits_with_130(command, stop: BaseException) -> None:
    command(stop)
    assert cli.main(["doctor"]) == 130


@pytest.mark.parametrize("words", [[], ["nonsense"], ["models", "--nonsense"], ["models", "eat"]])
def test_wrong_usage_exits_with_two(words: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    assert "usage: photorig" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--offline", "models"], ["models", "--offline"]])
def test_offline_is_understood_before_and_behind_the_command(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTORIG_OFFLINE", "")
    seen: list[bool] = []
    from photorig.worker.cli import models
    from photorig.worker.registry import is_offline

    def note(_: object) -> int:
        seen.append(is_offline())
        return 0

    monkeypatch.setattr(models, "run", note)
    assert cli.main(words) == 0
    assert seen == [True]


def test_every_command_has_a_module_or_is_not_offered() -> None:
    folder = Path(cli.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "main"}
    commands = {name for name in modules if "def add_parser" in (folder / f"{name}.py").read_text()}
    assert commands == set(cli.available_commands())


def test_help_imports_no_heavy_library() -> None:
    check = (
        "import sys\nfrom photorig.worker.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'openvino', 'cv2', 'mediapipe', 'zmq', 'numpy'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_list_says_where_models_are_kept(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PHOTORIG_CACHE", str(tmp_path))
    assert cli.main(["models", "list", "random-face"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(str(tmp_path / "models"))


def test_models_as_json_is_for_other_programs(capsys) -> None:
    assert cli.main(["models", "list", "random-face", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["name"] == "random-face"
    assert row["licence"] == "Apache-2.0"


def test_a_model_that_is_not_there_fails_verification(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys
) -> None:
    monkeypatch.setenv("PHOTORIG_CACHE", str(tmp_path))
    assert cli.main(["models", "verify", "random-face"]) == 1
    assert "photorig models fetch random-face" in capsys.readouterr().err


def test_doctor_tells_versions_devices_and_models_to_other_programs(capsys) -> None:
    assert cli.main(["doctor", "--no-speed", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["versions"]["photorig"] == "0.1.0"
    assert "cpu" in report["devices"]
    assert set(report["models"]) >= {"random-face", "face-landmarker", "directions"}


@pytest.mark.weights("random-face")
def test_doctor_measures_a_frame_at_every_size(capsys) -> None:
    assert cli.main(["doctor", "--frames", "1", "--json"]) == 0
    speed = json.loads(capsys.readouterr().out)["speed"]
    assert set(speed["milliseconds_per_frame"]) == {"256", "512", "1024"}
    assert all(value > 1 for value in speed["milliseconds_per_frame"].values())


PROGRAM = """
import atexit, sys
from photorig.worker.cli import main as cli
def main():
    atexit.register(print, "done at the end")
    print("said", end=" ")
    return {code}
cli.main = main
cli.program()
"""


@pytest.mark.parametrize("code", [0, 1])
def test_the_program_ends_with_the_code_of_its_command_and_loses_nothing(code):
    words = [sys.executable, "-c", PROGRAM.format(code=code)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (code, "said done at the end\n")
    assert done.stderr == ""
