"""The command line of users without a name or a home, or whose output cannot say a file's name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from photorig.shared.errors import InputError
from photorig.worker import places
from photorig.worker.cli import main as cli

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"
COMMAND = [sys.executable, "-P", "-m", "photorig.worker.cli.main"]
POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX users and streams")


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without a home and without an entry in the list of users; its temporary folder."""
    import pwd
    import tempfile

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setenv("PHOTORIG_OFFLINE", "")  # --offline sets it: not for the tests that follow
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "PHOTORIG_CACHE"):
        monkeypatch.delenv(name, raising=False)
    temporary, here = tmp_path / "temporary", tmp_path / "here"
    temporary.mkdir()
    here.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.chdir(here)
    return temporary


@POSIX
def test_a_user_without_a_home_gets_a_private_temporary_folder(homeless: Path) -> None:
    folder = homeless / f"photorig-{os.getuid()}"
    assert places.cache_folder() == places.state_folder() == places.log_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700


@POSIX
@pytest.mark.parametrize("trap", ["open to others", "link"])
def test_a_temporary_folder_that_somebody_has_prepared_is_not_used(
    homeless: Path, trap: str
) -> None:
    folder = homeless / f"photorig-{os.getuid()}"
    if trap == "link":
        (homeless / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(homeless / "elsewhere")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(InputError, match=r"not theirs alone.*Set HOME"):
        places.cache_folder()


@POSIX
def test_commands_work_without_a_home_and_leave_nothing_in_the_current_folder(
    homeless: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["models", "list", "random-face"]) == 0
    assert cli.main(["--offline", "models", "fetch", "random-face"]) == 1
    assert "is not in the cache" in capsys.readouterr().err
    assert not list(Path.cwd().iterdir())


@POSIX
@pytest.mark.parametrize("place", ["home", "home/.cache"])
def test_a_home_where_nothing_can_be_written_is_one_sentence(tmp_path: Path, place: str) -> None:
    """A file in the place of the folder: that stops root, too."""
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_bytes(b"")
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "PHOTORIG_OFFLINE": ""}
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "PHOTORIG_CACHE"):
        environment.pop(name, None)
    words = [*COMMAND, "models", "fetch", "random-face"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "random-face cannot be kept in" in done.stderr


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("error", [Unspeakable(), RecursionError("deep"), ValueError("\udce4 ö")])
def test_the_outermost_edge_never_raises(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    def no_place() -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(cli, "build_parser", fail)
    monkeypatch.setattr(cli, "log_folder", no_place)
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert cli.main(["doctor", "\udce4"]) == 1


def test_the_outermost_edge_tells_why_there_is_no_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    def no_place() -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(cli, "build_parser", fail)
    monkeypatch.setattr(cli, "log_folder", no_place)
    assert cli.main(["doctor"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError: division by zero" in line
    assert "cannot be written: could not determine the home directory" in line


@pytest.mark.weights("face-landmarker")
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "ascii:strict", "latin-1"])
def test_an_output_that_cannot_say_a_name_does_not_spoil_the_work(
    tmp_path: Path, encoding: str
) -> None:
    photo, out = tmp_path / "Кодек → 顔.jpg", tmp_path / "→ 顔.jsonl"
    shutil.copy(ASTRONAUT, photo)
    words = [*COMMAND, "analyze", str(photo), "--out", str(out)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(words, env=environment, capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    assert out.is_file()
    assert rb"\u2192 \u9854.jsonl" in done.stdout


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize(
    ("words", "code"), [(["--help"], 0), (["render", "--help"], 0), (["analyze", "→", "--out"], 2)]
)
def test_help_and_usage_can_be_said_in_every_encoding(
    encoding: str, words: list[str], code: int
) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([*COMMAND, *words], env=environment, capture_output=True, timeout=60)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


@POSIX
@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_are_closed_do_not_spoil_the_work(tmp_path: Path, redirection: str) -> None:
    words = " ".join(f"'{word}'" for word in [*COMMAND, "models", "list", "random-face"])
    done = subprocess.run(
        ["/bin/sh", "-c", f"{words} {redirection}"], capture_output=True, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
