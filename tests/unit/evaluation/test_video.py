"""Recordings: which frames are used, what is right for a driven frame, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.errors import InputError, PhotorigError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.evaluation.protocols.cached_results import CachedResult
from photorig.worker.evaluation.real import reports, video_figures
from photorig.worker.evaluation.real.recording import Plan, Recording, read_recording
from photorig.worker.evaluation.real.reenact import MADE, REAL
from photorig.worker.evaluation.real.video_figures import cross_figures, goals_of, self_figures
from photorig.worker.evaluation.real.videos import VideoRun, VideoSettings
from photorig.worker.evaluation.report.report_file import jsonable, read_report
from photorig.worker.media.movie import write_movie
from photorig.worker.media.reading import read_picture

from ..evaluation_fakes import FAMILY, readings
from ..fakes import tiny_portrait
from ..real_fakes import MiddleFace, tiny_tools

SIDE = 96
YAW, JAW = FACE_SCHEMA.index["headYaw"], FACE_SCHEMA.index["jawOpen"]
PLAN = Plan(length=12, every=4, run=4)


def movie_in(folder: Path, name: str = "anna.mp4", dark_frames: int = 0, count: int = 14) -> Path:
    """A face of noise that gets brighter; MiddleFace takes brightness for yaw."""
    noise = np.random.default_rng(0).integers(0, 60, (SIDE, SIDE, 3))
    frames = [np.zeros((SIDE, SIDE, 3), np.uint8)] * dark_frames
    frames += [(noise + 90 + 2 * i).astype(np.uint8) for i in range(count)]
    write_movie(folder / name, frames, 25)
    return folder / name


class FitOfFrame:
    """Makes a tiny portrait of the picture that it is given."""

    def __call__(self, arguments: Sequence[str], complaints: Path) -> tuple[int, float, float]:
        complaints.write_text("")
        photo = read_picture(Path(arguments[1]))
        portrait = replace(tiny_portrait(size=SIDE), photo=photo)
        portrait.save(Path(arguments[arguments.index("--out") + 1]))
        return 0, 2.0, 1e9


def result_of(real: np.ndarray, made: np.ndarray, same_person: float = 1.0) -> CachedResult:
    """Readings of frames; the driven ones look like frame 0 by this cosine."""
    identity = np.tile([same_person, np.sqrt(1 - same_person**2), 0, 0], (len(made), 1))
    cached = {f"{REAL}.{key}": values for key, values in readings(real).items()}
    cached |= {f"{MADE}.{key}": values for key, values in readings(made, identity).items()}
    return cached


def parameters(yaw: Sequence[float], jaw: Sequence[float]) -> np.ndarray:
    result = np.zeros((len(yaw), len(FACE_SCHEMA)))
    result[:, YAW], result[:, JAW] = yaw, jaw
    return result


def test_a_plan_compares_each_nth_frame_and_never_the_first() -> None:
    plan = Plan(length=20, every=6, run=4)
    assert plan.compared == [6, 12, 18]
    assert plan.in_a_row == [6, 7, 8, 9]


def test_a_recording_begins_with_the_first_frame_that_shows_the_face(tmp_path: Path) -> None:
    path = movie_in(tmp_path, dark_frames=3)
    recording = read_recording(path, 0, PLAN, MiddleFace())  # type: ignore[arg-type]
    assert recording.skipped == 3
    assert recording.frames_per_second == pytest.approx(25)
    assert sorted(recording.images) == [0, 4, 5, 6, 7, 8]
    assert len(recording.faces) == 12
    # What is kept is the frame that was measured, not one beside it.
    drive = recording.drive(8)
    assert drive is not None
    assert drive[YAW] == pytest.approx((recording.images[8].mean() - 128) / 16, abs=1e-4)


def test_a_video_that_never_shows_a_face_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = movie_in(tmp_path, "empty.mp4", dark_frames=4, count=0)
    with pytest.raises(InputError, match=r"empty\.mp4"):
        read_recording(path, 0, PLAN, MiddleFace())  # type: ignore[arg-type]


def test_a_smoothed_drive_keeps_a_steady_move_and_loses_trembling() -> None:
    numbers = list(range(30))
    trembling = [0.5 * (-1) ** i for i in numbers]
    face = MiddleFace().analyze(np.full((SIDE, SIDE, 3), 9, np.uint8))[0]

    def recorded(yaw: Sequence[float]) -> Recording:
        rows = parameters(yaw, [0.0] * len(yaw)).astype(np.float32)
        return Recording({}, [replace(face, parameters=row) for row in rows], 25.0, 0)

    ramp = recorded([float(i) for i in numbers]).smooth_drive(numbers)
    noise = recorded(trembling).smooth_drive(numbers)
    assert ramp[15][YAW] == pytest.approx(15, abs=1e-3)
    assert abs(noise[15][YAW]) < 0.01
    gap = recorded(trembling)
    gap.faces[3] = None
    assert gap.smooth_drive(numbers) == {}


def test_right_in_self_reenactment_is_the_real_frame() -> None:
    real = parameters([10.0, 20.0], [0.2, 0.4])
    made = parameters([12.0, 18.0], [0.2, 0.3])
    source = readings(parameters([0.0], [0.0]))
    figures = self_figures(FACE_SCHEMA, result_of(real, made, 0.8), source, FAMILY)
    assert figures["pose"]["headYaw"]["mean"] == pytest.approx(2)
    assert figures["untouched_pose"]["headYaw"]["mean"] == pytest.approx(15)
    assert figures["identity_to_source"] == pytest.approx(0.8)
    assert figures["real_identity_to_source"] == pytest.approx(1)
    assert figures["identity_kept"] == pytest.approx(0.8)
    by_yaw = [(step["count"], step["mean"]) for step in figures["identity_by_yaw"]]
    assert by_yaw[0] == (1, pytest.approx(0.8)) and by_yaw[1] == (1, pytest.approx(0.8))


def test_right_in_cross_reenactment_is_the_source_plus_the_drivers_change() -> None:
    driver_frames = parameters([10.0, 20.0], [0.5, 0.6])
    driver_first = readings(parameters([5.0], [0.5]))
    source = readings(parameters([-3.0], [0.1]))
    made = parameters([2.0, 12.0], [0.1, 0.2])  # exactly what it should be
    figures = cross_figures(
        FACE_SCHEMA, result_of(driver_frames, made), source, driver_first, FAMILY
    )
    assert figures["pose"]["headYaw"]["mean"] == pytest.approx(0, abs=1e-5)
    assert figures["untouched_pose"]["headYaw"]["mean"] == pytest.approx(10)
    assert figures["expression"]["error_by_parameter"]["jawOpen"] == pytest.approx(0, abs=1e-5)


def test_frames_without_a_face_are_counted_and_not_taken_for_right() -> None:
    real = parameters([10.0, 20.0], [0.0, 0.0])
    cached = result_of(real, real)
    for key in cached:
        if key.startswith(MADE):
            cached[key][1] = np.nan
    figures = self_figures(FACE_SCHEMA, cached, readings(parameters([0.0], [0.0])), FAMILY)
    assert figures["without_a_face"] == 1
    assert figures["pose"]["headYaw"]["failures"] == 1
    assert figures["pose"]["headYaw"]["count"] == 1


def test_jitter_of_a_steady_move_is_none_and_a_lost_frame_leaves_it_unknown() -> None:
    yaw = np.linspace(0, 10, 12)
    cached = result_of(parameters(yaw, yaw * 0), parameters(yaw, yaw * 0))
    figures = video_figures.jitter_figures(cached, {}, FAMILY, 25.0)
    assert figures["driven"]["landmarks"] == pytest.approx(0, abs=1e-6)
    assert figures["driven"]["pose"] == pytest.approx(0, abs=1e-3)
    assert figures["smooth_drive"] == {}
    cached[f"{MADE}.{FAMILY}.parameters"][3] = np.nan
    lost = video_figures.jitter_figures(cached, {}, FAMILY, 25.0)["driven"]
    assert lost["frames_lost"] == 1 and np.isnan(lost["landmarks"])


def test_a_video_is_measured_and_the_report_written(tmp_path: Path) -> None:
    anna, ben = movie_in(tmp_path), movie_in(tmp_path, "ben.mp4", dark_frames=1)
    out = tmp_path / "out"
    out.mkdir()
    tools = tiny_tools()
    run = VideoRun(tools, out, lambda *_: None, FitOfFrame())
    section = run.measure(VideoSettings(anna, ben, way="quick", plan=PLAN))
    path = reports.write_video_report(out, tools, section, run.shown, True, "Cores were shared.")
    report = read_report(out)
    assert report["video"]["self"]["frames"] == report["video"]["cross"]["frames"] == 2
    assert report["video"]["self"]["still"] == {"same": 2, "requests": 2}
    assert report["video"]["self"]["face_l1"]["untouched"] > 0
    assert report["video"]["driver"]["skipped"] == 1
    assert len(report["pictures"]) == 2
    page = path.read_text(encoding="utf-8")
    assert "HyperReenact" in page and "Cores were shared." in page and "anna.mp4" in page
    told = goals_of(report["video"], "brightness")
    assert [bar.passed for bar in told][2] is True


def test_measured_frames_are_found_again(tmp_path: Path) -> None:
    anna, out = movie_in(tmp_path), tmp_path / "out"
    out.mkdir()
    sections = []
    for _ in range(2):
        tools = tiny_tools()
        run = VideoRun(tools, out, lambda *_: None, FitOfFrame())
        sections.append(jsonable(run.measure(VideoSettings(anna, way="quick", plan=PLAN))))
    cached_results = list((out / "pieces").rglob("*.safetensors"))
    assert len(cached_results) == 3  # self, row and smooth, one each
    assert sections[0]["self"]["families"] == sections[1]["self"]["families"]


def test_a_first_frame_that_cannot_be_fitted_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    def refuse(arguments: Sequence[str], complaints: Path) -> tuple[int, float, float]:
        complaints.write_text("photorig: The head fills only 20 pixels of the photo.")
        return 1, 1.0, 1e9

    out = tmp_path / "out"
    out.mkdir()
    run = VideoRun(tiny_tools(), out, lambda *_: None, refuse)
    with pytest.raises(PhotorigError, match="only 20 pixels"):
        run.measure(VideoSettings(movie_in(tmp_path), way="quick", plan=PLAN))


def test_a_pose_that_is_no_better_than_an_untouched_photo_does_not_reach_the_goal() -> None:
    def pose_bar(made_yaw: float) -> bool | None:
        real, made = parameters([2.0, 2.0], [0.0, 0.0]), parameters([made_yaw] * 2, [0.0, 0.0])
        figures = self_figures(
            FACE_SCHEMA, result_of(real, made), readings(parameters([0.0], [0.0])), FAMILY
        )
        jitter = {name: {"landmarks": None} for name in ("real", "driven", "smooth_drive")}
        still = {"same": 3, "requests": 3}
        section = {"families": {FAMILY: figures}, "jitter": {FAMILY: jitter}, "still": still}
        return goals_of(jsonable({"self": section}), FAMILY)[0].passed

    assert pose_bar(1.5) is True
    assert pose_bar(5.0) is False  # 1° in the mean of the axes, and yet worse than nothing
