"""The page says what the report says, marks goals honestly and escapes everything."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.evaluation.metrics.control import control_figures
from photorig.worker.evaluation.metrics.drive_figures import pair_figures
from photorig.worker.evaluation.metrics.goals import goals_of
from photorig.worker.evaluation.report import report_file
from photorig.worker.evaluation.report.markup import Markup, tag
from photorig.worker.evaluation.report.page import page
from photorig.worker.evaluation.report.page_parts import Other

from ..evaluation_fakes import FAMILY, person_result, sweep_result
from .test_figures import BUNDLE, PEOPLE, pair_result


def report_of(leak: float = 0.0, miss: float = 0.0) -> dict[str, Any]:
    """A report as it is read back from its file."""
    sweeps = [sweep_result(i, BUNDLE, leak=leak) for i in range(3)]
    clip = {"landmarks": 0.01, "landmarks_fast": 0.002, "pose": 0.1, "frames_lost": 0.0}
    motion = {"people": 1, "driven": clip, "moved_still_picture": clip, "background_flicker": 0.5}
    pairs = pair_figures(FACE_SCHEMA, PEOPLE, [pair_result(0, miss), pair_result(2, miss)], FAMILY)
    report = {
        "format": report_file.FORMAT,
        "version": report_file.VERSION,
        "made": "today",
        "subject": {
            "bundle": "<tiny & small>",
            "bundle_id": "b",
            "model_id": "m",
            "backend": "tiny",
            "settings": {"method": "directions", "size": 256, "seed": 0},
            "judges": {FAMILY: "a judge"},
            "versions": {"numpy": np.__version__},
        },
        "seconds": {"people": 1.5},
        "control": {
            "samples": {"people": 3},
            "background": {
                "moves": {"yaw": {"before": 6.0, "after": 0.0, "visible": 0.0}},
                "all": {"before": 6.0, "after": 0.0, "visible": 0.0},
            },
            "families": {FAMILY: control_figures(BUNDLE, PEOPLE, sweeps, FAMILY)},
        },
        "drive": {
            "samples": {"pairs": 4},
            "still_test": {"requests": 6, "same_bytes": 6},
            "families": {FAMILY: {**pairs, "motion": motion}},
        },
    }
    return json.loads(json.dumps(report_file.jsonable(report)))


def verdicts(report: dict[str, Any], **others: Any) -> dict[str, bool | None]:
    return {bar.what.split(",")[0].split(" (")[0]: bar.passed for bar in goals_of(report, **others)}


def test_goals_that_are_reached_are_said_to_be_and_others_not() -> None:
    good, bad = verdicts(report_of()), verdicts(report_of(leak=0.9, miss=2.0))
    assert good["pose error"] is True
    assert bad["pose error"] is False
    worst = [bar for bar in goals_of(report_of(leak=0.9)) if "worst pair" in bar.what]
    assert "jawOpen → mouthPucker" in worst[0].reached
    assert worst[0].passed is False


def test_two_controllable_parameters_are_not_thirty() -> None:
    passed = verdicts(report_of())
    assert passed["controllable parameters"] is False


def test_what_the_judge_cannot_see_is_said_to_be_unseen_and_not_to_fail() -> None:
    report = report_of()
    families = report["control"]["families"]
    families["net3d"] = copy.deepcopy(families[FAMILY])
    families[FAMILY]["parameters"]["jawOpen"] |= {"gain": None, "controllable": False}
    counted = next(b for b in goals_of(report) if b.what.startswith("controllable"))
    assert "not seen by the judge: 1, of which 1 pass" in counted.reached
    among = next(b for b in goals_of(report) if b.what.startswith("among"))
    assert among.reached.endswith("not seen by the judge: jaw")
    assert "the judges cannot see it" in page(report, [])


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    assert None in [bar.passed for bar in goals_of(report_of()) if "roll" in bar.what]


def test_the_background_is_compared_with_the_closed_form_matrix() -> None:
    closed = report_of()
    closed["control"]["background"]["all"]["before"] = 13.0
    assert verdicts(report_of(), closed_form=closed)["background before paste-back"] is True
    closed["control"]["background"]["all"]["before"] = 11.0
    assert verdicts(report_of(), closed_form=closed)["background before paste-back"] is False


def test_the_page_shows_figures_pictures_and_other_reports_and_escapes() -> None:
    report = report_of()
    report["pictures"] = [{"section": "sheets", "file": "pictures/eyes.jpg", "caption": "Eyes"}]
    text = page(report, [Other("old <one>", report_of(leak=0.5))])
    assert "&lt;tiny &amp; small&gt;" in text
    assert "<tiny" not in text
    assert "old &lt;one&gt;" in text
    assert 'src="pictures/eyes.jpg"' in text
    assert "6 of 6 repeated requests" in text
    assert "HyperReenact" in text


@pytest.mark.parametrize("missing", ["control", "drive"])
def test_half_a_report_has_a_page_too(missing: str) -> None:
    report = copy.deepcopy(report_of())
    del report[missing]
    other = report_of()
    assert "<html" in page(report, [Other("other", other)])
    assert "<html" in page(other, [Other("half", report)])


def test_markup_is_not_escaped_twice_and_text_always() -> None:
    assert tag("p", Markup("<b>x</b>"), "<i>") == "<p><b>x</b>&lt;i&gt;</p>"
    assert tag("img", src='a"b', class_="c") == '<img src="a&#34;b" class="c">'


def test_numbers_that_were_not_measured_are_null_in_the_file(tmp_path: Path) -> None:
    report_file.write_report(
        tmp_path,
        {
            "format": report_file.FORMAT,
            "version": report_file.VERSION,
            "gain": float("nan"),
            "list": np.array([1.23456789, np.nan]),
        },
    )
    report = report_file.read_report(tmp_path)
    assert report["gain"] is None
    assert report["list"] == [1.2346, None]


def test_something_else_is_no_report(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}")
    with pytest.raises(InputError, match="no evaluation report"):
        report_file.read_report(path)
    with pytest.raises(InputError, match="Cannot read the report"):
        report_file.read_report(tmp_path)


def test_people_without_a_face_do_not_stop_the_figures() -> None:
    lost = {"parameters": np.full(len(FACE_SCHEMA), np.nan, np.float32), "person": np.array(3)}
    people = [*(person_result(i) for i in range(3)), lost]
    empty = {"parameter": np.zeros(0, np.int32), "person": np.array(3)}
    figures = control_figures(BUNDLE, people, [sweep_result(0, BUNDLE), empty], FAMILY)
    assert figures["parameters"]["jawOpen"]["people"] == 1
