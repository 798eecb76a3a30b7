"""``photorig render`` to films and ``photorig analyze`` of films: time, gaps, names, full disks."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from photorig.shared.parameters import file as parameters_file
from photorig.shared.parameters.file import FrameParameters, Recording, write
from photorig.worker.cli import render
from photorig.worker.cli.main import main
from photorig.worker.media.reading import read_footage
from photorig.worker.reenactment import renderer

from ..media.test_videos import write_film
from .test_render import Shot, make_shot

__all__ = ["make_shot"]
ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"
MakeShot = Callable[..., Shot]


def recorded(shot: Shot, numbers: list[int], recording: Recording) -> None:
    rate = float(recording.rate or 24)
    frames = [FrameParameters(n, {"jawOpen": n / 100}, (n - 1) / rate) for n in numbers]
    write(shot.folder / "take.jsonl", frames, recording)


def film(shot: Shot, name: str, *words: str) -> list[float]:
    """Render to a film; the times of its frames."""
    out = shot.folder / name
    assert shot.render("--out", str(out), *words) == 0
    return [timed.time or 0 for timed in read_footage(out).pictures]


@pytest.mark.parametrize("name", ["x.mp4", "x.mov", "x.mkv", "x.webm", "x.gif", "X.MP4"])
def test_a_name_says_what_film_is_made(make_shot: MakeShot, name: str) -> None:
    shot = make_shot()
    assert film(shot, name) == pytest.approx([0, 1 / 24], abs=0.006)
    assert (shot.folder / name).is_file()


@pytest.mark.parametrize("rate", [24, 30, Fraction(30000, 1001), Fraction(25, 2)])
def test_a_film_has_the_rate_of_the_recording(make_shot: MakeShot, rate: Fraction) -> None:
    shot = make_shot()
    recorded(shot, list(range(1, 6)), Recording(Fraction(rate), 5))
    assert film(shot, "x.mp4") == pytest.approx([n / float(rate) for n in range(5)], abs=1e-3)
    with av.open(str(shot.folder / "x.mp4")) as container:
        assert container.streams.video[0].average_rate == rate


@pytest.mark.parametrize(("text", "rate"), [("12", 12), ("30000/1001", 30000 / 1001), ("0.5", 0.5)])
def test_another_rate_can_be_asked_for(make_shot: MakeShot, text: str, rate: float) -> None:
    shot = make_shot()
    recorded(shot, [1, 2, 3], Recording(Fraction(30), 3))
    assert film(shot, "x.mp4", "--fps", text) == pytest.approx([0, 1 / rate, 2 / rate], abs=1e-3)


@pytest.mark.parametrize("text", ["0", "-24", "nan", "inf", "1/0", "fast", "", "1e9"])
def test_what_is_no_rate_is_wrong_usage(
    make_shot: MakeShot, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        make_shot().render("--out", "x.mp4", f"--fps={text}")
    assert caught.value.code == 2
    assert "is no frame rate; write 24, 23.976 or 30000/1001" in capsys.readouterr().err


def test_a_variable_rate_is_kept(make_shot: MakeShot) -> None:
    shot = make_shot()
    times = [0, 0.04, 0.08, 0.5, 0.54]
    frames = [FrameParameters(n, {}, time) for n, time in enumerate(times, 1)]
    write(shot.folder / "take.jsonl", frames, Recording(Fraction(10), 5))
    assert film(shot, "x.mp4") == pytest.approx(times, abs=1e-3)


def test_gaps_are_bridged_and_ends_are_held_and_both_are_told(
    make_shot: MakeShot, capsys: pytest.CaptureFixture[str]
) -> None:
    shot = make_shot()
    recorded(shot, [3, 4, 7, 8], Recording(Fraction(24), 9))
    assert len(film(shot, "x.mp4")) == 9
    told = capsys.readouterr().err
    assert "2 frames that the file leaves out, bridged" in told and ": 5-6." in told
    assert "3 frames that the file leaves out, held at the nearest pose: 1-2, 9." in told
    asked = [round(values["jawOpen"], 3) for values in shot.values]
    assert asked == [0.03, 0.04, 0.05, 0.06, 0.07, 0.08], "what is held is rendered once"


def test_a_folder_gets_the_frames_of_the_file_only(make_shot: MakeShot) -> None:
    shot = make_shot()
    recorded(shot, [3, 4, 7, 8], Recording(Fraction(24), 9))
    assert shot.render() == 0
    names = {path.name for path in (shot.folder / "out").glob("*.png")}
    assert names == {f"frame_000{n}.png" for n in (3, 4, 7, 8)}


# --- told before the work


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object) -> None:
        raise AssertionError("the work was begun")

    monkeypatch.setattr(render, "_prepare", work)
    monkeypatch.setattr(renderer, "load_renderer", work)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "x.avi",
            "Films of the kind .avi cannot be made. Give x.mp4, x.mov, x.mkv, x.webm or x.gif",
        ),
        ("x.M4V", "Films of the kind .m4v cannot be made"),
        ("x.png", "is the name of one picture. Give a folder, or a film"),
        ("none/x.mp4", "There is no folder"),
        ("folder.mp4", "is a folder. Give a file name, for example film.mp4"),
        ("x" * 252 + ".mp4", "is too long"),
        ("x" * 256, "is too long"),
        ("file", "is a file, not a folder"),
        ("file/x.mp4", "There is no folder"),
    ],
)
def test_names_that_cannot_be_are_told_before_the_work(
    make_shot: MakeShot, no_work: None, name: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shot = make_shot()
    (shot.folder / "folder.mp4").mkdir()
    (shot.folder / "file").write_bytes(b"")
    assert shot.render("--out", str(shot.folder / name)) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.mp4", "folder/of/frames"])
def test_a_full_disk_is_told_before_the_work(
    make_shot: MakeShot,
    no_work: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    shot = make_shot()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert shot.render("--out", str(shot.folder / name)) == 1
    assert "is full" in capsys.readouterr().err
    assert shot.files == {"anna.portrait"}


@pytest.mark.parametrize("name", ["shot.v2", "take 1.final", "…"])
def test_a_folder_may_have_a_dot_in_its_name(make_shot: MakeShot, name: str) -> None:
    shot = make_shot()
    assert shot.render("--out", str(shot.folder / name)) == 0
    assert (shot.folder / name / "frame_0005.png").is_file()


# --- measuring


@pytest.mark.weights("face-landmarker")
def test_a_film_is_measured_with_its_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    astronaut = np.array(Image.open(ASTRONAUT).convert("RGB"))
    black = np.zeros_like(astronaut)
    out = tmp_path / "take.jsonl"
    video = write_film(tmp_path / "a.mp4", [black, astronaut, black, astronaut, black], rate=30)
    assert main(["analyze", str(video), "--out", str(out)]) == 0
    frames, recording = parameters_file.read_recording(out)
    assert recording == Recording(Fraction(30), 5)
    assert [frame.time for frame in frames] == pytest.approx([1 / 30, 3 / 30], abs=1e-3)


@pytest.mark.weights("face-landmarker")
def test_a_film_of_variable_rate_is_measured_with_its_times(tmp_path: Path) -> None:
    astronaut = np.array(Image.open(ASTRONAUT).convert("RGB"))
    out, times = tmp_path / "take.jsonl", [0, 0.04, 0.5, 0.9]
    write_film(tmp_path / "a.mkv", [astronaut] * 4, times)
    assert main(["analyze", str(tmp_path / "a.mkv"), "--out", str(out)]) == 0
    frames, recording = parameters_file.read_recording(out)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=2e-3)
    assert float(recording.rate or 0) == pytest.approx(3 / 0.9, abs=0.01)


@pytest.mark.weights("face-landmarker")
def test_a_face_in_wide_pixels_is_measured_as_it_is_seen(tmp_path: Path) -> None:
    photo = Image.open(ASTRONAUT).convert("RGB")
    poses = []
    for name, width, aspect in (("square", 256, 1), ("wide", 192, Fraction(4, 3))):

        def stretch(stream: object, aspect: Fraction | int = aspect) -> None:
            stream.codec_context.sample_aspect_ratio = Fraction(aspect)  # type: ignore[attr-defined]

        path, out = tmp_path / f"{name}.mp4", tmp_path / f"{name}.jsonl"
        write_film(path, [np.array(photo.resize((width, 256)))], prepare=stretch)
        assert main(["analyze", str(path), "--out", str(out)]) == 0
        values = parameters_file.read(out)[0].values
        poses.append([values[f"head{angle}"] for angle in ("Yaw", "Pitch", "Roll")])
    assert poses[1] == pytest.approx(poses[0], abs=1.0)


@pytest.mark.parametrize("command", ["analyze", "fit"])
def test_an_output_that_cannot_be_is_told_before_the_input_is_read(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = shutil.copy(ASTRONAUT, tmp_path / "a.jpg")
    for out, sentence in ((tmp_path, "is a folder"), ("x" * 256, "is too long")):
        assert main([command, str(photo), "--out", str(out)]) == 1
        assert sentence in capsys.readouterr().err
