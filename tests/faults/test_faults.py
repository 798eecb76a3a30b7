"""A short fault matrix, and that its ledger would notice. For long ones: ``build.py faults``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from card_server import SIZE, CardRenderer, card, encode_card, portrait_bytes
from client_program import FRAMES
from fault_run import run_all, summary
from ledger import check_folder, leftovers
from schedules import ACTIONS, MATRIX, PHASES, schedule

from photorig.shared.files.frame_index import FrameIndex, picture_key
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.portraits.portrait import Portrait


def test_a_schedule_is_a_function_of_its_seed() -> None:
    assert schedule(7) == schedule(7)
    assert any(schedule(7) != schedule(seed) for seed in range(5))
    assert not any(one.action == "full" for n in range(99) for one in schedule(n, with_disk=False))


def test_seeds_in_a_row_let_everything_happen_in_every_phase() -> None:
    first = {(one.action, one.target, one.phase) for n in range(len(MATRIX)) for one in schedule(n)}
    assert first == set(MATRIX)
    assert {(one[0], one[1]) for one in MATRIX} == {
        (action, target) for action, targets in ACTIONS.items() for target in targets
    }
    assert {phase for _, _, phase in MATRIX} == set(PHASES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As it is after a schedule in which nothing was lost."""
    for name in ("frames", "run", "tmp"):
        (tmp_path / name).mkdir()
    portrait = Portrait.from_bytes(portrait_bytes(1)).id
    index = FrameIndex(tmp_path / "frames")
    for frame in FRAMES:
        request = FrameRequest(portrait, FACE_SCHEMA.vector({"headYaw": frame}), SIZE, frame=frame)
        image = card(portrait, request.parameters, SIZE)
        index.store(frame, picture_key(request, CardRenderer.model_id), encode_card(image, "png"))
    (tmp_path / "ledger").write_text("".join(f"{frame}\n" for frame in FRAMES))
    return tmp_path


def test_the_ledger_finds_nothing_where_nothing_is_wrong(folder: Path) -> None:
    assert check_folder(folder) + leftovers(folder) == []


def test_the_ledger_notices_what_is_lost_half_wrong_doubled_or_left(folder: Path) -> None:
    frames = folder / "frames"
    (frames / "frame_0002.png").unlink()
    half = frames / "frame_0003.png"
    half.write_bytes(half.read_bytes()[:200])
    other = encode_card(np.zeros((SIZE, SIZE, 3), np.uint8), "png")
    path = frames / "frame_0004.png"
    path.write_bytes(other.ljust(path.stat().st_size, b"\0"))
    (frames / "x.part").touch()
    with (folder / "ledger").open("a") as ledger:
        ledger.write("5\n")
    problems = check_folder(folder)
    assert "frame 2 is lost" in problems
    assert "frame 3 is half" in problems
    assert "frame 4 is another one" in problems
    assert "frame 5 was stored 2 times" in problems
    assert "x.part is left among the frames" in problems
    assert len(problems) == 5


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_the_ledger_notices_a_process_and_files_that_are_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ledger

    monkeypatch.setattr(ledger, "_PATIENCE_SECONDS", 0.0)
    (folder / "tmp" / "fit-1").mkdir()
    (folder / "run" / "worker.json").touch()
    command = [sys.executable, "-P", "-c", "import time; time.sleep(60)", str(folder)]
    with subprocess.Popen(command) as process:
        found = leftovers(folder)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert len(found) == 3


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("cell", [("kill", "worker", "render"), ("kill", "client", "render")])
def test_nothing_is_lost_when_one_of_both_is_killed(cell: tuple[str, str, str]) -> None:
    happened = {}
    for again in range(6):  # at other moments: a fast computer may be done before one comes
        seed = MATRIX.index(cell) + again * len(MATRIX)
        told = summary(run_all(range(seed, seed + 1), with_long_pauses=False))
        assert told["problems"] == []
        happened = told["happened"]
        if happened:
            break
    assert happened
