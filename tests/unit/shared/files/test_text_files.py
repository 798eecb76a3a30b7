"""Text files of other systems and older programs."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from photorig.shared.errors import InputError
from photorig.shared.files.text_files import read_any_text
from photorig.shared.mapping.presets import read_preset
from photorig.shared.parameters import file as parameters_file
from photorig.shared.parameters.file import FrameParameters

FAULTS = Path(__file__).parents[3] / "data" / "faults"
TEXT = "größer\nals 顔\n"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_marks_say_how_to_read(tmp_path: Path, mark: bytes, encoding: str, line_end: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(mark + TEXT.replace("\n", line_end).encode(encoding))
    assert read_any_text(path) == TEXT


def test_a_performance_of_windows_is_read() -> None:
    assert parameters_file.read(FAULTS / "utf16.jsonl") == [FrameParameters(1, {"jawOpen": 0.2})]


def test_a_preset_that_notepad_saved_is_read(tmp_path: Path) -> None:
    preset = Path(__file__).parents[4] / "blender_addon" / "presets" / "arkit.json"
    path = tmp_path / "arkit.json"
    path.write_text(preset.read_text(encoding="utf-8"), encoding="utf-16")
    assert read_preset(path) == read_preset(preset)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a\nb\ngrößer".encode("latin-1"), r"line 3 has a letter \(byte F6\) that is not UTF-8"),
        ("“cp1252”".encode("cp1252"), r"line 1 has a letter \(byte 93\)"),
        ("größer".encode("utf-16-le"), "UTF-16 without the mark"),
        ("größer".encode("utf-16-be"), "UTF-16 without the mark"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no text file"),
        (bytes(1000), "no text file"),
        (codecs.BOM_UTF16_LE + b"a\0b", "damaged"),
        (codecs.BOM_UTF16_LE + b"\0\xdc\0\0", "damaged"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_right_reason(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        parameters_file.read(path)


@pytest.mark.skipif(os.name != "posix", reason="POSIX pipes and devices")
def test_pipes_and_devices_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="no ordinary file"):
            read_any_text(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(100))
    with pytest.raises(InputError, match="larger than"):
        read_any_text(tmp_path / "a", limit=99)
