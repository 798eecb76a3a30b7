"""``photorig evaluate video``: a person driven by their own recording, and by somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from photorig.shared.errors import InputError, PhotorigError
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.registry.cache import file_sha256

from ..estimators.families import stacked
from ..protocols.cached_results import CachedResult, ResultCache
from .fitting import FitRun, Run, fit_photo
from .material import subjects_of
from .photos import OnProgress
from .recording import Plan, Recording, read_recording
from .reenact import CROSS, ROW, SELF, SMOOTH, Scene, measure, still_is_still
from .tools import EvaluationTools
from .video_figures import cross_figures, face_distance, jitter_figures, self_figures

VERSION = 1
"""Rises when what is measured changes, so that older cached results are not taken for new ones."""
_STILL = 3  # frames whose request is repeated


@dataclass(frozen=True)
class VideoSettings:
    """What is measured.

    Attributes:
        source: the video whose first frame is driven. driver: of the other person, or None.
        face: which face of the source's first frame.
        way: how its first frame is fitted, see `fitting.WAYS`.
    """

    source: Path
    driver: Path | None = None
    face: int = 0
    way: str = "default"
    plan: Plan = field(default_factory=Plan)


@dataclass(frozen=True, eq=False)
class Shown:
    """Side by side frames: labels and (2, s, s, 3) tiles, real above made."""

    title: str
    labels: list[str]
    tiles: list[np.ndarray]


class VideoRun:
    """The measuring of one video, or of two, in one folder."""

    def __init__(
        self, tools: EvaluationTools, folder: Path, on_progress: OnProgress, run: Run | None = None
    ) -> None:
        """run: what runs `photorig fit`, for tests."""
        self._tools, self.folder = tools, folder
        self._on_progress, self._run = on_progress, run
        self.shown: list[Shown] = []

    def measure(self, settings: VideoSettings) -> dict[str, Any]:
        """The section ``video`` of the report, JSON-able but for NaN.

        Raises:
            InputError: a video without a face that can be followed, or whose first frame cannot
                be fitted: that sentence is all there is to report then.
        """
        source = self._recording(settings.source, settings)
        fit, portrait = self._portrait(source, settings)
        section: dict[str, Any] = {
            "source": describe(settings.source, source),
            "plan": asdict(settings.plan),
            "way": settings.way,
            "fit": asdict(fit),
            "self": self._self(settings, source, portrait),
        }
        if settings.driver is not None:
            section |= self._cross(settings, settings.driver, source, portrait)
        return section

    def compared(self, settings: VideoSettings) -> tuple[dict[str, Any], CachedResult]:
        """Of self-reenactment alone: what the report says of the recording, and what was read of
        the frames compared, see `reenact.measure`. Raises as `measure` does."""
        source = self._recording(settings.source, settings)
        _, portrait = self._portrait(source, settings)
        scene = self._scene(settings.source, source, source, portrait)
        cached = self._measure(scene, SELF, settings.plan.compared, "frames of their own")
        return describe(settings.source, source), cached

    def _recording(self, path: Path, settings: VideoSettings) -> Recording:
        face = settings.face if path == settings.source else 0
        recording = read_recording(path, face, settings.plan, self._tools.net3d)
        self._on_progress("frames followed", len(recording.faces), len(recording.faces))
        return recording

    def _portrait(self, source: Recording, settings: VideoSettings) -> tuple[FitRun, Portrait]:
        photo = self.folder / f"{settings.source.stem}-first.png"
        try:
            Image.fromarray(source.images[0]).save(photo)
        except OSError as error:
            raise InputError(f"Cannot write {photo}: {error.strerror}") from error
        folder = self.folder / "portraits"
        fit, path = fit_photo(photo, settings.face, settings.way, folder, self._run)
        if path is None:
            raise PhotorigError(
                f"The first frame of {settings.source} cannot be fitted: {fit.error}"
            )
        return fit, Portrait.load(path)

    def _scene(self, path: Path, source: Recording, driver: Recording, who: Portrait) -> Scene:
        parts = [str(VERSION), file_sha256(path), who.id, self._tools.renderer.model_id]
        parts += [self._tools.method, *(family.name for family in self._tools.families)]
        store = ResultCache.of(self.folder, "|".join(parts))
        return Scene(self._tools, who, source, driver, store)

    def _self(
        self, settings: VideoSettings, source: Recording, portrait: Portrait
    ) -> dict[str, Any]:
        scene = self._scene(settings.source, source, source, portrait)
        plan, schema = settings.plan, self._tools.schema
        compared = self._measure(scene, SELF, plan.compared, "frames of their own")
        row = self._measure(scene, ROW, plan.in_a_row, "frames in a row")
        smooth = self._measure(scene, SMOOTH, plan.in_a_row, "frames driven smoothly")
        if not compared:
            raise InputError(f"{settings.source} is too short: after the first frame none is left")
        self._show("Driven by their own recording: real above, made below", compared)
        first = self._read_first(source)
        same, requests = still_is_still(scene, [int(n) for n in compared["number"][:_STILL]])
        rate = source.frames_per_second
        return {
            "frames": len(compared["number"]),
            "face_l1": face_distance(compared),
            "still": {"same": same, "requests": requests},
            "families": {
                family.name: self_figures(schema, compared, first, family.name)
                for family in self._tools.families
            },
            "jitter": {
                family.name: jitter_figures(row, smooth, family.name, rate)
                for family in self._tools.families
            },
        }

    def _cross(
        self,
        settings: VideoSettings,
        path: Path,
        source: Recording,
        portrait: Portrait,
    ) -> dict[str, Any]:
        driver = self._recording(path, settings)
        scene = self._scene(path, source, driver, portrait)
        cached = self._measure(scene, CROSS, settings.plan.compared, "frames of the other")
        if not cached:
            raise InputError(f"{path} is too short: after the first frame none is left")
        self._show("Driven by the other's recording: driver above, made below", cached)
        still, start = self._read_first(source), self._read_first(driver)
        families = {
            family.name: cross_figures(self._tools.schema, cached, still, start, family.name)
            for family in self._tools.families
        }
        cross = {"frames": len(cached["number"]), "families": families}
        return {"driver": describe(path, driver), "cross": cross}

    def _measure(self, scene: Scene, stage: str, numbers: Sequence[int], unit: str) -> CachedResult:
        def advance(done: int) -> None:
            self._on_progress(unit, done, len(numbers))

        return measure(scene, stage, numbers, advance)

    def _read_first(self, recording: Recording) -> CachedResult:
        readings = self._tools.read(recording.images[0])
        arrays: CachedResult = {}
        for family, reading in zip(self._tools.families, readings, strict=True):
            arrays |= stacked(family, [reading])
        return arrays

    def _show(self, title: str, cached: CachedResult) -> None:
        labels = [f"frame {number}" for number in cached["number"]]
        self.shown.append(Shown(title, labels, list(cached["tiles"])))


def describe(path: Path, recording: Recording) -> dict[str, Any]:
    """What the report says of a recording."""
    (subject, *_) = subjects_of(path, "videos")
    height, width = recording.images[0].shape[:2]
    return {
        "file": path.name,
        "shows": subject.shows,
        "source": subject.source,
        "may_be_shown": subject.may_be_shown,
        "width": width,
        "height": height,
        "frames_per_second": recording.frames_per_second,
        "followed": len(recording.faces),
        "not_seen": sum(face is None for face in recording.faces),
        "skipped": recording.skipped,
        "sha256": file_sha256(path),
    }
