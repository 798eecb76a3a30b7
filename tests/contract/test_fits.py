"""Photos become portraits over the wire: progress, choice, cancel, and what goes wrong."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from card_server import RunningServer, portrait_bytes

from photorig.shared.wire.connection import process_alive

Connect = Callable[..., Any]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[str]]]:
    """Process number and folder of each fit that was started."""
    log = tmp_path / "fits.log"
    monkeypatch.setenv("PHOTORIG_FAKE_FIT_LOG", str(log))
    return lambda: [line.split() for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def client(programs: Any, server: RunningServer, connect: Connect) -> Any:
    return connect(server.file)


def fit(addon: SimpleNamespace, client: Any, task: str, **options: Any) -> Any:
    request = addon.messages.FitRequest((task.encode(),), "Anna", **options)
    return addon.fit.start_fit(client, request)


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return value


def finish(job: Any, seconds: float = 20) -> list[tuple[str, float]]:
    """Poll to the end; returns the progress that was seen."""
    seen = []

    def step() -> bool:
        job.poll()
        seen.append((job.progress.stage, job.progress.fraction))
        return job.done

    assert until(step, seconds), "the fit did not end"
    return list(dict.fromkeys(seen))


def test_a_photo_becomes_a_portrait_that_the_worker_has(
    addon: SimpleNamespace, client: Any, server: RunningServer
) -> None:
    assert client.welcome.fit_photos == 1
    job = fit(addon, client, "portrait")
    progress = finish(job)
    assert job.error is None
    assert job.portrait.content == portrait_bytes(7)
    assert job.portrait.note == "Anna", "the name went all the way"
    assert progress[-1] == ("Finding the likeness", 0.5)
    assert job.portrait.id in server.portraits


def test_a_quick_likeness_is_asked_for_as_such(addon: SimpleNamespace, client: Any) -> None:
    job = fit(addon, client, "portrait", quick=True)
    finish(job)
    assert job.portrait.note == "Anna, quick"


def test_what_libraries_print_does_no_harm(addon: SimpleNamespace, client: Any) -> None:
    job = fit(addon, client, "babble")
    finish(job)
    assert job.portrait is not None


def test_several_faces_are_offered_and_one_is_chosen(addon: SimpleNamespace, client: Any) -> None:
    asked = fit(addon, client, "faces")
    finish(asked)
    first, second = asked.faces.faces
    assert (asked.faces.width, asked.faces.height) == (64, 48)
    assert first.box == (1, 2, 30, 40)
    assert bytes(first.thumbnail) == bytes(range(12))
    assert (first.problem, second.problem) == ("", "The face is too small")
    chosen = fit(addon, client, "faces", face=1)
    finish(chosen)
    assert chosen.portrait.content == portrait_bytes(71)


def test_a_photo_that_cannot_be_used_is_told_in_the_programs_words(
    addon: SimpleNamespace, client: Any
) -> None:
    job = fit(addon, client, "refuse")
    finish(job)
    assert isinstance(job.error, addon.errors.InputError)
    assert str(job.error) == "No face was found. Look elsewhere."


def test_a_program_that_dies_ends_its_fit_and_nothing_else(
    addon: SimpleNamespace, client: Any
) -> None:
    job = fit(addon, client, "die")
    finish(job)
    assert "ended unexpectedly" in str(job.error)
    after = fit(addon, client, "portrait")
    finish(after)
    assert after.portrait is not None


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("complain", "ended unexpectedly: ModuleNotFoundError: No module named 'torch'. See the"),
        ("die", "ended unexpectedly: exit code 9. See"),
        pytest.param(
            "killed",
            "The system ended the fit of the photo. It does so where memory runs out",
            marks=pytest.mark.skipif(os.name != "posix", reason="POSIX signals"),
        ),
    ],
)
def test_a_program_that_fails_is_told_in_its_own_last_words(
    addon: SimpleNamespace, client: Any, task: str, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    job = fit(addon, client, task)
    finish(job)
    assert sentence in str(job.error)
    assert ("memory" in str(job.error)) == (task == "killed")
    assert "Traceback" in capfd.readouterr().err or task != "complain"  # for the worker's log


def test_a_program_that_cannot_be_started_is_told_as_that(tmp_path: Path) -> None:
    from photorig.shared.wire.messages import FitRequest
    from photorig.worker.server.fits.process import ProcessFitter

    fitter = ProcessFitter([str(tmp_path / "python")])
    try:
        fitter.start(1, FitRequest((b"photo",), "Anna"))
        told: list[str] = []

        def ended() -> bool:
            told.extend(str(event.outcome) for event in fitter.events())
            return len(told) > 1

        assert until(ended)
    finally:
        fitter.close()
    assert told[-1].startswith("Fitting the photo cannot start: python: No such file")


def test_a_cancelled_fit_ends_within_a_second(
    addon: SimpleNamespace, client: Any, programs: Callable[[], list[list[str]]]
) -> None:
    job = fit(addon, client, "hang")
    assert until(lambda: (job.poll(), job.progress.fraction)[1])
    ((pid, folder),) = programs()
    began = time.monotonic()
    job.cancel()
    assert isinstance(job.error, addon.errors.Cancelled)
    assert until(lambda: (client.poll(), not process_alive(int(pid)))[1], 1)
    assert time.monotonic() - began < 1
    assert until(lambda: not Path(folder).exists(), 1), "the photo must not stay behind"


def test_fits_take_turns_and_one_that_waits_can_be_cancelled(
    addon: SimpleNamespace, client: Any, programs: Callable[[], list[list[str]]]
) -> None:
    first, second, third = (fit(addon, client, task) for task in ("hang", "hang", "portrait"))
    assert until(lambda: (first.poll(), first.progress.fraction)[1])
    assert until(lambda: (third.poll(), "Waiting" in third.progress.stage)[1])
    second.poll()
    second.cancel()
    first.cancel()
    finish(third)
    assert third.portrait is not None
    assert len(programs()) == 2, "the second was never started"


def test_a_client_that_leaves_cancels_its_fit(
    addon: SimpleNamespace, client: Any, programs: Callable[[], list[list[str]]]
) -> None:
    job = fit(addon, client, "hang")
    assert until(lambda: (job.poll(), job.progress.fraction)[1])
    ((pid, _),) = programs()
    client.close()
    assert "closed" in str(job.error)
    assert until(lambda: not process_alive(int(pid)), 2)


def test_a_client_that_is_killed_cancels_its_fit_too(
    addon: SimpleNamespace, client: Any, programs: Callable[[], list[list[str]]]
) -> None:
    job = fit(addon, client, "hang")
    assert until(lambda: (job.poll(), job.progress.fraction)[1])
    ((pid, _),) = programs()
    for channel in (client.control, client.bulk):
        channel._socket.close(0)  # without a goodbye
    assert until(lambda: not process_alive(int(pid)), 12)


def test_the_program_ends_when_the_worker_is_killed(
    addon: SimpleNamespace, tmp_path: Path, programs: Callable[[], list[list[str]]]
) -> None:
    script = Path(__file__).with_name("card_server.py")
    worker = addon.process.WorkerProcess(
        [sys.executable, script, "serve"],
        connection_file=tmp_path / "killed.json",
        log_file=tmp_path / "worker.log",
        arguments=["--portraits", str(tmp_path / "kept")],
    )
    worker.start()
    client = addon.client.WorkerClient(worker.wait_ready(20), "test")
    client.connect()
    job = fit(addon, client, "hang")
    assert until(lambda: (job.poll(), job.progress.fraction)[1])
    ((pid, folder),) = programs()
    os.kill(worker.pid, signal.SIGKILL)
    finish(job)
    assert isinstance(job.error, addon.errors.ConnectionLost)
    assert until(lambda: not process_alive(int(pid)), 2)
    assert until(lambda: not Path(folder).exists(), 2), "the photo must not stay behind"
    client.close()
    worker.stop()


def test_frames_and_heartbeats_are_answered_during_a_fit(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    job = fit(addon, client, "hang")
    assert until(lambda: (job.poll(), job.progress.fraction)[1])
    info = client.upload_portrait(portrait)
    request = addon.messages.FrameRequest(info.id, info.parameters, 64, frame=3)
    assert client.request_frame(request).frame == 3
    assert not job.done
    job.cancel()


def test_a_lost_worker_ends_the_fit_with_a_sentence(
    addon: SimpleNamespace, client: Any, server: RunningServer
) -> None:
    job = fit(addon, client, "hang")
    assert until(lambda: (job.poll(), job.progress.fraction)[1])
    server._stop.stop("the test is over")
    finish(job)
    assert isinstance(job.error, addon.errors.ConnectionLost)


def test_more_photos_than_the_worker_takes_are_refused_before_they_are_sent(
    addon: SimpleNamespace, client: Any
) -> None:
    request = addon.messages.FitRequest((b"one", b"two"), "Anna")
    with pytest.raises(addon.errors.InputError, match="1 photo"):
        addon.fit.start_fit(client, request)


def test_several_photos_of_a_person_arrive_together(
    addon: SimpleNamespace, connect: Connect, tmp_path: Path
) -> None:
    with RunningServer(tmp_path, fit_photos=3) as running:
        client = connect(running.file)
        assert client.welcome.fit_photos == 3
        request = addon.messages.FitRequest((b"count", b"two", b"three"), "Anna")
        job = addon.fit.start_fit(client, request)
        finish(job)
        assert job.portrait.note == "3"


def test_too_many_fits_are_refused_with_a_sentence(addon: SimpleNamespace, client: Any) -> None:
    jobs = [fit(addon, client, "hang") for _ in range(5)]
    assert until(lambda: [job.poll() for job in jobs] and any(job.done for job in jobs))
    (refused,) = (job for job in jobs if job.done)
    assert "Too many photos wait" in str(refused.error)
    for job in jobs:
        job.cancel()


def test_a_worker_without_a_fitter_says_so(
    addon: SimpleNamespace, client: Any, server: RunningServer
) -> None:
    old = addon.messages.Welcome(**{**vars(client.welcome), "fit_photos": 0})
    client.welcome = old
    with pytest.raises(addon.errors.InputError, match="makes no portraits"):
        fit(addon, client, "portrait")
