"""The worker where the current folder holds modules of somebody else: they are not run."""

from __future__ import annotations

import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from photorig.shared import programs
from photorig.shared.errors import InputError
from photorig.shared.wire.messages import FitRequest
from photorig.worker.cli.serve import FIT_PROGRAM
from photorig.worker.evaluation.real.fitting import run_apart
from photorig.worker.server.fits.process import ProcessFitter

PROGRAM = Path(sysconfig.get_path("scripts")) / "photorig"
SECONDS = 120


def outcome_of(fitter: ProcessFitter) -> object:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for event in fitter.events():
            if isinstance(event.outcome, Exception):
                return event.outcome
        time.sleep(0.02)
    raise AssertionError("the fit has no end")


def test_the_program_of_a_fit_imports_nothing_from_the_current_folder(hostile_folder: Path) -> None:
    fitter = ProcessFitter(programs.python_module(FIT_PROGRAM))
    try:
        fitter.start(1, FitRequest((b"no picture",), "Nobody"))
        outcome = outcome_of(fitter)
    finally:
        fitter.close()
    assert isinstance(outcome, InputError), "it came as far as to read the photo"
    assert not (hostile_folder / "ran").exists()


def test_a_command_run_for_the_evaluation_imports_nothing_from_it(
    hostile_folder: Path, tmp_path: Path
) -> None:
    code, _, _ = run_apart(["--version"], tmp_path / "complaints")
    assert code == 0
    assert not (hostile_folder / "ran").exists()


@pytest.fixture
def served(hostile_folder: Path, tmp_path: Path) -> Iterator[Path]:
    """The connection file of ``photorig serve``, started in the hostile folder."""
    file = tmp_path / "worker.json"
    command = [str(PROGRAM), "serve", "--connection-file", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        yield file
        worker.terminate()


@pytest.mark.slow
@pytest.mark.weights("random-face", "directions")
@pytest.mark.skipif(not PROGRAM.is_file(), reason="needs the installed program")
def test_a_worker_started_in_that_folder_fits_without_its_modules(
    served: Path, hostile_folder: Path, connect: Callable[..., Any], addon: SimpleNamespace
) -> None:
    request = addon.messages.FitRequest((b"no picture",), "Nobody", None)
    fit = addon.fit.start_fit(connect(served), request)
    deadline = time.monotonic() + SECONDS
    while not fit.done and time.monotonic() < deadline:
        fit.poll()
        time.sleep(0.01)
    assert isinstance(fit.error, addon.errors.InputError)
    assert not (hostile_folder / "ran").exists()
