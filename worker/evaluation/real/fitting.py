"""`photorig fit` as users run it: a process of its own, with its time, memory, file and complaint.

What a fit needs cannot be measured inside a process that holds judges and renderer already.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from photorig.shared import programs
from photorig.shared.errors import InputError
from photorig.shared.files.writing import write_atomically

WAYS: dict[str, tuple[str, ...]] = {
    "instant": ("--instant",),
    "quick": ("--quick",),
    "default": (),
}
"""What `photorig fit` is given for each way to fit."""

Run = Callable[[Sequence[str], Path], tuple[int, float, float]]
"""Arguments after ``photorig``, with absolute paths, and a file for its complaints, to exit code,
processor seconds and peak memory in bytes (NaN where the system does not tell)."""


@dataclass(frozen=True)
class FitRun:
    """What one fit took, and what came of it.

    Attributes:
        seconds: by the clock, loading included; other programs may have shared the cores.
        processor_seconds: of all its threads; NaN where the system does not tell.
        peak_memory: bytes; NaN likewise.
        portrait_bytes: of the file; 0 where there is none.
        error: what `photorig fit` said where it failed, "" where it did not.
    """

    seconds: float
    processor_seconds: float
    peak_memory: float
    portrait_bytes: int
    error: str


def fit_photo(
    photo: Path, face: int, way: str, folder: Path, run: Run | None = None
) -> tuple[FitRun, Path | None]:
    """Fit one face of a photo, or find what an earlier call with the same photo made of it.

    Args:
        way: a key of WAYS.
        folder: where portraits are kept.

    Returns:
        what it took, and the portrait's file where there is one.

    Raises:
        InputError: the photo or the folder cannot be read or written.
    """
    # It stands elsewhere, where a relative path would lead elsewhere.
    photo, folder = photo.absolute(), folder.absolute()
    stem = f"{photo.stem}-{face}-{way}-{_key(photo, face, way)}"
    portrait, record = folder / f"{stem}.portrait", folder / f"{stem}.json"
    if record.is_file():
        done = FitRun(**json.loads(record.read_bytes()))
        if done.error or portrait.is_file():
            return done, None if done.error else portrait
    arguments = ["fit", str(photo), "--out", str(portrait), "--face", str(face), *WAYS[way]]
    done = _timed(arguments, portrait, run or run_apart)
    write_atomically(record, json.dumps(asdict(done)).encode())
    return done, None if done.error else portrait


def _timed(arguments: Sequence[str], portrait: Path, run: Run) -> FitRun:
    try:
        portrait.parent.mkdir(parents=True, exist_ok=True)
        portrait.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"Cannot write {portrait}: {error.strerror}") from error
    with tempfile.TemporaryDirectory() as folder:
        complaints = Path(folder, "stderr")
        started = time.monotonic()
        code, processor_seconds, memory = run(arguments, complaints)
        seconds = time.monotonic() - started
        complaint = (
            ""
            if code == 0
            else _complaint(complaints, code, f"{Path(arguments[1]).parent}{os.sep}")
        )
    size = portrait.stat().st_size if portrait.is_file() else 0
    if not complaint and not size:
        complaint = "photorig fit said it was done, but wrote no portrait"
    return FitRun(round(seconds, 2), processor_seconds, memory, size, complaint)


def run_apart(arguments: Sequence[str], complaints: Path) -> tuple[int, float, float]:
    """Run ``photorig`` with these arguments in a process of its own; see `Run`."""
    command = programs.python_module("photorig.worker.cli.main", *arguments)
    with complaints.open("wb") as stderr:
        process = programs.start(
            command, complaints.parent, stdout=subprocess.DEVNULL, stderr=stderr
        )
        try:
            if not hasattr(os, "wait4"):  # Windows does not tell what a process has used
                return process.wait(), float("nan"), float("nan")
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # a fit must not go on when nobody waits for it
            process.terminate()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    processor_seconds = round(usage.ru_utime + usage.ru_stime, 2)
    return process.returncode, processor_seconds, float(usage.ru_maxrss * unit)


def _complaint(path: Path, code: int, folder: str) -> str:
    """The last line that is no progress bar; for a traceback that is its exception."""
    text = path.read_text(encoding="utf-8", errors="replace").replace("\r", "\n")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("photorig:", "error:"))]
    said = told[-1] if told else (lines[-1] if lines else "nothing")
    crashed = " (with a traceback)" if "Traceback (most recent call last)" in text else ""
    # Where files lie on this computer is nobody's business.
    said = said.split(" Details are in ")[0].replace(folder, "")
    return f"exit code {code}{crashed}: {said}"


def _key(photo: Path, face: int, way: str) -> str:
    try:
        content = photo.read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read {photo}: {error.strerror}") from error
    told = f"{face}|{' '.join(WAYS[way])}".encode()
    return hashlib.sha256(hashlib.sha256(content).digest() + told).hexdigest()[:12]
