"""The fault matrix: things go wrong by schedule, and a ledger shows that nothing is lost by it.

    python tests/faults/fault_run.py --schedules 200 --seed 1 [--report FILE]

For each schedule a client (what Blender does, see client_program.py) works with a worker of test
cards while faults of schedules.py happen; a person tries again until it is done. Afterwards every
frame must be there, whole and the one that was asked for; none may have been stored twice; no half
file, no process and no temporary file may be left. POSIX only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[1] / "contract")]

from client_program import FAILED, FRAMES  # noqa: E402
from ledger import check_folder, leftovers  # noqa: E402
from network import Network  # noqa: E402
from schedules import Fault, schedule  # noqa: E402

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_MOST_ATTEMPTS = 8
_ATTEMPT_SECONDS = 180.0
_SMALL_DISK, _LARGE_DISK = "24k", "16m"
_SIGNALS = {"kill": "SIGKILL", "stop": "SIGTERM", "pause": "SIGSTOP"}


@dataclass
class Result:
    """How one schedule ended; everything but ``happened`` and ``attempts`` is a fault of ours.

    Attributes:
        happened: the faults that came to pass.
        problems: a sentence each.
    """

    seed: int
    happened: list[str] = field(default_factory=list)
    attempts: int = 0
    problems: list[str] = field(default_factory=list)


class Run:
    """One schedule in a folder of its own."""

    def __init__(self, seed: int, folder: Path, faults: list[Fault]) -> None:
        self.result = Result(seed)
        self._folder, self._pending = folder, list(faults)
        self._resume: list[tuple[float, psutil.Process]] = []
        self._has_disk = any(fault.action == "full" for fault in faults)
        self._client: subprocess.Popen[bytes] | None = None

    def run(self) -> Result:
        for name in ("frames", "run", "tmp"):
            (self._folder / name).mkdir(mode=0o700)
        network = Network(self._target)
        try:
            with disk(self._folder / "frames", _SMALL_DISK if self._has_disk else ""):
                self._until_done(network)
                self.result.problems += check_folder(self._folder)
        finally:
            network.close()
        self.result.problems += leftovers(self._folder)
        return self.result

    def _until_done(self, network: Network) -> None:
        while self.result.attempts < _MOST_ATTEMPTS:
            self.result.attempts += 1
            code = self._attempt(network)
            if code == 0:
                return
            killed = code in (-signal.SIGKILL, -signal.SIGTERM)
            if code != FAILED and not killed:
                self.result.problems.append(f"the client ended with {code}, see client.log")
            if self._has_disk:  # whoever is told that the disk is full makes room
                resize(self._folder / "frames", _LARGE_DISK)
        self.result.problems.append("it was never done")

    def _attempt(self, network: Network) -> int:
        (self._folder / "phase").unlink(missing_ok=True)
        program = Path(__file__).with_name("client_program.py")
        command = [sys.executable, "-P", str(program), str(self._folder), *map(str, network.ports)]
        environment = {**os.environ, "TMPDIR": str(self._folder / "tmp")}
        deadline = time.monotonic() + _ATTEMPT_SECONDS
        with (self._folder / "client.log").open("ab") as log:
            self._client = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=log
            )
        phase, began = "", 0.0
        while self._client.poll() is None:
            now, current = time.monotonic(), self._phase()
            if current != phase:
                phase, began = current, now
            self._happen(network, phase, now - began)
            self._go_on(now)
            if now > deadline:
                self.result.problems.append(f"it hangs in {phase}")
                self._client.kill()
            time.sleep(0.005)
        self._go_on(float("inf"))
        return self._client.returncode

    def _happen(self, network: Network, phase: str, seconds: float) -> None:
        """Let what it is time for happen; what comes too late for its phase may in the next try."""
        for fault in [one for one in self._pending if one.phase == phase]:
            if seconds >= fault.delay:
                self._pending.remove(fault)
                if self._do(network, fault):
                    self.result.happened.append(str(fault))

    def _do(self, network: Network, fault: Fault) -> bool:
        """Whether there was somebody it could happen to."""
        if fault.action == "cut":
            network.cut(fault.seconds)
        elif fault.action == "stall":
            network.stall(fault.seconds)
        elif fault.action == "full":
            return True  # it has been since the beginning
        else:
            process = self._process(fault.target)
            if process is None:
                return False
            with contextlib.suppress(psutil.Error, OSError):
                if fault.action == "memory":
                    return self._limit_memory(process, fault.seconds)
                process.send_signal(getattr(signal, _SIGNALS[fault.action]))
                if fault.action == "pause":
                    self._resume.append((time.monotonic() + fault.seconds, process))
                return True
            return False
        return True

    def _limit_memory(self, process: psutil.Process, seconds: float) -> bool:
        if resource is None or not hasattr(resource, "prlimit"):
            return False
        used = process.memory_info().vms
        resource.prlimit(process.pid, resource.RLIMIT_AS, (used, resource.RLIM_INFINITY))
        self._resume.append((time.monotonic() + seconds, process))
        return True

    def _go_on(self, now: float) -> None:
        """Let those go on whose pause or limit is over."""
        for one in [one for one in self._resume if one[0] <= now]:
            self._resume.remove(one)
            with contextlib.suppress(psutil.Error, OSError):
                unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                if hasattr(resource, "prlimit"):
                    resource.prlimit(one[1].pid, resource.RLIMIT_AS, unlimited)
                one[1].send_signal(signal.SIGCONT)

    def _process(self, target: str) -> psutil.Process | None:
        assert self._client is not None
        with contextlib.suppress(psutil.Error):
            client = psutil.Process(self._client.pid)
            if target == "client":
                return client
            program = {"worker": "card_server.py", "fit": "fake_fit_program.py"}[target]
            for child in client.children(recursive=True):
                if any(program in word for word in child.cmdline()):
                    return child
        return None

    def _phase(self) -> str:
        with contextlib.suppress(OSError):
            return (self._folder / "phase").read_text()
        return ""

    def _target(self) -> tuple[tuple[str, int], tuple[str, int]]:
        try:
            data = json.loads((self._folder / "run" / "worker.json").read_text())
        except ValueError as error:
            raise OSError("no worker") from error
        control, bulk = (int(data[name].rpartition(":")[2]) for name in ("control", "bulk"))
        return ("127.0.0.1", control), ("127.0.0.1", bulk)


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of that size at the folder; none where the size is empty."""
    if not size:
        yield
        return
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "none", str(folder)], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def resize(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def can_mount(folder: Path) -> bool:
    try:
        with disk(folder, _SMALL_DISK):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def run_all(
    seeds: range, on_result: object = None, *, with_long_pauses: bool = True
) -> list[Result]:
    """All schedules, one after the other."""
    results = []
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="photorig-faults-") as name:
            folder = Path(name)
            with_disk = can_mount(folder)
            faults = schedule(seed, with_disk=with_disk, with_long_pauses=with_long_pauses)
            result = Run(seed, folder, faults).run()
            results.append(result)
            if result.problems:
                logs = [path for path in folder.glob("*.log") if path.is_file()]
                for path in logs:
                    print(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}")
        if callable(on_result):
            on_result(result)
    return results


def summary(results: list[Result]) -> dict[str, object]:
    happened = Counter(" ".join(text.split()[:2]) for result in results for text in result.happened)
    return {
        "schedules": len(results),
        "frames": len(results) * len(FRAMES),
        "attempts": sum(result.attempts for result in results),
        "happened": dict(sorted(happened.items())),
        "phases": dict(Counter(text.split()[3] for result in results for text in result.happened)),
        "problems": [f"seed {one.seed}: {text}" for one in results for text in one.problems],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schedules", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, help="write everything there as JSON")
    args = parser.parse_args()

    def tell(result: Result) -> None:
        state = "; ".join(result.problems) or "ok"
        what = ", ".join(result.happened) or "nothing happened"
        print(f"{result.seed}: {state} ({what}; {result.attempts} attempts)", flush=True)

    results = run_all(range(args.seed, args.seed + args.schedules), tell)
    told = summary(results)
    if args.report:
        told_all = {**told, "results": [asdict(result) for result in results]}
        args.report.write_text(json.dumps(told_all, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=1))
    return 1 if told["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
