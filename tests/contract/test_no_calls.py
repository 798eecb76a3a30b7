"""Nobody is called: every command with an ear at Python's sockets, and a home that is looked into.

The ear is a ``sitecustomize`` module, so that it also hears what the commands start.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from photorig.shared import programs
from photorig.worker.cli.main import COMMANDS
from photorig.worker.cli.serve import FIT_PROGRAM
from photorig.worker.registry.cache import default_cache_folder

ASTRONAUT = Path(__file__).resolve().parents[1] / "data" / "astronaut.jpg"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
EAR = f"""
import os, sys

def hear(event, arguments):
    if event == "socket.getaddrinfo":
        place = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        place = arguments[1][0]
    elif event in ("socket.gethostbyname", "socket.sendto", "urllib.Request"):
        place = arguments[-1] if event == "socket.sendto" else arguments[0]
    else:
        return
    if place is not None and place not in {LOOPBACK!r}:
        with os.fdopen(os.open(os.environ["HEARD"], os.O_APPEND | os.O_WRONLY), "a") as notes:
            notes.write(f"{{event}} {{place}}\\n")

sys.addaudithook(hear)
"""

Listen = Callable[..., str]


@pytest.fixture
def listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listen:
    """Runs Python in a home of its own, without ``CI``; gives what it printed.

    It fails where somebody was called, or something of Intel's lies in that home.
    """
    home, ear, heard = tmp_path / "home", tmp_path / "ear", tmp_path / "heard"
    for folder in (home, ear):
        folder.mkdir()
    heard.touch()
    (ear / "sitecustomize.py").write_text(EAR)
    monkeypatch.setenv("PHOTORIG_CACHE", str(default_cache_folder()))
    for name in ("CI", "PHOTORIG_OFFLINE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("HEARD", str(heard))
    inherited = [path for path in [os.environ.get("PYTHONPATH")] if path]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ear), *inherited]))

    def run(*arguments: str, stdin: int = subprocess.DEVNULL) -> str:
        complaints = tmp_path / "complaints"
        with (
            complaints.open("w") as stderr,
            subprocess.Popen(
                [sys.executable, "-P", *arguments],
                cwd=tmp_path,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as process,
        ):
            assert process.stdout is not None
            said = process.stdout.read()
            assert process.wait(240) == 0, complaints.read_text()
        assert heard.read_text() == ""
        assert not [path for path in home.rglob("*") if "intel" in path.name.lower()]
        return said

    return run


def one_after_the_other(*commands: list[str]) -> str:
    """Code that runs commands in one process, as a program would run each."""
    return (
        "from photorig.worker.cli.main import main\n"
        "def quiet(words):\n"
        "    try:\n        return main(words)\n"
        "    except SystemExit as end:\n        return end.code\n"
        f"failed = [words for words in {list(commands)!r} if quiet(words)]\n"
        "raise SystemExit(f'failed: {failed}' if failed else 0)"
    )


def test_the_ear_hears_a_call(listen: Listen) -> None:
    call = (
        "import multiprocessing, socket\n"
        "def call():\n"
        "    try:\n        socket.create_connection(('nobody.invalid', 80), timeout=5)\n"
        "    except OSError:\n        pass\n"
        "if __name__ == '__main__':\n"
        "    call()"
    )
    with pytest.raises(AssertionError, match=r"nobody\.invalid"):
        listen("-c", call)


def test_importing_the_libraries_calls_nobody(listen: Listen) -> None:
    listen("-c", "import photorig.worker.cli.main, openvino, torch, mediapipe, cv2, av, zmq")


def test_the_help_of_every_command_calls_nobody(listen: Listen) -> None:
    said = listen("-c", one_after_the_other(["--help"], *([name, "--help"] for name in COMMANDS)))
    assert all(f"usage: photorig {name}" in said for name in COMMANDS)


@pytest.mark.slow
@pytest.mark.weights("random-face", "face-landmarker", "person-matte")
def test_commands_that_render_and_measure_call_nobody(listen: Listen, tmp_path: Path) -> None:
    parameters = tmp_path / "moves.jsonl"
    parameters.write_text('{"frame": 1, "parameters": {"jawOpen": 0.4, "headYaw": 9}}\n')
    said = listen(
        "-c",
        one_after_the_other(
            ["sample", "--seed", "7", "--out", "a.png", "--portrait", "a.portrait"],
            ["render", "a.portrait", str(parameters), "--out", "frames", "--size", "256"],
            ["analyze", str(ASTRONAUT), "--out", "seen.jsonl"],
            ["bench", "--sizes", "256", "--rounds", "1"],
            ["models", "verify", "random-face"],
            ["doctor", "--frames", "1"],
            ["serve", "--connection-file", str(tmp_path / "worker.json"), "--idle-minutes", ".001"],
            ["--offline", "render", "a.portrait", str(parameters), "--out", "x", "--size", "512"],
        ),
    )
    assert said.count("Rendered 1 frames") == 2
    assert "ready" in said.splitlines()


@pytest.mark.slow
@pytest.mark.weights("random-face", "face-landmarker")
def test_a_fit_in_a_process_of_its_own_calls_nobody(listen: Listen, tmp_path: Path) -> None:
    folder = tmp_path / "fit"
    folder.mkdir()
    (folder / "photo-1").write_bytes(ASTRONAUT.read_bytes())
    words = [*programs.python_module(FIT_PROGRAM)[2:], "--folder", str(folder), "--name", "A"]
    said = listen(*words, "--quick", "--steps", "1", stdin=subprocess.PIPE)
    assert '"event": "done"' in said.splitlines()[-1]
