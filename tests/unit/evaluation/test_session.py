"""A whole evaluation with a generator of noise: measured once, written, added to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from photorig.worker.evaluation import session
from photorig.worker.evaluation.protocols import stages
from photorig.worker.evaluation.protocols.context import Settings
from photorig.worker.evaluation.report.report_file import read_report
from photorig.worker.evaluation.session import Plan, Session

from .test_context import SIZE, BrightnessFamily, context_in

PLAN = Plan(people=3, pairs=6, people_each=1)
SETTINGS = Settings(bundle="some/where/tiny.safetensors", method="directions", size=SIZE)


class TrainingFamily(BrightnessFamily):
    name = "net3d"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stages of the tasks that were really measured, of sessions on noise."""
    done: list[str] = []

    def open_context(settings: Settings, folder: Path, threads: int = 1) -> Any:
        context = context_in(folder, settings.method)
        context.families = (TrainingFamily(),)
        return context

    def noted(stage: str, measure: Any) -> Any:
        def run(context: Any, task: Any) -> Any:
            done.append(stage)
            return measure(context, task)

        return run

    monkeypatch.setattr(session, "open_context", open_context)
    for stage, measure in list(stages.MEASUREMENTS.items()):
        monkeypatch.setitem(stages.MEASUREMENTS, stage, noted(stage, measure))
    return done


def open_session(folder: Path) -> Session:
    return Session(SETTINGS, PLAN, folder, processes=1, on_progress=lambda *_: None)


def test_control_and_drive_make_one_report_with_page_and_pictures(
    tmp_path: Path, measured: list[str]
) -> None:
    first = open_session(tmp_path)
    first.write({"control": first.control()}, [])
    count = len(measured)
    second = open_session(tmp_path)
    path = second.write({"drive": second.drive()}, [])
    assert set(measured[count:]) == {"pairs", "motion", "still", "tiles"}
    report = read_report(tmp_path)
    assert report["control"]["samples"]["people"] == 3
    assert report["drive"]["samples"]["pairs"] == 6
    assert report["drive"]["still_test"]["same_bytes"] == report["drive"]["still_test"]["requests"]
    text = path.read_text()
    for picture in report["pictures"]:
        assert (tmp_path / picture["file"]).stat().st_size > 0
        assert picture["file"] in text
    assert {entry["section"] for entry in report["pictures"]} == {
        *("sheets", "strips", "crosstalk", "failures")
    }


def test_measuring_again_measures_nothing_and_says_the_same(
    tmp_path: Path, measured: list[str]
) -> None:
    first = open_session(tmp_path)
    once = first.control()
    measured.clear()
    again = open_session(tmp_path).control()
    assert not measured
    assert json.dumps(once, default=str) == json.dumps(again, default=str)


def test_a_report_says_what_was_measured_and_not_where_it_lay(
    tmp_path: Path, measured: list[str]
) -> None:
    subject = open_session(tmp_path).subject()
    assert subject["settings"]["bundle"] == "tiny.safetensors"
    assert subject["bundle"] == "tiny"
    assert subject["judges"] == {"net3d": "brightness"}
