"""What `photorig bench frames` times, and what it tells beside a run that was kept."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from photorig.shared.errors import InputError
from photorig.worker.cli import bench_frames
from photorig.worker.evaluation.speed.frames import STAGES, FrameCost
from photorig.worker.evaluation.speed.limits import Limits
from photorig.worker.evaluation.speed.liveportrait import Yardstick, networks
from photorig.worker.evaluation.speed.report import SpeedReport, lines_of
from photorig.worker.evaluation.speed.sequences import SequenceSpeed
from photorig.worker.reenactment.busy_core import BusyCore


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_a_function_that_is_there(stage: str) -> None:
    owner, name = STAGES[stage]
    assert callable(getattr(owner, name))


def run_of(moved: float = 150.0, pace: float = 1.0) -> SpeedReport:
    """A run in which a moved frame takes so long, on a machine that is so many times as slow."""
    costs = [
        FrameCost("512", motion, pace * taken, {}, 60.0, 0.2, pace * 3.0)
        for motion, taken in (("expression", 75.0), ("moved", moved))
    ]
    limits = Limits(2.5e8 / pace, 2.3e7 / pace, 1.0)
    sequences = [SequenceSpeed("512", "moved", 10.0, pace * (moved + 3), 0.0)]
    busy = BusyCore(256, 60.0, 70.0, 1.17)
    return SpeedReport(2, "openvino bf16", limits, costs, sequences, busy)


Bench = Callable[[SpeedReport], tuple[int, str]]


@pytest.fixture
def against(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bench:
    """`photorig bench frames --against` a run that was saved; exit code and what was printed."""
    kept = tmp_path / "kept.json"

    def run(report: SpeedReport, **more: Path) -> int:
        monkeypatch.setattr(bench_frames, "_measured", lambda args: report)
        given = {"save": None, "against": None, "json": False, **more}
        return bench_frames.run(argparse.Namespace(**given))

    assert run(run_of(), save=kept) == 0
    capsys.readouterr()
    return lambda report: (run(report, against=kept), capsys.readouterr().out)


def test_what_became_slower_by_more_than_a_tenth_is_told_by_its_name_and_the_exit_code(
    against: Bench,
) -> None:
    code, told = against(run_of(moved=170.0))
    assert code == 1
    slower = [line for line in told.splitlines() if line.startswith("slower")]
    assert slower == [
        "slower than before: 512 moved, 1.13 times",
        "slower than before: sequence of 512 moved, 1.13 times",
    ]


def test_less_than_a_tenth_is_not(against: Bench) -> None:
    code, told = against(run_of(moved=162.0))
    assert (code, "slower" in told) == (0, False)


def test_another_machine_is_no_other_program(against: Bench) -> None:
    code, told = against(run_of(pace=2.0))
    assert (code, "slower" in told) == (0, False)


def test_a_frame_that_waits_for_a_busy_core_is_told(against: Bench) -> None:
    report = replace(run_of(), busy=BusyCore(256, 60.0, 120.0, 2.0))
    assert "slower than before: beside a busy core, 1.71 times" in against(report)[1]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("[]")
    with pytest.raises(InputError, match="no measured frames"):
        bench_frames.run(argparse.Namespace(save=None, against=other, json=False))


def test_whole_frames_are_told_beside_liveportraits_networks() -> None:
    told = list(lines_of(replace(run_of(), yardstick=Yardstick(617 * 10**9, 6000.0))))
    assert "  a whole frame, 512 expression, is 80 times cheaper" in told
    assert "  a whole frame, 512 moved, is 40 times cheaper" in told


@pytest.mark.slow
def test_the_networks_that_stand_for_liveportrait_multiply_what_was_published() -> None:
    """617 GMAC a frame; what it makes is a frame of 512²."""
    model, products = networks()
    assert products == pytest.approx(617e9, rel=0.02)
    assert list(model.outputs[2].shape) == [1, 3, 512, 512]
