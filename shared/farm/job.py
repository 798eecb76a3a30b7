"""A job's folder: all that nodes need to make its frames, and nothing that they may find changed.

    job.json         what it is
    expected.json    what nodes are compared with (preflight.py)
    portraits/       a copy of every portrait, named by its hash
    shot.blend and in_blender.py                      where nodes have Blender
    performance.jsonl (performance-2.jsonl, …)        where they have the worker alone

Beside these lies what the farm itself reads: openjd.py, flamenco.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files.reading import read_file
from ..files.strict_json import parse_json
from ..files.writing import write_atomically
from .frames import format_frames, parse_frames
from .in_blender import SCRIPT, SCRIPT_NAME
from .preflight import EXPECTED_NAME, Expected

JOB_NAME = "job.json"
BLEND_NAME = "shot.blend"
PORTRAITS = "portraits"
BLENDER, WORKER = "blender", "worker"
KINDS = (BLENDER, WORKER)
"""What nodes have: Blender with the extension, or the worker alone."""
MOST_CHUNK = 150
"""Largest chunk that every farm takes (Deadline Cloud's limit)."""
FOLDER_VARIABLE = "PHOTORIG_FARM_JOB"
"""Names the folder of the job that runs on this node."""
_FORMAT = "photorig.farm.job"
_MAXIMUM_BYTES = 16 << 20


@dataclass(frozen=True)
class Face:
    """A face of a job without Blender: names of files in the job's folder."""

    portrait: str
    performance: str


@dataclass(frozen=True)
class FarmJob:
    """A job, whatever farm it is for.

    Attributes:
        name: for people.
        kind: one of KINDS.
        frames: in rising order.
        chunk_size: frames that a node takes at once.
        output: where frames go, a path of the submitter's; "" for ``frames`` in the job's folder.
        needs_gpu: whether only nodes with a graphics card may take it.
        faces: of a job without Blender, the first face first.
        folder: of the job, as the submitter called it: paths in its .blend file begin there.
        mode, size, method: of a job without Blender, as of ``photorig render``.
    """

    name: str
    kind: str
    frames: tuple[int, ...]
    chunk_size: int
    output: str = ""
    needs_gpu: bool = False
    folder: str = ""
    faces: tuple[Face, ...] = ()
    mode: str = "relative"
    size: str = "full"
    method: str = "regional"

    def __post_init__(self) -> None:
        if not self.frames:
            raise InputError("The job has no frames", "Give a range, for example 1-240.")
        if not 1 <= self.chunk_size <= MOST_CHUNK:
            raise InputError(
                f"A chunk of {self.chunk_size} frames is not possible", f"Give 1 to {MOST_CHUNK}."
            )
        if self.kind not in KINDS:
            raise InputError(f"There is no kind {self.kind!r} of job", f"Use {' or '.join(KINDS)}.")

    @property
    def range(self) -> str:
        return format_frames(self.frames)

    def save(self, folder: Path, expected: Expected) -> None:
        """Write job, expectation and, where nodes have Blender, the script. Raises InputError."""
        told = {**asdict(self), "format": _FORMAT, "version": 1, "frames": self.range}
        write_json(folder / JOB_NAME, told)
        expected.save(folder / EXPECTED_NAME)
        if self.kind == BLENDER:
            write_atomically(folder / SCRIPT_NAME, SCRIPT.encode())

    @classmethod
    def load(cls, folder: Path) -> FarmJob:
        """Raises InputError: there is no job, or none that this version knows."""
        path = folder / JOB_NAME
        try:
            told = parse_json(read_file(path, _MAXIMUM_BYTES), _MAXIMUM_BYTES)
            return _job(told)
        except OSError as error:
            raise InputError(
                f"There is no job in {str(folder)!r}: {error.strerror}", "Submit it first."
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{str(path)!r} is no job of ours", "Submit it again.") from error


def _job(told: Mapping[str, Any]) -> FarmJob:
    """Raises ValueError, KeyError or TypeError."""
    if told["format"] != _FORMAT or told["version"] != 1:
        raise ValueError("another format")
    faces = tuple(
        Face(_file_name(face["portrait"]), _file_name(face["performance"]))
        for face in told["faces"]
    )
    texts = {
        name: told[name] for name in ("name", "kind", "output", "folder", "mode", "size", "method")
    }
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("a text")
    return FarmJob(
        frames=tuple(parse_frames(told["frames"])),
        chunk_size=int(told["chunk_size"]),
        needs_gpu=told["needs_gpu"] is True,
        faces=faces,
        **texts,
    )


def _file_name(name: str) -> str:
    """It becomes a path in the job's folder, and nowhere else. Raises ValueError."""
    parts = name.split("/")
    if name.startswith("/") or set(name) & set("\\\0:") or {"", ".", ".."} & set(parts):
        raise ValueError("no name of a file")
    return name


def portrait_name(portrait: str) -> str:
    """Of a portrait's copy in the job's folder.

    Args:
        portrait: SHA-256 (hex) of the file.
    """
    return f"{PORTRAITS}/{portrait}.portrait"


def performance_name(number: int = 1) -> str:
    """Of the performance of a job's first, second, … face."""
    return "performance.jsonl" if number == 1 else f"performance-{number}.jsonl"


def write_json(path: Path, told: Mapping[str, Any]) -> None:
    """Raises InputError."""
    write_atomically(path, (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode())
