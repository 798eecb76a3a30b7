"""``photorig render``: what its options make of a portrait and a parameter file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from photorig.shared.files.frame_index import FrameIndex, picture_key
from photorig.shared.parameters.file import FrameParameters, write
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.cli.main import main
from photorig.worker.compositing.canvas import Size
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment import known_faces, renderer
from photorig.worker.reenactment.renderer import FaceRenderer

from ..fakes import TinyGenerator, tiny_bundle, tiny_portrait
from ..reenactment.test_known_faces import measured
from ..stage_fakes import tiny_stage

TAKE = [
    FrameParameters(5, {"jawOpen": 0.3, "headYaw": 0.2, "headX": 0.1}),
    FrameParameters(6, {"jawOpen": 0.1, "headYaw": 0.4}),
]


class Asking(FaceRenderer):
    """Remembers what it is asked for, one frame after the other."""

    def __init__(self) -> None:
        super().__init__(tiny_bundle(), TinyGenerator(), tiny_stage())
        self.asked: list[tuple[Portrait, FrameRequest]] = []

    def render(self, portrait: Portrait, request: FrameRequest) -> np.ndarray:
        self.asked.append((portrait, request))
        return super().render(portrait, request)

    def frames_at_once(self, portrait: Portrait, size: Size) -> int:
        return 1


class Shot:
    """A folder with a portrait and a recording, and the command on them."""

    def __init__(self, folder: Path, has_geometry: bool) -> None:
        self.folder, self.renderer = folder, Asking()
        self.path = folder / "anna.portrait"
        portrait = tiny_portrait()
        self.portrait = measured(portrait) if has_geometry else portrait
        self.portrait.save(self.path)
        write(folder / "take.jsonl", TAKE)

    def render(self, *words: str) -> int:
        given = [str(self.path), str(self.folder / "take.jsonl"), "--out", str(self.folder / "out")]
        return main(["render", *given, "--size", "8", *words])

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} - {"out", "take.jsonl", "cache"}

    @property
    def values(self) -> list[dict[str, float]]:
        """What was asked of each frame, in whole hundredths, without what is at rest."""
        named = [FACE_SCHEMA.named(request.parameters) for _, request in self.renderer.asked]
        return [{name: round(v, 4) for name, v in each.items() if v} for each in named]


@pytest.fixture
def make_shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Shot]:
    folder = tmp_path / "shot"
    folder.mkdir()

    def make(has_geometry: bool = True, finds_faces: bool = True) -> Shot:
        def measure(portrait: Portrait, on_look: Callable[[], None]) -> Portrait:
            on_look()
            return measured(portrait) if finds_faces else portrait

        shot = Shot(folder, has_geometry)
        monkeypatch.setattr(renderer, "load_renderer", lambda *_: shot.renderer)
        monkeypatch.setattr(known_faces, "measure_on", lambda *_: measure)
        cache = tmp_path / "cache"
        monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: cache)
        return shot

    return make


def test_numbers_are_changes_of_the_photo(make_shot: Callable[..., Shot]) -> None:
    shot = make_shot()
    assert shot.render() == 0
    assert shot.values[1] == {"jawOpen": 0.1, "headYaw": 0.4}
    assert {request.mode for _, request in shot.renderer.asked} == {"relative"}


def test_relative_to_first_takes_the_first_frame_away(make_shot: Callable[..., Shot]) -> None:
    shot = make_shot()
    assert shot.render("--mode", "relative-to-first") == 0
    assert shot.values == [{}, {"jawOpen": -0.2, "headYaw": 0.2}]
    assert {request.mode for _, request in shot.renderer.asked} == {"relative"}


def test_another_frame_may_stand_for_the_photo(make_shot: Callable[..., Shot]) -> None:
    shot = make_shot()
    assert shot.render("--mode", "relative-to-first", "--neutral-frame", "6") == 0
    assert shot.values == [{"jawOpen": 0.2, "headYaw": -0.2, "headX": 0.1}, {}]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--mode", "relative-to-first", "--neutral-frame", "9"),
            "no frame 9. The file has 5 to 6",
        ),
        (("--neutral-frame", "5"), "Add --mode relative-to-first"),
        (("--mode", "absolute", "--neutral", "1"), "Leave --neutral out"),
        (("--neutral", "1.5"), "Give a number from 0 to 1"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(
    make_shot: Callable[..., Shot],
    words: tuple[str, ...],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert make_shot().render(*words) == 1
    assert sentence in capsys.readouterr().err


def test_neutral_is_part_of_what_a_frame_is_of(make_shot: Callable[..., Shot]) -> None:
    shot = make_shot()
    assert shot.render() == 0
    assert shot.render("--neutral", "0.5") == 0
    assert len(shot.renderer.asked) == 4
    assert shot.render("--neutral", "0.5") == 0
    assert len(shot.renderer.asked) == 4, "frames that are there are not rendered again"


# --- portraits of an earlier version


def test_an_old_portrait_is_measured_and_kept_beside_the_old_file(
    make_shot: Callable[..., Shot], capsys: pytest.CaptureFixture[str]
) -> None:
    shot = make_shot(has_geometry=False)
    before = shot.path.read_bytes()
    assert shot.render() == 0
    assert shot.path.read_bytes() == before
    assert shot.files == {"anna.portrait", "anna.updated.portrait"}
    updated = Portrait.load(shot.folder / "anna.updated.portrait")
    assert updated.to_bytes() == measured(shot.portrait).to_bytes()
    told = capsys.readouterr().err
    assert "one of an earlier version: measuring its face, once" in told
    assert "the old file stays" in told


def test_frames_of_an_old_portrait_belong_to_the_file_that_was_given(
    make_shot: Callable[..., Shot],
) -> None:
    shot = make_shot(has_geometry=False)
    assert shot.render() == 0
    drawn, asked = shot.renderer.asked[0]
    assert drawn.geometry is not None
    assert asked.portrait == shot.portrait.id
    key = picture_key(asked, shot.renderer.model_id)
    assert FrameIndex(shot.folder / "out").is_finished(5, key)


def test_it_is_measured_once(
    make_shot: Callable[..., Shot], capsys: pytest.CaptureFixture[str]
) -> None:
    shot = make_shot(has_geometry=False)
    assert shot.render() == 0
    capsys.readouterr()
    assert shot.render() == 0
    assert "measuring" not in capsys.readouterr().err
    assert shot.files == {"anna.portrait", "anna.updated.portrait"}


def test_a_file_of_the_updated_ones_name_is_left_alone(make_shot: Callable[..., Shot]) -> None:
    shot = make_shot(has_geometry=False)
    (shot.folder / "anna.updated.portrait").write_bytes(b"another one")
    assert shot.render() == 0
    assert (shot.folder / "anna.updated.portrait").read_bytes() == b"another one"
    assert (shot.folder / "anna.updated-2.portrait").is_file()


def test_a_folder_that_cannot_be_written_is_told_and_no_reason_to_stop(
    make_shot: Callable[..., Shot],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from photorig.shared.errors import InputError

    shot = make_shot(has_geometry=False)

    def refuse(portrait: Any, path: Path) -> None:
        raise InputError(f"Cannot write {path}")

    monkeypatch.setattr(Portrait, "save", refuse)
    assert shot.render() == 0
    assert len(shot.renderer.asked) == 2
    assert "the updated portrait is not kept: Cannot write" in capsys.readouterr().err


def test_a_face_that_is_not_found_is_told_and_driven_as_before(
    make_shot: Callable[..., Shot], capsys: pytest.CaptureFixture[str]
) -> None:
    shot = make_shot(has_geometry=False, finds_faces=False)
    assert shot.render() == 0
    assert shot.files == {"anna.portrait"}
    assert "driven by the method calibrated" in capsys.readouterr().err


def test_other_methods_need_no_measuring(make_shot: Callable[..., Shot]) -> None:
    shot = make_shot(has_geometry=False)
    assert shot.render("--method", "calibrated") == 0
    assert shot.files == {"anna.portrait"}


# --- what a face cannot do


def test_what_is_held_is_told_of_this_face_once(
    make_shot: Callable[..., Shot], capsys: pytest.CaptureFixture[str]
) -> None:
    shot = make_shot()
    frames = [FrameParameters(n, {"headYaw": 60.0, "jawOpen": 0.1}) for n in (1, 2)]
    write(shot.folder / "take.jsonl", frames)
    assert shot.render() == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "Warning" in line]
    assert line.startswith("Warning: headYaw is held within −35° … 35° of change on this face")
    assert line.endswith("(first in frame 1).")
