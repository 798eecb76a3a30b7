"""The command ``photorig analyze``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photorig.shared.parameters import file as parameters_file
from photorig.worker.cli.main import main
from photorig.worker.cli.wording import ranges

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"

pytestmark = pytest.mark.weights("face-landmarker")


def write_video(path: Path, pictures: list[np.ndarray]) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_a_picture_becomes_one_frame_with_all_parameters(tmp_path, capsys):
    out = tmp_path / "params.jsonl"
    assert main(["analyze", str(ASTRONAUT), "--out", str(out)]) == 0
    (frame,) = parameters_file.read(out)
    assert frame.frame == 1
    assert len(frame.values) == 58
    assert frame.values["mouthSmileLeft"] > 0.5
    captured = capsys.readouterr()
    assert "one frame" in captured.out
    assert captured.err == ""


def test_frames_without_the_face_are_skipped_and_named(tmp_path, capsys):
    astronaut = np.array(Image.open(ASTRONAUT))
    black = np.zeros_like(astronaut)
    video, out = tmp_path / "a.mp4", tmp_path / "params.jsonl"
    write_video(video, [astronaut, black, black, astronaut])
    assert main(["analyze", str(video), "--out", str(out), "--json"]) == 0
    assert [frame.frame for frame in parameters_file.read(out)] == [1, 4]
    captured = capsys.readouterr()
    assert json.loads(captured.out)["skipped"] == [2, 3]
    assert "2 frames without the face skipped: 2-3" in captured.err


def test_two_faces_are_mentioned_and_either_can_be_measured(tmp_path, capsys):
    astronaut = Image.open(ASTRONAUT)
    canvas = Image.new("RGB", (456, 256))
    canvas.paste(astronaut.resize((200, 200)), (0, 0))
    canvas.paste(astronaut.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (200, 0))
    canvas.save(tmp_path / "two.png")
    rolls = []
    for choice in ([], ["--face", "1"]):
        out = tmp_path / "params.jsonl"
        assert main(["analyze", str(tmp_path / "two.png"), "--out", str(out), *choice]) == 0
        rolls.append(parameters_file.read(out)[0].values["headRoll"])
        assert ("2 faces" in capsys.readouterr().err) == (not choice)
    assert rolls[0] > 0 > rolls[1]  # the larger one is mirrored


@pytest.mark.parametrize(
    ("picture", "words", "complaint"),
    [
        (np.full((64, 64, 3), 90, np.uint8), [], "No face was found"),
        (None, [], "There is no file"),
        (ASTRONAUT, ["--face", "2"], "never shows a face number 2"),
        (ASTRONAUT, ["--out", "no/such/folder/a.jsonl"], "There is no folder"),
    ],
)
def test_a_failure_is_one_sentence_and_writes_nothing(tmp_path, capsys, picture, words, complaint):
    path = picture if isinstance(picture, Path) else tmp_path / "a.png"
    if isinstance(picture, np.ndarray):
        Image.fromarray(picture).save(path)
    out = tmp_path / "params.jsonl"
    assert main(["analyze", str(path), "--out", str(out), *words]) == 1
    message = capsys.readouterr().err.strip()
    assert complaint in message
    assert "\n" not in message
    assert not out.exists()


def test_a_damaged_video_keeps_what_was_measured_before(tmp_path, monkeypatch, capsys):
    from photorig.shared.errors import InputError
    from photorig.worker.media import reading as pictures
    from photorig.worker.media.footage import Footage, TimedPicture

    def broken(path: Path):
        def frames():
            yield TimedPicture(np.array(Image.open(ASTRONAUT)), 0.0)
            raise InputError("a.mp4 is damaged after frame 1")

        return Footage(2, None, frames())

    monkeypatch.setattr(pictures, "read_footage", broken)
    out = tmp_path / "params.jsonl"
    assert main(["analyze", "a.mp4", "--out", str(out)]) == 1
    assert "damaged after frame 1" in capsys.readouterr().err
    assert len(parameters_file.read(out)) == 1


def test_long_lists_of_frames_are_shortened():
    assert ranges([1, 2, 3, 7]) == "1-3, 7"
    assert ranges(list(range(0, 40, 2))).endswith("14, …")
