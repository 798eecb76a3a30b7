"""``photorig evaluate methods``: what is counted, and what the page says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.evaluation.methods.page import write_page
from photorig.worker.evaluation.methods.run import AS_IT_IS, compare
from photorig.worker.evaluation.methods.trials import CROSS, SELF, Trial
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.target import DrivingPictures, FacePicture

from ..fakes import tiny_portrait

IDENTITY = np.array([1.0, 0.0])


@dataclass
class Seen:
    """What the judge of these tests reads of a grey picture: its level is its yaw."""

    level: float
    identity: np.ndarray = field(default_factory=lambda: IDENTITY)

    @property
    def pose(self) -> np.ndarray:
        return np.array([self.level, 0.0, 0.0])

    @property
    def expression(self) -> np.ndarray:
        return np.array([self.level / 100, np.nan])


class GreyJudge:
    def measure(self, image: np.ndarray) -> Seen | None:
        level = float(image.mean())
        return None if level > 250 else Seen(level)


class GreyRenderer:
    """Methods are named by the level that they paint."""

    def render(self, portrait: Portrait, request, pictures: DrivingPictures) -> np.ndarray:
        return grey(int(request.method[1:]))


def grey(level: int) -> np.ndarray:
    return np.full((256, 256, 3), level, np.uint8)


def shown(level: int) -> FacePicture:
    return FacePicture(lambda: grey(level), lambda: tiny_portrait().latents)


def trial(kind: str, driver: int, at_rest: int) -> Trial:
    source = Portrait(
        latents=tiny_portrait().latents,
        parameters=tiny_portrait().parameters,
        photo=grey(100),
        alignment=Alignment.upright(256),
        model_id="tiny",
        name="grey",
    )
    return Trial(kind, source, FACE_SCHEMA.rest, DrivingPictures(shown(driver), shown(at_rest)))


@pytest.fixture
def outcome():
    trials = [trial(SELF, 120, 100), trial(CROSS, 60, 50)]
    told: list[int] = []
    result = compare(GreyRenderer(), GreyJudge(), ["m120", "m255"], trials, lambda: told.append(1))
    assert len(told) == 2
    return result


def test_changes_are_compared_not_faces(outcome) -> None:
    by_method = outcome.figures[CROSS]
    assert by_method[AS_IT_IS].pose == pytest.approx(10 / 2)  # yaw by 10 too little, pitch right
    assert by_method["m120"].pose == pytest.approx(10 / 2)  # 20 where 10 were wanted
    assert outcome.figures[SELF]["m120"].pose == 0
    assert outcome.figures[SELF]["m120"].expression == 0


def test_the_truth_is_known_of_those_who_drive_themselves(outcome) -> None:
    assert outcome.figures[SELF]["m120"].psnr > outcome.figures[SELF][AS_IT_IS].psnr
    assert outcome.figures[CROSS]["m120"].psnr is None


def test_frames_without_a_face_are_counted_and_dropped_by_nobody(outcome) -> None:
    missed = outcome.figures[SELF]["m255"]
    assert (missed.frames, missed.missed) == (0, 1)


def test_the_page_has_a_row_for_each_and_pictures(outcome, tmp_path: Path) -> None:
    page = write_page(tmp_path, outcome).read_text()
    for name in (AS_IT_IS, "m120", "m255"):
        assert f"| {name} |" in page
    assert (tmp_path / "self.jpg").exists() and "cross.jpg" in page
    figures = json.loads((tmp_path / "report.json").read_text())
    assert figures["self"]["m120"]["pose"] == 0
