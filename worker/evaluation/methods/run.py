"""Every method on every trial, and what independent judges see of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from photorig.shared.wire.messages import FrameRequest
from photorig.worker.reenactment.renderer import FaceRenderer
from photorig.worker.reenactment.target import PICTURE_SIDE

from ..estimators.judge import Judge, Judgement
from .trials import SELF, Trial

AS_IT_IS = "photo as it is"
"""The row of what no method has touched."""


@dataclass(frozen=True)
class Figures:
    """One method on the trials of one kind.

    Attributes:
        frames: how many were judged.
        missed: frames in which the judge found no face.
        pose: degrees, mean error of the changes of yaw and pitch.
        expression: mean error of the changes of the coefficients that the judge sees.
        identity: cosine to the source at rest.
        ceiling: of the driver to itself at rest, who only moves.
        psnr: dB to the true frame; only where one is driven by its own.
        milliseconds: of processor time a frame, with the encoder's where a picture drives.
    """

    frames: int
    missed: int
    pose: float
    expression: float
    identity: float
    ceiling: float
    psnr: float | None
    milliseconds: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """Figures by kind of trial and by method, and pictures of some trials.

    Attributes:
        pictures: by kind, rows of (source, driver, one of each method).
    """

    methods: tuple[str, ...]
    figures: dict[str, dict[str, Figures]]
    pictures: dict[str, list[list[np.ndarray]]]

    def to_json(self) -> dict[str, object]:
        return {
            kind: {name: asdict(one) for name, one in by_method.items()}
            for kind, by_method in self.figures.items()
        }


@dataclass(frozen=True)
class _Measured:
    pose: float
    expression: float
    identity: float
    ceiling: float
    psnr: float | None
    seconds: float


def compare(
    renderer: FaceRenderer,
    judge: Judge,
    methods: Sequence[str],
    trials: Iterable[Trial],
    on_trial: Callable[[], None],
    shown: int = 6,
) -> Outcome:
    """Judge every method on the same trials.

    Args:
        shown: trials of each kind that are pictured.
    """
    rows = (AS_IT_IS, *methods)
    found: dict[str, dict[str, list[_Measured | None]]] = {}
    pictures: dict[str, list[list[np.ndarray]]] = {}
    for trial in trials:
        seen = [judge.measure(image) for image in _references(trial)]
        on_trial()
        if any(one is None for one in seen):
            continue
        tiles = [_references(trial)[0], trial.driver]
        for name in rows:
            image, seconds = _frame(renderer, name, trial)
            tiles.append(image)
            measured = _measured(judge.measure(image), seen, image, trial, seconds)
            found.setdefault(trial.kind, {}).setdefault(name, []).append(measured)
        if len(pictures.setdefault(trial.kind, [])) < shown:
            pictures[trial.kind].append(tiles)
    figures = {
        kind: {name: _figures(some) for name, some in by_method.items()}
        for kind, by_method in found.items()
    }
    return Outcome(tuple(methods), figures, pictures)


def _references(trial: Trial) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source at rest, driver, driver at rest."""
    source = trial.source.alignment.crop(trial.source.photo, PICTURE_SIDE)
    return source, trial.driver, trial.driver_at_rest


def _frame(renderer: FaceRenderer, name: str, trial: Trial) -> tuple[np.ndarray, float]:
    """The frame, and seconds of processor time."""
    if name == AS_IT_IS:
        return _references(trial)[0], 0.0
    request = FrameRequest(trial.source.id, trial.shift, PICTURE_SIDE, "relative", name)
    started = time.process_time()
    image = renderer.render(trial.source, request, trial.pictures)
    return image, time.process_time() - started


def _measured(
    result: Judgement | None,
    seen: Sequence[Judgement | None],
    image: np.ndarray,
    trial: Trial,
    seconds: float,
) -> _Measured | None:
    source, driver, driver_at_rest = seen
    if result is None or source is None or driver is None or driver_at_rest is None:
        return None
    turned = (result.pose - source.pose) - (driver.pose - driver_at_rest.pose)
    moved = result.expression - source.expression
    wanted = driver.expression - driver_at_rest.expression
    psnr = _psnr(image, trial.driver) if trial.kind == SELF else None
    return _Measured(
        float(np.abs(turned[:2]).mean()),
        float(np.nanmean(np.abs(moved - wanted))),
        float(result.identity @ source.identity),
        float(driver.identity @ driver_at_rest.identity),
        psnr,
        seconds,
    )


def _psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = float(np.square(one.astype(np.float64) - other).mean())
    return float(10 * np.log10(255**2 / max(error, 1e-6)))


def _figures(some: list[_Measured | None]) -> Figures:
    known = [one for one in some if one is not None]
    values = [one.psnr for one in known if one.psnr is not None]

    def mean(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in known])) if known else float("nan")

    return Figures(
        len(known),
        len(some) - len(known),
        mean("pose"),
        mean("expression"),
        mean("identity"),
        mean("ceiling"),
        float(np.mean(values)) if values else None,
        1000 * float(np.median([one.seconds for one in known])) if known else float("nan"),
    )
