"""``photorig reenact``: what footage makes of a portrait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
from PIL import Image

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.cli.main import main
from photorig.worker.compositing.canvas import Size
from photorig.worker.fitting import encoder
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment import methods, renderer
from photorig.worker.reenactment.method import MethodEntry
from photorig.worker.reenactment.renderer import FaceRenderer
from photorig.worker.reenactment.target import Drive, DrivingPictures

from ..fakes import TinyGenerator, tiny_bundle, tiny_portrait
from ..stage_fakes import tiny_stage
from .test_analyze import ASTRONAUT, write_video

pytestmark = pytest.mark.weights("face-landmarker")


class Still:
    """A method that leaves the source as it is."""

    def drive(self, portrait: Portrait, target: object) -> Drive:
        return Drive(portrait.latents)


class Asking(FaceRenderer):
    """Remembers what it is asked for, one frame after the other."""

    def __init__(self) -> None:
        super().__init__(tiny_bundle(), TinyGenerator(), tiny_stage())
        self.asked: list[tuple[FrameRequest, DrivingPictures | None]] = []

    def render(
        self,
        portrait: Portrait,
        request: FrameRequest,
        pictures: DrivingPictures | None = None,
    ) -> np.ndarray:
        self.asked.append((request, pictures))
        return super().render(portrait, request, pictures)

    def frames_at_once(self, portrait: Portrait, size: Size) -> int:
        return 1


class Shot:
    """A portrait, a driver and the command on them."""

    def __init__(self, folder: Path, renderer: Asking) -> None:
        self.folder, self.renderer = folder, renderer
        tiny_portrait().save(folder / "anna.portrait")

    def film(self, *shown: bool) -> Path:
        """The astronaut turned over a little in each frame, or nobody."""
        astronaut = np.array(Image.open(ASTRONAUT).convert("RGB"))
        pictures = [np.roll(astronaut, 4 * i, 1) * np.uint8(s) for i, s in enumerate(shown)]
        write_video(self.folder / "driver.mp4", pictures)
        return self.folder / "driver.mp4"

    def reenact(self, driver: Path, *words: str, out: str = "out") -> int:
        given = [str(self.folder / "anna.portrait"), str(driver), "--out", str(self.folder / out)]
        return main(["reenact", *given, "--size", "8", *words])


@pytest.fixture
def shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shot:
    def entry(name: str, needs_picture: bool) -> MethodEntry:
        return MethodEntry(name, "Is.", lambda *_: Still(), needs_picture=needs_picture)

    known = {each.name: each for each in (entry("plain", False), entry("seen", True))}
    monkeypatch.setattr(methods, "methods", lambda: known)
    asking = Asking()
    monkeypatch.setattr(renderer, "load_renderer", lambda *_, **__: asking)
    monkeypatch.setattr(encoder, "load_encoder", lambda n_rows: None)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    return Shot(tmp_path, asking)


def test_relative_begins_with_the_source_at_rest(shot: Shot) -> None:
    assert shot.reenact(shot.film(True, True), "--method", "seen") == 0
    (first, at_first), (second, at_second) = shot.renderer.asked
    assert first.mode == second.mode == "relative"
    assert not first.parameters.any() and second.parameters.any()
    assert at_first.rest is at_first.picture is at_second.rest
    assert at_second.picture is not at_second.rest
    assert at_second.picture.crop.shape == (256, 256, 3)


def test_a_method_of_parameters_is_given_no_picture(shot: Shot) -> None:
    assert shot.reenact(shot.film(True), "--method", "plain", "--mode", "relative") == 0
    assert [pictures for _, pictures in shot.renderer.asked] == [None]


def test_a_picture_is_absolute_as_nothing_changes_in_it(shot: Shot) -> None:
    assert shot.reenact(ASTRONAUT, "--method", "seen") == 0
    ((request, pictures),) = shot.renderer.asked
    assert request.mode == "absolute" and pictures.rest is None
    assert FACE_SCHEMA.named(request.parameters)["mouthSmileLeft"] > 0.3


def test_frames_without_a_face_are_held_and_counted(
    shot: Shot, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = shot.film(False, True, False, True)
    assert shot.reenact(driver, "--method", "seen") == 0
    assert len(shot.renderer.asked) == 4
    pictures = [driving.picture for _, driving in shot.renderer.asked]
    assert pictures[0] is pictures[1] is pictures[2] is not pictures[3]
    assert "not seen in 2 of 4 frames" in capsys.readouterr().err


def test_what_was_made_is_not_made_again(shot: Shot, capsys: pytest.CaptureFixture[str]) -> None:
    driver = shot.film(True, True, True)
    assert shot.reenact(driver, "--method", "seen") == 0
    (shot.folder / "out" / "frame_0002.png").unlink()
    shot.renderer.asked.clear()
    assert shot.reenact(driver, "--method", "seen") == 0
    assert [request.frame for request, _ in shot.renderer.asked] == [2]
    assert "2 were there already" in capsys.readouterr().out
    shot.renderer.asked.clear()
    assert shot.reenact(driver, "--method", "seen", "--strength", "0.5") == 0
    assert len(shot.renderer.asked) == 3


def test_strength_is_of_parameters_too(shot: Shot) -> None:
    driver = shot.film(True, True)
    moved = []
    for strength in ("1", "0.5"):
        shot.renderer.asked.clear()
        out = f"out{strength}"
        assert shot.reenact(driver, "--method", "plain", "--strength", strength, out=out) == 0
        moved.append(shot.renderer.asked[1][0].parameters)
    np.testing.assert_allclose(moved[1], 0.5 * moved[0], atol=1e-6)


def test_a_film_leaves_no_folder_behind(shot: Shot) -> None:
    assert shot.reenact(shot.film(True, True), "--method", "plain", out="film.mp4") == 0
    assert (shot.folder / "film.mp4").stat().st_size > 0
    assert not list(shot.folder.glob("film.mp4.*"))


def test_a_folder_of_pictures_is_a_film(shot: Shot) -> None:
    folder = shot.folder / "pictures"
    folder.mkdir()
    for name in ("b.png", "a.png"):
        Image.open(ASTRONAUT).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    assert shot.reenact(folder, "--method", "plain", "--mode", "absolute") == 0
    assert [request.frame for request, _ in shot.renderer.asked] == [1, 2]


@pytest.mark.parametrize(
    ("driver", "words", "sentence"),
    [
        (lambda folder: folder / "none.mp4", (), "none.mp4"),
        (lambda folder: folder, ("--method", "magic"), "no method 'magic'"),
        (lambda folder: _empty(folder), (), "holds no pictures"),
        (lambda folder: _grey(folder), (), "No face is found"),
        (lambda folder: _grey(folder), ("--strength", "9"), "strength of 9"),
    ],
    ids=["missing", "method", "empty", "nobody", "strength"],
)
def test_what_cannot_drive_is_told_in_a_sentence(
    shot: Shot,
    driver: Callable[[Path], Path],
    words: tuple[str, ...],
    sentence: str,
    capsys: pytest.CaptureFixture[Any],
) -> None:
    words = words or ("--method", "plain")
    assert shot.reenact(driver(shot.folder), *words) == 1
    assert sentence in capsys.readouterr().err


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _grey(folder: Path) -> Path:
    Image.new("RGB", (96, 96), "grey").save(folder / "grey.png")
    return folder / "grey.png"
