"""Pictures that are a film: a folder of them, or those whose names differ by a number.

``shot_####.png`` names the pictures of a sequence as Blender and compositors do, ``shot_%04d.png``
as programs for film do. Numbers that are left out are gaps in time. A picture that cannot be read
shows nobody, and the rest goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from photorig.shared.errors import InputError

from . import reading
from .footage import Footage, TimedPicture

PICTURES = frozenset(".png .jpg .jpeg .webp .tif .tiff .bmp .avif .exr".split())
_HASHES = re.compile(r"#+")
_PRINTF = re.compile(r"%0?\d*d")
_NUMBER = re.compile(r"\d+")
_HINT = "Give a folder of PNG or JPEG files, or a pattern as shot_####.png."
_NOTHING = (64, 64, 3)


def is_sequence(path: Path) -> bool:
    """Whether a path names many pictures: a folder, or a pattern that is no file's own name."""
    return path.is_dir() or (not path.exists() and _pattern(path) is not None)


def open_footage(path: Path, rate: Fraction | None = None) -> Footage:
    """A film, a picture or a sequence of pictures.

    Args:
        rate: frames a second of a sequence; None where its time is not known.

    Raises:
        InputError: it cannot be read, or there is no picture of the sequence.
    """
    if not is_sequence(path):
        return reading.read_footage(path)
    files = sequence_files(path)
    unreadable: list[str] = []
    return Footage(len(files), rate, _pictures(files, rate, unreadable), unreadable)


def sequence_files(path: Path) -> list[Path]:
    """The files of a sequence in order; a file that is none is the only one.

    Raises:
        InputError: there are none.
    """
    if not is_sequence(path):
        return [path]
    folder = path if path.is_dir() else path.parent
    wanted = None if path.is_dir() else _pattern(path)
    try:
        files = [each for each in folder.iterdir() if each.is_file()]
    except OSError as error:
        raise InputError(f"There is no folder {str(folder)!r}", _HINT) from error
    if wanted is None:
        chosen = sorted((f for f in files if f.suffix.lower() in PICTURES), key=_natural)
    else:
        matches = ((wanted.fullmatch(each.name), each) for each in files)
        numbered = [(int(match[1]), each) for match, each in matches if match is not None]
        chosen = [each for _, each in sorted(numbered, key=lambda pair: (pair[0], pair[1].name))]
    if not chosen:
        raise InputError(f"{path} holds no pictures", _HINT)
    return chosen


def _pattern(path: Path) -> re.Pattern[str] | None:
    """What file names of a pattern look like, their number as the group; None where it is none."""
    match = _HASHES.search(path.name) or _PRINTF.search(path.name)
    if match is None:
        return None
    before, after = path.name[: match.start()], path.name[match.end() :]
    return re.compile(f"{re.escape(before)}(\\d+){re.escape(after)}")


def _natural(path: Path) -> tuple[list[int | str], str]:
    """Sorts 2 before 10."""
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if part.isdigit() else part for part in parts], path.name


def _pictures(
    files: list[Path], rate: Fraction | None, unreadable: list[str]
) -> Iterator[TimedPicture]:
    places = _places(files)
    shape: tuple[int, ...] = _NOTHING
    for file, place in zip(files, places, strict=True):
        try:
            picture = next(iter(reading.read_footage(file).pictures)).picture
            shape = picture.shape
        except InputError:
            unreadable.append(file.name)
            picture = np.zeros(shape, np.uint8)
        yield TimedPicture(picture, None if rate is None else float(place / rate))


def _places(files: list[Path]) -> list[int]:
    """Where in the film each picture is, from 0: by the last number of its name if all have one."""
    numbers = [_NUMBER.findall(file.stem)[-1:] for file in files]
    known = [int(found[0]) for found in numbers if found]
    if len(known) < len(files) or any(b <= a for a, b in pairwise(known)):
        return list(range(len(files)))
    return [number - known[0] for number in known]
