"""Takes of phones and lip-sync programs become frames of parameters, or one sentence."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.file import FrameParameters
from photorig.shared.parameters.schema import ARKIT_NAMES, FACE_SCHEMA
from photorig.shared.parameters.takes import read_take, write_live_link_face

PHONE = """Timecode,BlendshapeCount,EyeBlinkLeft,JawOpen,MouthSmileRight,HeadYaw,HeadPitch,HeadRoll
13:02:11:58.250,61,0.1,0.5,0.25,0.1,-0.2,0.05
13:02:11:59.250,61,0.2,0.6,0.25,0.1,-0.2,0.05
13:02:12:00.250,61,0.3,0.7,0.25,0.1,-0.2,0.05
13:02:12:00.250,61,0.3,0.7,0.25,0.1,-0.2,0.05
13:02:12:03.250,61,0.4,0.8,0.25,0.1,-0.2,0.05
"""


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_phones_take_keeps_coefficients_angles_and_time(tmp_path: Path) -> None:
    frames, recording = read_take(written(tmp_path, "take.csv", PHONE))
    assert recording.rate == 60
    assert [round(each.time or 0.0, 4) for each in frames] == [0.0, 0.0167, 0.0333, 0.0833]
    first = frames[0].values
    assert (first["eyeBlinkLeft"], first["jawOpen"], first["mouthSmileRight"]) == (0.1, 0.5, 0.25)
    # Unreal's angles: yaw to image left, pitch down, roll clockwise. Ours go the other way.
    turns = [first[name] for name in ("headYaw", "headPitch", "headRoll")]
    assert turns == pytest.approx([-math.degrees(0.1), math.degrees(0.2), -math.degrees(0.05)])


def test_a_take_goes_on_past_midnight(tmp_path: Path) -> None:
    text = "Timecode,JawOpen\n23:59:59:29.0,0\n00:00:00:00.0,1\n"
    frames, _ = read_take(written(tmp_path, "take.csv", text))
    assert [each.time for each in frames] == pytest.approx([0, 1 / 30])


def test_what_is_written_as_live_link_face_is_read_back(tmp_path: Path) -> None:
    values = {name: (i % 7) / 8 for i, name in enumerate(ARKIT_NAMES)}
    values |= {"headYaw": 20.0, "headPitch": -10.0, "headRoll": 5.0}
    frames = [FrameParameters(i, values | {"jawOpen": i / 80}) for i in range(70)]
    write_live_link_face(tmp_path / "out.csv", frames, Fraction(30000, 1001))
    back, recording = read_take(tmp_path / "out.csv")
    assert recording.rate == 30
    for before, after in zip(frames, back, strict=True):
        assert after.values == pytest.approx(before.values, abs=1e-4)
    head = (tmp_path / "out.csv").read_text().split("\n")[0].split(",")
    assert (len(head), head[2], head[-1]) == (2 + 61, "EyeBlinkLeft", "RightEyeRoll")


def test_arkit_as_json_lines_is_read_whatever_the_case_of_its_names(tmp_path: Path) -> None:
    text = (
        '{"timestamp": 7.5, "blendShapes": {"jawOpen": 0.5, "unknown": 1}}\n'
        '{"timestamp": 7.6, "blendShapes": {"JawOpen": 0.25}}\n'
    )
    frames, recording = read_take(written(tmp_path, "take.jsonl", text))
    assert [each.values for each in frames] == [{"jawOpen": 0.5}, {"jawOpen": 0.25}]
    assert frames[1].time == pytest.approx(0.1)
    assert recording.rate == 10


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "0.00\tX\n0.50\tD\n1.00\tA\n1.20\tX\n"),
        (
            "a.json",
            '{"mouthCues": [{"start": 0, "end": 0.5, "value": "X"}, {"start": 0.5, "end": 1,'
            ' "value": "D"}, {"start": 1, "end": 1.2, "value": "A"}]}',
        ),
        ("a.dat", "MohoSwitch1\n1 rest\n13 AI\n25 MBP\n30 rest\n"),
    ],
)
def test_mouth_shapes_become_lips_that_move_from_one_to_the_next(
    tmp_path: Path, name: str, text: str
) -> None:
    frames, recording = read_take(written(tmp_path, name, text))
    times = [each.time for each in frames]
    assert recording.rate is None
    assert times == sorted({time for time in times if time is not None})
    by_time = {round(each.time or 0.0, 2): each.values for each in frames}
    assert by_time[0.46]["jawOpen"] == 0, "at rest until lips begin to move"
    assert by_time[0.54]["jawOpen"] == by_time[0.96]["jawOpen"] == 0.5
    assert by_time[1.04]["mouthPressLeft"] == 0.5
    assert not any(frames[-1].values.values()), "the mouth comes back to rest"
    assert set(frames[0].values) <= set(FACE_SCHEMA.ids)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", "a,b\n1,2\n", "no columns Timecode"),
        ("a.csv", "Timecode,JawOpen\nnoon,0.5\n", "line 2 has the timecode"),
        ("a.csv", "Timecode,JawOpen\n00:00:00:00.0,open\n", "line 2 has 'open'"),
        ("a.csv", "Timecode,JawOpen\n00:00:00:00.0,nan\n", "where a number belongs"),
        ("a.csv", "Timecode,JawOpen\n", "says nothing of a face"),
        ("a.csv", "", "no columns"),
        ("a.tsv", "0.0\tQ\n", "no mouth shape 'Q'"),
        ("a.tsv", "0.0 A B\n", "line 1"),
        ("a.json", "[1, 2]", "no JSON object"),
        ("a.json", "{", "not JSON"),
        ("a.json", '{"mouthCues": 3}', "no 'mouthCues'"),
        ("a.json", '{"mouthCues": [{"start": "x", "value": "A"}]}', "a number belongs"),
        ("a.dat", "1 rest\n", "not MohoSwitch1"),
        ("a.jsonl", '{"blendShapes": {"jawOpen": 1}}\n', "no 'timestamp'"),
        ("a.xml", "<a/>", "is no recording of a face"),
    ],
)
def test_what_is_no_take_is_refused_in_a_sentence(
    tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as refused:
        read_take(written(tmp_path, name, text))
    assert name in refused.value.message
