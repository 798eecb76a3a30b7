"""The fault matrix of several computers: actors, nodes and the gateway end, freeze or are cut off.

    .build/venv-ray/bin/python tests/faults/ray_run.py --schedules 50 --seed 1 [--report FILE]

A client, as in client_program.py, renders a sequence through a gateway with ``--executor ray`` in
the first of three rooms (rooms.py), while actors in the other two make the frames. Afterwards every
frame must be there, whole and the one that was asked for, and none stored twice. Linux, as root.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ.setdefault("PHOTORIG_FAULT_FRAMES", "60")
os.environ.setdefault("PHOTORIG_FAULT_PATIENCE", "90")
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[1] / "contract")]

import psutil  # noqa: E402
from client_program import FAILED, FRAMES  # noqa: E402
from ledger import check_folder  # noqa: E402
from rooms import HEAD, PORT, WORKERS, Rooms, why_not  # noqa: E402

ACTIONS = ("kill actor", "kill node", "kill gateway", "freeze actor", "cut node")
_MOST_ATTEMPTS = 6
_ATTEMPT_SECONDS = 150.0


@dataclass
class Result:
    """How one schedule ended; ``problems`` are faults of ours, a sentence each."""

    seed: int
    happened: list[str] = field(default_factory=list)
    attempts: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def schedule(seed: int) -> list[tuple[float, str]]:
    """What happens how many seconds after frames began to come: each action in turn, others by
    chance."""
    chance = random.Random(seed)
    actions = [ACTIONS[seed % len(ACTIONS)], *chance.choices(ACTIONS, k=chance.choice((0, 1, 1)))]
    return sorted((chance.uniform(0.0, 2.0), action) for action in actions)


class Run:
    """One schedule in a folder of its own."""

    def __init__(
        self, seed: int, folder: Path, rooms: Rooms, faults: list[tuple[float, str]] | None = None
    ) -> None:
        self.result = Result(seed)
        self._folder, self._rooms = folder, rooms
        self._pending = schedule(seed) if faults is None else list(faults)
        self._chance = random.Random(seed)
        self._began: float | None = None
        self._broken: set[int] = set()

    def run(self) -> Result:
        start = time.monotonic()
        for name in ("frames", "run", "tmp"):
            (self._folder / name).mkdir(mode=0o700)
        while self.result.attempts < _MOST_ATTEMPTS:
            self.result.attempts += 1
            code = self._attempt()
            if code == 0:
                break
            if code != FAILED:
                self.result.problems.append(f"the client ended with {code}")
        else:
            self.result.problems.append("it was never done")
        self.result.problems += check_folder(self._folder)
        for number in self._broken:
            self._rooms.restart(number)
        self.result.seconds = round(time.monotonic() - start, 1)
        return self.result

    def _attempt(self) -> int:
        program = str(Path(__file__).with_name("client_program.py"))
        words = [sys.executable, "-P", program, str(self._folder), "0", "0"]
        options = f"--executor ray --address {self._rooms.address(HEAD)}:{PORT} --actors 2"
        environment = {**self._rooms.environment, "TMPDIR": str(self._folder / "tmp")}
        environment["PHOTORIG_FAULT_WORKER"] = options
        deadline = time.monotonic() + _ATTEMPT_SECONDS
        with (self._folder / "client.log").open("ab") as log:
            client = subprocess.Popen(
                self._rooms.command(HEAD, words), env=environment, stdout=log, stderr=log
            )
        while client.poll() is None:
            self._happen()
            if time.monotonic() > deadline:
                self.result.problems.append("it hangs")
                client.kill()
            time.sleep(0.02)
        return client.returncode

    def _happen(self) -> None:
        now = time.monotonic()
        if self._began is None and (self._folder / "ledger").exists():
            self._began = now
        while self._began is not None and self._pending and now - self._began > self._pending[0][0]:
            delay, action = self._pending.pop(0)
            if self._do(action):
                self.result.happened.append(f"{action} after {delay:.2f} s")

    def _do(self, action: str) -> bool:
        """Whether there was somebody it could happen to."""
        number = self._chance.choice(WORKERS)
        if action == "kill gateway":
            return _signal_all(self._gateways(), signal.SIGKILL)
        if action == "kill node":
            self._rooms.kill(number)
            self._rooms.start(number)
            return True
        if action == "cut node":
            self._rooms.cut(number)
            self._broken.add(number)
            return True
        what = signal.SIGKILL if action == "kill actor" else signal.SIGSTOP
        return _signal_all(self._rooms.actors(number), what)

    def _gateways(self) -> list[psutil.Process]:
        found = []
        for one in self._rooms.processes(HEAD):
            with contextlib.suppress(psutil.Error):
                words = one.cmdline()
                if "serve" in words and any(str(self._folder) in word for word in words):
                    found.append(one)
        return found


def _signal_all(processes: list[psutil.Process], number: int) -> bool:
    """Whether one of them was there to get it."""
    reached = False
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
            reached = True
    return reached


def summary(results: list[Result]) -> dict[str, object]:
    happened = Counter(" ".join(one.split()[:2]) for result in results for one in result.happened)
    return {
        "schedules": len(results),
        "frames": len(results) * len(FRAMES),
        "attempts": sum(result.attempts for result in results),
        "happened": dict(sorted(happened.items())),
        "problems": [f"seed {one.seed}: {text}" for one in results for text in one.problems],
    }


def run_all(seeds: range, report: Path | None = None) -> list[Result]:
    """All schedules, one after the other, in the same rooms."""
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="phrg-") as base, Rooms(Path(base)) as rooms:
        for seed in seeds:
            with tempfile.TemporaryDirectory(prefix="phrg-run-") as name:
                result = Run(seed, Path(name), rooms).run()
                if result.problems:
                    for path in Path(name).glob("*.log"):
                        print(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}")
            results.append(result)
            state = "; ".join(result.problems) or "ok"
            what = ", ".join(result.happened) or "nothing happened"
            told = f"{result.attempts} attempts, {result.seconds} s"
            print(f"{seed}: {state} ({what}; {told})", flush=True)
            if report:
                told_all = {**summary(results), "results": [asdict(one) for one in results]}
                report.write_text(json.dumps(told_all, indent=1) + "\n", encoding="utf-8")
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schedules", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path)
    args = parser.parse_args()
    if reason := why_not():
        print(f"nothing is run: {reason}")
        return 1
    told = summary(run_all(range(args.seed, args.seed + args.schedules), args.report))
    print(json.dumps(told, indent=1))
    return 1 if told["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
