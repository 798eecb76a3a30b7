from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photorig.shared.errors import InputError
from photorig.shared.parameters.file import (
    FrameParameters,
    differences,
    format_line,
    read,
    write,
)
from photorig.shared.parameters.schema import FACE_SCHEMA

VALUES = st.dictionaries(
    st.sampled_from(FACE_SCHEMA.ids), st.floats(-100, 100, width=32), max_size=10
)


def write_lines(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@given(st.integers(-1000, 1000), VALUES)
def test_a_line_gives_back_the_float32_values(
    tmp_path_factory: pytest.TempPathFactory, frame: int, values: dict[str, float]
) -> None:
    line = format_line(FrameParameters(frame, values))
    (back,) = read(write_lines(tmp_path_factory.getbasetemp() / "line.jsonl", line))
    assert back.frame == frame
    assert {k: np.float32(v) for k, v in back.values.items()} == values


def test_a_file_gives_back_its_frames(tmp_path: Path) -> None:
    frames = [FrameParameters(1, {"jawOpen": 0.5}), FrameParameters(2), FrameParameters(-3)]
    write(tmp_path / "params.jsonl", frames)
    assert read(tmp_path / "params.jsonl") == frames


def test_numbers_are_written_short() -> None:
    line = format_line(FrameParameters(1, {"jawOpen": float(np.float32(0.4))}))
    assert line == '{"frame": 1, "parameters": {"jawOpen": 0.4}}'


def test_empty_lines_windows_line_ends_and_further_keys_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "params.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"frame": 1, "parameters": {}, "score": 0.9}\r\n\r\n')
    assert read(path) == [FrameParameters(1)]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no object 'parameters'"),
        ('{"frame": 1, "parameters": null}', "no object 'parameters'"),
        ('{"parameters": {}}', "no whole number"),
        ('{"frame": 1.5, "parameters": {}}', "no whole number"),
        ('{"frame": true, "parameters": {}}', "no whole number"),
        ('{"frame": 1, "parameters": {"jawOpne": 1}}', "Did you mean 'jawOpen'"),
        ('{"frame": 1, "parameters": {"jawOpen": NaN}}', "'jawOpen' is nan"),
        ('{"frame": 1, "parameters": {"jawOpen": 1e999}}', "'jawOpen' is inf"),
        ('{"frame": 1, "parameters": {"jawOpen": "0.4"}}', "'jawOpen' has the value '0.4'"),
        ('{"frame": 1, "parameters": {"jawOpen": true}}', "'jawOpen' has the value True"),
        ('{"frame": 1, "parameters": {"jawOpen": 1' + "0" * 400 + "}}", "too large"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    path = write_lines(tmp_path / "p.jsonl", '{"frame": 7, "parameters": {}}', line)
    with pytest.raises(InputError, match=r"^p\.jsonl, line 2: ") as caught:
        read(path)
    assert sentence in str(caught.value)


def test_a_frame_given_twice_is_named(tmp_path: Path) -> None:
    line = '{"frame": 7, "parameters": {}}'
    with pytest.raises(InputError, match="line 2: frame 7 is already on line 1"):
        read(write_lines(tmp_path / "p.jsonl", line, line))


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "none.jsonl")


def test_a_value_that_is_not_finite_is_not_written_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "params.jsonl"
    write(path, [FrameParameters(1)])
    with pytest.raises(InputError, match="jawOpen"):
        write(path, [FrameParameters(2), FrameParameters(3, {"jawOpen": float("nan")})])
    assert read(path) == [FrameParameters(1)]
    assert list(tmp_path.iterdir()) == [path]


TAKE = [
    FrameParameters(4, {}),
    FrameParameters(7, {"jawOpen": 0.5, "headYaw": 9.0, "headX": 1.0}),
    FrameParameters(6, {"jawOpen": 0.25, "headYaw": -3.0, "mouthSmileLeft": 0.5}),
]


def test_differences_are_from_the_first_frame_that_says_something() -> None:
    moved = {each.frame: each.values for each in differences(TAKE)}
    assert moved[6] == {"jawOpen": 0.0, "headYaw": 0.0, "mouthSmileLeft": 0.0}
    assert moved[7] == {"jawOpen": 0.25, "headYaw": 12.0, "headX": 1.0}
    assert moved[4] == {}, "what says nothing does not differ"
    assert [each.frame for each in differences(TAKE)] == [4, 7, 6], "in the order of the file"


def test_differences_may_be_from_another_frame_and_then_go_below_zero() -> None:
    moved = {each.frame: each.values for each in differences(TAKE, 7)}
    assert moved[6] == {"jawOpen": -0.25, "headYaw": -12.0, "mouthSmileLeft": 0.5}
    assert moved[7] == {"jawOpen": 0.0, "headYaw": 0.0, "headX": 0.0}


@pytest.mark.parametrize(
    ("frame", "sentence"), [(9, "no frame 9"), (4, "Frame 4 says nothing of a face")]
)
def test_a_frame_that_cannot_stand_for_the_photo_is_refused(frame: int, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        differences(TAKE, frame)


def test_differences_of_nothing_are_nothing() -> None:
    assert differences([]) == []
    assert differences([FrameParameters(1)]) == [FrameParameters(1)]
