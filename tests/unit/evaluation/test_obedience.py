"""Full motion asked of portraits: what is measured, by which yardstick, and how it is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import ARKIT_NAMES
from photorig.worker.cli.main import main
from photorig.worker.evaluation.obedience import known_warps, pixels, pose, recordings, sheets
from photorig.worker.evaluation.obedience.flow import REGIONS, region_moves
from photorig.worker.evaluation.obedience.frames import REST, all_frames, places, whole_frames
from photorig.worker.evaluation.obedience.look import last_change, last_changes, look_at
from photorig.worker.evaluation.obedience.portrait_figures import (
    Seen,
    bend,
    move_figures,
    no_more,
    sweep_figures,
)
from photorig.worker.evaluation.obedience.report import write_obedience_report
from photorig.worker.evaluation.obedience.run import ObedienceRun, Person, grey_copy, portraits_in
from photorig.worker.evaluation.obedience.shape import FaceFrame, aligned_to, eye_distance
from photorig.worker.evaluation.obedience.summary import Goal, lid_floor, row
from photorig.worker.evaluation.obedience.yardstick import BY_NAME, MOVES, Look
from photorig.worker.evaluation.real.material import Subject
from photorig.worker.evaluation.report.report_file import read_report
from photorig.worker.faces.canonical import load_canonical_face

from ..obedience_fakes import (
    AskedRenderer,
    asked_tools,
    drawn_face,
    in_pixels,
    moved_face,
    neutral_portrait,
)


def turned(points: np.ndarray, degrees: float, scale: float, shift: Sequence[float]) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(scale * points @ turn.T + shift)


def look(values: dict[str, float], face: FaceFrame) -> Look:
    points = face.aligned(in_pixels(moved_face(values)))
    lids = np.array([1 - 0.87 * values.get(f"eyeBlink{s}", 0.0) for s in ("Left", "Right")])
    return Look(points, lids, np.zeros((2, 2)), np.zeros((len(REGIONS), 2)))


def textured(side: int = 512) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0, 255, (side, side, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.clip(128 + 6 * (soft - soft.mean()), 0, 255).astype(np.uint8)


def test_every_control_is_asked_for_alone_and_no_frame_twice() -> None:
    labels = [frame.label for frame in all_frames()]
    assert set(ARKIT_NAMES) <= set(labels)
    assert len(labels) == len(set(labels))
    assert {move.frame for move in MOVES} | {move.against for move in MOVES} <= set(labels)
    assert set(places(whole_frames())) <= set(labels)
    assert set(sheets.SHOWN) <= set(labels)


def test_an_eye_distance_is_between_the_midpoints_of_the_eyes_corners() -> None:
    assert eye_distance(drawn_face()) == pytest.approx(1)


def test_a_head_that_only_moves_in_the_picture_has_not_moved_its_face() -> None:
    rest = in_pixels(drawn_face())
    face = FaceFrame(rest)
    np.testing.assert_allclose(face.of_pixels(rest), drawn_face(), atol=1e-9)
    elsewhere = turned(rest, 12, 1.3, [40, -7])
    np.testing.assert_allclose(face.aligned(elsewhere), drawn_face(), atol=1e-9)
    np.testing.assert_allclose(face.to_pixels(drawn_face()), rest, atol=1e-9)
    np.testing.assert_allclose(aligned_to(elsewhere, elsewhere, rest), rest, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("jaw open", {"jawOpen": 1.0}),
        ("both lids", {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}),
        ("smile", {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}),
        ("smile left", {"mouthSmileLeft": 1.0}),
        ("smile right", {"mouthSmileRight": 1.0}),
        ("inner brow up", {"browInnerUp": 1.0}),
        ("outer brow right up", {"browOuterUpRight": 1.0}),
        ("brows down", {"browDownLeft": 1.0, "browDownRight": 1.0}),
        ("pucker", {"mouthPucker": 1.0}),
        ("funnel", {"mouthFunnel": 1.0}),
        ("frown", {"mouthFrownLeft": 1.0, "mouthFrownRight": 1.0}),
    ],
)
def test_arkits_full_motion_is_a_share_of_one(name: str, values: dict[str, float]) -> None:
    face = FaceFrame(in_pixels(drawn_face()))
    judge = "irises" if name == "both lids" else "landmarks"
    share = BY_NAME[name].share(look({}, face), look(values, face), judge)
    assert share == pytest.approx(1, abs=0.02)
    half = {control: value / 2 for control, value in values.items()}
    halfway = BY_NAME[name].share(look({}, face), look(half, face), judge)
    assert halfway == pytest.approx(0.5, abs=0.02)


def test_a_corner_pulled_by_the_other_side_is_seen_as_that() -> None:
    face = FaceFrame(in_pixels(drawn_face()))
    driven = look({"mouthSmileRight": 1.0}, face)
    assert BY_NAME["smile left"].share(look({}, face), driven, "landmarks") == pytest.approx(0)


def test_optical_flow_reads_a_known_motion_that_has_no_landmark() -> None:
    face, image = FaceFrame(in_pixels(drawn_face())), textured()
    (warp,) = [warp for warp in known_warps.WARPS if warp.move == "cheeks puffed"]
    moves = region_moves(face, image, known_warps.warped(image, face, warp))
    seen = dict(zip(REGIONS, moves, strict=True))
    assert seen["left cheek"][0] == pytest.approx(0.09, rel=0.1)
    assert seen["right cheek"][0] == pytest.approx(-0.09, rel=0.1)
    assert np.abs(seen["chin"]).max() < 0.01


def test_a_known_warp_moves_its_landmarks_by_the_full_motion_and_never_folds() -> None:
    face = FaceFrame(in_pixels(drawn_face()))
    for warp in known_warps.WARPS:
        field = known_warps.displacement(face, warp, (512, 512))
        for axis in (0, 1):
            steps = np.diff(field[..., axis], axis=1 - axis)
            assert steps.min() > -1, warp.move
    (sneer,) = [warp for warp in known_warps.WARPS if warp.move == "nose sneers"]
    column, line = np.rint(face.rest[35] - 0.5).astype(int)
    field = known_warps.displacement(face, sneer, (512, 512))
    np.testing.assert_allclose(field[line, column], [0, -11.8], atol=0.3)


def test_weave_is_the_amplitude_of_a_checker_and_ignores_what_a_photo_shows() -> None:
    rows, columns = np.indices((64, 64))
    checker = np.where((rows + columns) % 2, 98, 102)[..., None].repeat(3, 2)
    assert pixels.weave(checker.astype(np.uint8)) == pytest.approx(2)
    ramp = (2 * columns)[..., None].repeat(3, 2).astype(np.uint8)
    assert pixels.weave(ramp) < 0.1
    assert math.isnan(pixels.weave(checker[:8, :8].astype(np.uint8)))


def test_one_coloured_pixel_is_colour_in_a_grey_picture() -> None:
    grey = np.full((64, 64, 3), 90, np.uint8)
    assert pixels.chroma(grey) == (0, 0)
    grey[3, 4] = [90, 95, 90]
    assert pixels.chroma(grey) == (5, 0)


def test_a_turned_face_is_read_as_turned_without_net3d() -> None:
    vertices = load_canonical_face().vertices[list(pose.POINTS.values())].astype(float)
    for yaw, pitch in ((0, 0), (20, 0), (-12, 10)):
        a, b = np.radians([yaw, -pitch])
        about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        x, y, z = (about_y @ about_x @ vertices.T) * [[1], [-1], [-1]] + [[0], [0], [80]]
        landmarks = np.full((68, 2), np.nan)
        landmarks[list(pose.POINTS)] = np.column_stack([x / z, y / z]) * 1024 + 256
        angles = pose.head_angles(landmarks, (512, 512))
        np.testing.assert_allclose(angles, [yaw, pitch, 0], atol=0.2)


def test_no_landmarks_have_no_pose() -> None:
    assert np.isnan(pose.head_angles(np.full((68, 2), np.nan), (512, 512))).all()


def test_more_is_no_more_where_the_answer_stops() -> None:
    even = [step / 8 for step in range(1, 9)]
    assert no_more(even) == pytest.approx(1)
    assert bend(even) == pytest.approx(0)
    stops = [min(step / 8, 0.5) for step in range(1, 9)]
    assert no_more(stops) == pytest.approx(0.5)
    assert bend(stops) == pytest.approx(0.5)
    assert math.isnan(no_more([0.0] * 8))
    assert math.isnan(bend([0.0] * 8))


def test_the_last_change_is_found_to_the_byte() -> None:
    def render(share: float) -> np.ndarray:
        return np.array([min(share, 0.3)])

    assert last_change(render) == pytest.approx(0.3, abs=1 / 64)
    assert last_change(lambda share: np.array([share])) == 1
    assert last_change(lambda share: np.zeros(1)) == 0


def recording(amount: float, frames: int = 12) -> dict[str, np.ndarray]:
    """Mouth and left lid move evenly, driven frames by a part of it and turned by 5°."""
    open_by = np.linspace(0, 1, frames)
    real = [in_pixels(moved_face({"jawOpen": 0.3 * v})) for v in open_by]
    made = [in_pixels(moved_face({"jawOpen": 0.3 * v * amount})) for v in open_by]
    lids = np.column_stack([np.zeros(frames), 0.3 - 0.2 * open_by, np.full(frames, 0.3)])
    driven = lids.copy()
    driven[:, 1] = 0.3 - 0.2 * amount * open_by
    return {
        "real.judge.landmarks": np.array(real),
        "made.judge.landmarks": np.array([turned(p, 5, 1.1, [3, 4]) for p in made]),
        "real.judge.apertures": lids,
        "made.judge.apertures": driven,
    }


def test_a_driven_face_that_goes_half_the_way_has_a_slope_of_one_half() -> None:
    figures = recordings.slope_figures(recording(0.5), "judge")
    assert figures["signals"]["mouth aperture"]["slope"] == pytest.approx(0.5, abs=0.01)
    assert figures["signals"]["lids"]["slope"] == pytest.approx(0.5)
    assert figures["signals"]["wink"]["slope"] == pytest.approx(0.5)
    assert math.isnan(figures["signals"]["smile"]["slope"])  # nothing to follow
    assert figures["landmark_error"] > 0.001


def test_a_face_that_follows_wholly_misses_nothing_however_the_head_stands() -> None:
    figures = recordings.slope_figures(recording(1.0), "judge")
    assert figures["signals"]["mouth aperture"]["slope"] == pytest.approx(1)
    assert figures["landmark_error"] == pytest.approx(0, abs=1e-9)


def test_what_a_judge_leaves_of_a_real_blink_is_told() -> None:
    cached = recording(1.0)
    cached["real.judge.apertures"][3, 1:] = 0.03
    left = recordings.real_blinks(cached, "judge")
    assert left["irises"] == pytest.approx(0.1, abs=0.01)
    assert left["landmarks"] == pytest.approx(1)  # the drawn face has not blinked
    entry = {"real_blinks": {"irises": 0.3, "Net3D": 0.1}}
    assert lid_floor([entry, {"real_blinks": {"irises": 0.8, "Net3D": 0.7}}]) == 0.3
    assert math.isnan(lid_floor([]))


def test_a_row_leaves_out_who_has_no_figure_and_names_the_worst() -> None:
    found = row("k", "w", Goal(low=0.8), [("a", 0.9), ("b", 0.5), ("c", None), ("d", math.nan)])
    assert (found.mean, found.known, found.worst, found.passed) == (0.7, 2, "b", False)
    assert row("k", "w", Goal(0.95, 1.05), [("a", 1.2), ("b", 0.97)]).worst == "a"
    assert row("k", "w", Goal(low=0.8), []).passed is None


def test_what_each_has_to_reach_is_not_reached_by_the_mean() -> None:
    found = row("k", "w", Goal(0.8, 1.25, each=True), [("a", 0.2), ("b", 1.75)])
    assert (found.goal, found.passed, found.worst) == ("0.8–1.25 each", False, "a")


def fitted(folder: Path) -> Person:
    path = folder / "neutral.portrait"
    neutral_portrait().save(path)
    return Person("neutral", portrait=path)


def nothing_told(unit: str, done: int, total: int) -> None:
    assert done <= total


def measured(tmp_path: Path, renderer: AskedRenderer) -> tuple[dict[str, Any], ObedienceRun]:
    (tmp_path / "out").mkdir(exist_ok=True)
    session = ObedienceRun(lambda: asked_tools(renderer), tmp_path / "out", nothing_told)
    tools, entries, recorded = session.measure([fitted(tmp_path)], [])
    page = write_obedience_report(
        tmp_path / "out", tools, entries, recorded, session.sheets, show_all=True
    )
    assert page.is_file()
    return read_report(tmp_path / "out")["obedience"], session


def rows_of(section: dict[str, Any]) -> dict[str, Any]:
    return {entry["key"]: entry for entry in section["table"]}


@pytest.fixture(scope="module")
def obedient(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("obedient")
    section, _ = measured(folder, AskedRenderer())
    return section, folder


def test_a_face_that_obeys_reaches_every_goal_that_is_judged_by_landmarks_and_irises(
    obedient: tuple[dict[str, Any], Path],
) -> None:
    rows = rows_of(obedient[0])
    for key in (
        *("jaw open", "lids", "funnel", "pucker", "look left", "look up"),
        *("wink left", "wink right", "smile left, other", "last change jawOpen"),
        *("smile beside gaze", "smile beside blink, added", "bend jawOpen", "identity expressions"),
    ):
        assert rows[key]["passed"], rows[key]
    assert rows["lids"]["mean"] == pytest.approx(0.13, abs=0.01)
    assert rows["no more jawOpen"]["mean"] == pytest.approx(1, abs=0.02)


def test_the_whole_photo_is_measured_like_the_crop(obedient: tuple[dict[str, Any], Path]) -> None:
    whole = {entry["key"]: entry for entry in obedient[0]["whole"]}
    assert whole["jaw open"]["mean"] == pytest.approx(1, abs=0.03)


def test_controls_that_change_nothing_are_told(obedient: tuple[dict[str, Any], Path]) -> None:
    (person,) = obedient[0]["people"]
    assert set(person["parts"]["crop"]["dead"]) == set(ARKIT_NAMES)  # the face itself is flat grey


def test_a_contact_sheet_shows_every_control(obedient: tuple[dict[str, Any], Path]) -> None:
    with Image.open(obedient[1] / "out" / "pictures" / "neutral.jpg") as sheet:
        assert sheet.width == sheets.COLUMNS * sheets.TILE
        assert sheet.height >= len(sheets.SHOWN) // sheets.COLUMNS * sheets.TILE


def test_a_face_that_stops_early_makes_a_part_of_the_motion_and_no_more() -> None:
    tools, portrait = asked_tools(AskedRenderer(farthest=0.25)), neutral_portrait()
    frames = [f for f in all_frames() if f.label == REST or f.label.startswith("jawOpen")]
    looked = look_at(tools, portrait, frames, "crop", lambda: None)
    seen = Seen(looked.cached, frames, "asked")
    assert move_figures(seen, BY_NAME["jaw open"], {})["share"] == pytest.approx(0.25, abs=0.02)
    sweep = sweep_figures(seen, "jawOpen", {})
    assert sweep["no_more"] == pytest.approx(0.25, abs=0.03)
    ends = last_changes(tools, portrait, {"jawOpen": {"jawOpen": 1.0}}, 256)
    assert ends["jawOpen"] == pytest.approx(0.25, abs=0.02)


def test_a_face_that_shows_the_motion_already_has_no_room_for_it() -> None:
    frames = [f for f in all_frames() if f.label in (REST, "jawOpen")]
    tools = asked_tools(AskedRenderer())
    looked = look_at(tools, neutral_portrait(), frames, "crop", lambda: None)
    seen = Seen(looked.cached, frames, "asked")
    assert not move_figures(seen, BY_NAME["jaw open"], {"jawOpen": 0.6})["room"]
    assert move_figures(seen, BY_NAME["jaw open"], {"jawOpen": 0.1})["room"]


def test_what_was_measured_is_not_rendered_again(
    obedient: tuple[dict[str, Any], Path],
) -> None:
    renderer = AskedRenderer()
    section, _ = measured(obedient[1], renderer)
    assert renderer.rendered == 0
    assert rows_of(section) == rows_of(obedient[0])


def test_an_earlier_report_stands_beside(
    obedient: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    folder = obedient[1]
    session = ObedienceRun(lambda: asked_tools(AskedRenderer()), folder / "out", nothing_told)
    person = Person("neutral", portrait=folder / "neutral.portrait")
    tools, entries, recorded = session.measure([person], [])
    against = read_report(folder / "out")
    against["obedience"]["table"][0] |= {"mean": 0.1234}
    page = write_obedience_report(tmp_path, tools, entries, recorded, {}, True, "", against)
    text = page.read_text(encoding="utf-8")
    assert "before" in text and "0.123" in text


def test_a_portrait_without_a_face_is_an_entry_with_a_reason(tmp_path: Path) -> None:
    class Blank(AskedRenderer):
        def render(self, portrait: Any, request: Any) -> np.ndarray:
            return np.zeros((512, 512, 3), np.uint8)

    section, _ = measured(tmp_path, Blank())
    (person,) = section["people"]
    assert "no face" in person["error"]
    assert rows_of(section)["jaw open"]["passed"] is None


def test_nobody_is_shown_whose_rights_are_not_known(
    obedient: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    folder = obedient[1]
    session = ObedienceRun(lambda: asked_tools(AskedRenderer()), folder / "out", nothing_told)
    private = Person("private", portrait=folder / "neutral.portrait", may_be_shown=False)
    tools, entries, recorded = session.measure([private], [])
    write_obedience_report(tmp_path, tools, entries, recorded, session.sheets, show_all=False)
    assert not (tmp_path / "pictures").exists()


def test_a_grey_copy_has_no_colour_and_the_same_rights(tmp_path: Path) -> None:
    path = tmp_path / "anna.png"
    Image.fromarray(textured(32)).save(path)
    person = grey_copy(Subject(path, shows="woman", may_be_shown=False), tmp_path / "grey")
    assert person.subject is not None and not person.may_be_shown
    with Image.open(person.subject.path) as photo:
        assert pixels.chroma(np.array(photo))[0] == 0


def test_a_folder_without_portraits_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=tmp_path.name):
        portraits_in(tmp_path)


def test_nothing_to_measure_and_nothing_to_fill_are_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "obedience", "--out", str(tmp_path)]) == 1
    assert "nothing to measure" in capsys.readouterr().err
    assert main(["evaluate", "obedience", "--fetch", "--out", str(tmp_path)]) == 1
    assert "--photos" in capsys.readouterr().err
    missing = str(tmp_path / "none.mp4")
    assert main(["evaluate", "obedience", "--videos", missing, "--out", str(tmp_path)]) == 1
    assert "none.mp4" in capsys.readouterr().err
