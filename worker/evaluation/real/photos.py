"""``photorig evaluate photos``: every photo fitted in every way, measured, and written down."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from photorig.shared.errors import InputError, PhotorigError
from photorig.shared.files.writing import write_atomically
from photorig.worker.portraits.portrait import Portrait

from ..report.report_file import jsonable
from .fitting import FitRun, Run, fit_photo
from .material import Subject
from .photo_measures import Tiles, measure_portrait
from .tools import EvaluationTools

VERSION = 1
"""Rises when what is measured changes, so that older cached results are not taken for new ones."""

OnProgress = Callable[[str, int, int], None]
"""Called with what is counted, how many are done, and how many there will be."""


class PhotoRun:
    """The measuring of some photos in one folder; what is there already is not measured again.

    Attributes:
        folder: of the evaluation: portraits, cached results, pictures, report.
    """

    def __init__(
        self,
        open_tools: Callable[[], EvaluationTools],
        folder: Path,
        on_progress: OnProgress,
        run: Run | None = None,
    ) -> None:
        """
        Args:
            open_tools: called once, after all fits: a fit beside loaded judges would be slower.
            run: what runs `photorig fit`, for tests.
        """
        self._open_tools, self.folder = open_tools, folder
        self._on_progress, self._run = on_progress, run

    def measure(
        self, subjects: Sequence[Subject], ways: Sequence[str]
    ) -> tuple[EvaluationTools, list[dict[str, Any]]]:
        """The tools, and one entry a subject and way, in their order.

        Raises:
            PhotorigError: what stops everything; a photo that fails is an entry with ``error``.
        """
        pairs = [(subject, way) for subject in subjects for way in ways]
        fits: list[tuple[FitRun, Path | None]] = []
        for done, (subject, way) in enumerate(pairs, start=1):
            fits.append(
                fit_photo(subject.path, subject.face, way, self.folder / "portraits", self._run)
            )
            self._on_progress("fits", done, len(pairs))
        tools = self._open_tools()
        entries = []
        for done, ((subject, way), (fit, portrait)) in enumerate(
            zip(pairs, fits, strict=True), start=1
        ):
            entries.append(self._entry(tools, subject, way, fit, portrait))
            self._on_progress("portraits", done, len(pairs))
        return tools, entries

    def _entry(
        self, tools: EvaluationTools, subject: Subject, way: str, fit: FitRun, portrait: Path | None
    ) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "name": subject.name,
            "file": subject.path.name,
            "face": subject.face,
            "shows": subject.shows,
            "source": subject.source,
            "may_be_shown": subject.may_be_shown,
            "way": way,
            "fit": asdict(fit),
            "error": fit.error,
        }
        if portrait is None:
            return entry
        try:
            return entry | self._measured(tools, portrait)
        except PhotorigError as error:
            return entry | {"error": error.message}
        except Exception as error:  # a defect that one photo shows must not lose the others
            return entry | {"error": f"measuring broke off: {type(error).__name__}: {error}"}

    def _measured(self, tools: EvaluationTools, path: Path) -> dict[str, Any]:
        cached = (
            self.folder / "pieces" / f"{path.stem}-{tools.renderer.model_id[:16]}-{VERSION}.json"
        )
        if cached.is_file():
            return dict(json.loads(cached.read_bytes()))
        started = time.process_time()
        figures, tiles = measure_portrait(tools, Portrait.load(path))
        names = save_tiles(tiles, self.folder / "tiles", path.stem)
        figures |= {"tiles": names, "seconds_to_measure": time.process_time() - started}
        write_result(cached, figures)
        return dict(json.loads(cached.read_bytes()))


def write_result(path: Path, figures: dict[str, Any]) -> None:
    """Keep what was measured. Raises InputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {path.parent}: {error.strerror}") from error
    write_atomically(path, json.dumps(jsonable(figures), ensure_ascii=False).encode())


def save_tiles(tiles: Tiles, folder: Path, stem: str) -> dict[str, str]:
    """Write tiles as PNG files; returns the file's name by label. Raises InputError."""
    names = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, (label, tile) in enumerate(tiles.items()):
            names[label] = f"{stem}-{number:02d}.png"
            Image.fromarray(tile).save(folder / names[label])
    except OSError as error:
        raise InputError(f"Cannot write into {folder}: {error.strerror}") from error
    return names


def load_tile(folder: Path, name: str) -> np.ndarray:
    """A tile that `save_tiles` wrote. Raises InputError."""
    try:
        with Image.open(folder / name) as image:
            return np.array(image.convert("RGB"))
    except OSError as error:
        raise InputError(f"Cannot read {folder / name}: {error}") from error


def tools_opener(bundle: str, device: str, method: str) -> Callable[[], EvaluationTools]:
    """What loads renderer and judges when they are needed."""
    from .tools import open_tools

    return partial(open_tools, bundle, device, method)
