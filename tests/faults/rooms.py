"""Three computers in one: a head node and two workers, each in a network namespace of its own.

Linux, as root. Whatever is made here has the prefix `_NAME`, and goes at the end. The bridge has no
address: nothing outside can be reached from the rooms, and they cannot be reached.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

_NAME = f"ph{os.getpid() % 100000}"
"""Of this run only: others may make rooms at the same time."""
_NET = "10.77.13"
PORT = 6391
HEAD = 0
WORKERS = (1, 2)
_CONTRACT = Path(__file__).resolve().parents[1] / "contract"
_RAYS_FOLDER = "/tmp/ray"
"""Where every node of Ray keeps its files, on each computer: Ray lets only the head choose."""
_QUICK = (
    '{"health_check_period_ms": 1000, "health_check_timeout_ms": 1000,'
    ' "health_check_failure_threshold": 3, "health_check_initial_delay_ms": 1000}'
)


def why_not() -> str:
    """Why there can be no such rooms here; "" where there can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "network namespaces need Linux and root"
    if shutil.which("ip") is None:
        return "there is no program ip (iproute2)"
    if _run("ip", "netns", "add", f"{_NAME}-try", check=False):
        return "this computer lets nobody make network namespaces"
    _run("ip", "netns", "delete", f"{_NAME}-try")
    return ""


class Rooms:
    """The three, joined by a bridge, with Ray's nodes in them.

    Args:
        folder: for Ray's files and logs; short, for the paths of sockets are limited.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: dict[int, subprocess.Popen[bytes]] = {}
        # What a test before this one has told Ray in this process is not for these computers.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        self.environment = {
            **kept,
            "RAY_AUTH_MODE": "token",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_TOKEN": "5" * 64,
            "PYTHONPATH": str(_CONTRACT),
            "OMP_NUM_THREADS": "1",
        }

    def __enter__(self) -> Rooms:
        self._remove()
        _run("ip", "link", "add", f"{_NAME}0", "type", "bridge")
        _run("ip", "link", "set", f"{_NAME}0", "up")
        for number in (HEAD, *WORKERS):
            self._make_room(number)
        self.start(HEAD)
        for number in WORKERS:
            self.start(number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in list(self._nodes):
            self.kill(number)
        for number in (HEAD, *WORKERS):
            for one in self.processes(number):
                with contextlib.suppress(psutil.Error):
                    one.kill()
        self._remove()

    def command(self, number: int, words: Sequence[str]) -> list[str]:
        """The words of a program in that room. Each worker has files of Ray of its own."""
        inside = ["ip", "netns", "exec", f"{_NAME}-{number}"]
        if number == HEAD:
            return [*inside, *words]
        (self._folder / str(number)).mkdir(exist_ok=True)
        Path(_RAYS_FOLDER).mkdir(exist_ok=True)
        mount = f'mount --bind "{self._folder / str(number)}" {_RAYS_FOLDER} && exec "$@"'
        return [*inside, "sh", "-c", mount, "sh", *words]

    def start(self, number: int) -> None:
        """Begin a node in the background."""
        ray = str(Path(sys.executable).with_name("ray"))
        words = [ray, "start", "--block", "--disable-usage-stats"]
        words += ["--node-ip-address", self.address(number), "--object-store-memory", "100000000"]
        if number == HEAD:
            words += ["--head", "--port", str(PORT), "--num-cpus", "0"]
            words += ["--include-dashboard", "false", "--system-config", _QUICK]
        else:
            words += ["--address", f"{self.address(HEAD)}:{PORT}", "--num-cpus", "1"]
        with (self._folder / f"node-{number}.log").open("ab") as log:
            self._nodes[number] = subprocess.Popen(
                self.command(number, words),
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if number == HEAD:
            time.sleep(8)

    def kill(self, number: int) -> None:
        """End a node with all that belongs to it, at once."""
        process = self._nodes.pop(number, None)
        if process is None:
            return
        family = self.processes(number) if number != HEAD else []
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for one in family:
            with contextlib.suppress(psutil.Error):
                one.kill()
        process.wait()

    def restart(self, number: int) -> None:
        self.join_up(number)
        self.kill(number)
        self.start(number)

    def cut(self, number: int) -> None:
        """Pull the cable out."""
        _run("ip", "link", "set", f"{_NAME}v{number}", "down")

    def join_up(self, number: int) -> None:
        """Put the cable in again."""
        _run("ip", "link", "set", f"{_NAME}v{number}", "up")

    def actors(self, number: int) -> list[psutil.Process]:
        """Actors that run in a room."""
        found = []
        for one in self.processes(number):
            with contextlib.suppress(psutil.Error):
                if " ".join(one.cmdline()).startswith("ray::RenderActor"):
                    found.append(one)
        return found

    def processes(self, number: int) -> list[psutil.Process]:
        told = subprocess.run(
            ["ip", "netns", "pids", f"{_NAME}-{number}"], capture_output=True, text=True
        ).stdout
        found = []
        for word in told.split():
            with contextlib.suppress(psutil.Error):
                found.append(psutil.Process(int(word)))
        return found

    def address(self, number: int) -> str:
        return f"{_NET}.{10 + number}"

    def _make_room(self, number: int) -> None:
        name, here, there = f"{_NAME}-{number}", f"{_NAME}v{number}", f"{_NAME}e{number}"
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", here, "type", "veth", "peer", "name", there)
        _run("ip", "link", "set", here, "master", f"{_NAME}0", "up")
        _run("ip", "link", "set", there, "netns", name)
        inside = ("ip", "-n", name)
        _run(*inside, "address", "add", f"{self.address(number)}/24", "dev", there)
        _run(*inside, "link", "set", there, "up")
        _run(*inside, "link", "set", "lo", "up")

    def _remove(self) -> None:
        for number in (HEAD, *WORKERS):
            _run("ip", "netns", "delete", f"{_NAME}-{number}", check=False)
            _run("ip", "link", "delete", f"{_NAME}v{number}", check=False)
        _run("ip", "link", "delete", f"{_NAME}0", check=False)


def _run(*words: str, check: bool = True) -> int:
    return subprocess.run(words, check=check, capture_output=True).returncode
