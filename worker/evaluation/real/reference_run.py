"""The run of `photorig evaluate references`: frames of a video, portraits of them, a report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from photorig.shared.errors import InputError
from photorig.shared.files.writing import write_atomically
from photorig.worker.faces.net3d import Net3D
from photorig.worker.fitting.fit import fit_portrait
from photorig.worker.fitting.models import FitRun, load_fit_models
from photorig.worker.fitting.references import with_references
from photorig.worker.fitting.same_person import FurtherPhoto
from photorig.worker.fitting.settings import FitSettings
from photorig.worker.generators import load_generator
from photorig.worker.media.reading import read_frames
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle
from photorig.worker.reenactment.calibration import with_response
from photorig.worker.reenactment.renderer import load_renderer

from .references import Comparison, ReferenceEvaluator, Shot, measure, most_different, summary

REPORT, SHEET = "references.json", "references.png"
ALONE = "tuned alike, other codes unused"


@dataclass(frozen=True)
class ReferenceSettings:
    """What is measured.

    Attributes:
        photos: of how many frames a portrait is made, each in turn; 1 is the comparison.
        frames: looked at, spread evenly over the video.
        fit: of the portraits.
    """

    photos: tuple[int, ...] = (1, 2, 4)
    frames: int = 16
    fit: FitSettings = field(default_factory=FitSettings)


Show = Callable[[str, int, int], None]


def evaluate_references(video: Path, out: Path, settings: ReferenceSettings, show: Show) -> Path:
    """Measure what further photos are worth on one video; the report's path.

    Args:
        show: is told what is counted, how many are done, how many come.

    Raises:
        InputError: the file is no video, or shows the face too rarely.
    """
    net3d, renderer = Net3D(), load_renderer("cpu")
    shots = spread_shots(video, settings.frames, net3d)
    most = max(settings.photos)
    if len(shots) < most + 2:
        raise InputError(f"{video} shows the face in {len(shots)} of the frames looked at only")
    chosen = most_different([shot.face for shot in shots], most, renderer.bundle)
    photos = [shots[number] for number in chosen]
    truths = [shot for number, shot in enumerate(shots) if number not in chosen]
    portraits = _portraits(photos, settings, renderer.bundle, net3d, show)
    evaluator = ReferenceEvaluator.open(renderer, net3d)
    results, sheet = measure(
        portraits, photos[0], truths, evaluator, lambda n: show("frames", n, len(truths))
    )
    Image.fromarray(sheet).save(out / SHEET)
    report = {
        "video": video.name,
        "photos": chosen,
        "summary": summary(results),
        "frames": {label: [_entry(one) for one in found] for label, found in results.items()},
    }
    path = out / REPORT
    write_atomically(path, json.dumps(report, indent=1).encode())
    return path


def spread_shots(video: Path, count: int, net3d: Net3D) -> list[Shot]:
    """The face in so many frames, spread evenly; fewer where it is not seen. Raises InputError."""
    total, frames = read_frames(video)
    last = (total or 10 * count) - 1  # a file that does not say how many: of the first ones
    wanted = {round(i * last / max(count - 1, 1)) for i in range(count)}
    shots = []
    for number, image in enumerate(frames):
        if number in wanted:
            shots += [Shot(image.copy(), face) for face in net3d.analyze(image)[:1]]
    return shots


def _portraits(
    photos: Sequence[Shot],
    settings: ReferenceSettings,
    bundle: ModelBundle,
    net3d: Net3D,
    show: Show,
) -> dict[str, Portrait]:
    """By label; that of most photos also without its references: how much is the tuning's doing."""
    run, first = FitRun(load_fit_models(), settings.fit), photos[0]
    alone = fit_portrait(first.image, first.face, "1", run)
    portraits: dict[str, Portrait] = {}
    for done, count in enumerate(settings.photos, 1):
        portrait = _of(alone, photos[:count], run)
        if settings.fit.measures_response:
            portrait = with_response(portrait, bundle, load_generator("cpu"), net3d)
        portraits[f"{count}"] = portrait
        if count == max(settings.photos) > 1:
            portraits[f"{count}, {ALONE}"] = replace(portrait, references=())
        show("portraits", done, len(settings.photos))
    return portraits


def _of(alone: Portrait, photos: Sequence[Shot], run: FitRun) -> Portrait:
    if len(photos) == 1:
        return alone
    others = [FurtherPhoto(f"photo {n}", s.image, s.face) for n, s in enumerate(photos[1:], 2)]
    return with_references(alone, photos[0].face, others, run)


def _entry(comparison: Comparison | None) -> dict[str, Any] | None:
    """For JSON, which knows no NaN."""
    if comparison is None:
        return None
    return {name: v if np.isfinite(v) else None for name, v in asdict(comparison).items()}
