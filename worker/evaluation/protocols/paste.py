"""The background of a whole photo, before and after the face is put back into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..metrics.background import background_change
from ..metrics.statistics import mean_known
from .cached_results import CachedResult, Task
from .context import EvaluationContext
from .sweeps import BackgroundWatch, swept_parameters

PASTE = "paste"
PASTED_PEOPLE = 24
VISIBLE = 8
"""Levels of 255 from which a change of a background pixel counts as visible."""

_ENDS = {
    "yaw": ("headYaw",),
    "pitch": ("headPitch",),
    "roll": ("headRoll",),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "jaw": ("jawOpen",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "brows": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
}


def paste_tasks(n_people: int) -> list[Task]:
    return [Task(PASTE, person) for person in range(min(PASTED_PEOPLE, n_people))]


def measure_paste(context: EvaluationContext, task: Task) -> CachedResult:
    """Moves at the ends of their ranges, as the generator makes them and as whole photos.

    Returns:
        per move: ``move`` (position in the moves' names), ``before`` and ``after`` (0 to 255 over
        the background), ``visible`` (share of background pixels that changed by 8 or more after).
    """
    portrait = context.portrait(task.person)
    if portrait is None:
        return {"move": np.zeros(0, np.int32)}
    watch = BackgroundWatch(context, portrait, context.photo_size)
    photo_mask = context.person_mask(portrait.photo)
    moves, before, after, visible = [], [], [], []
    for number, names in enumerate(_ENDS.values()):
        vector = _end_of_range(context, names)
        if vector is None:
            continue
        whole = context.frame(portrait, vector, "relative", "full")
        mask = context.person_mask(whole)
        moves.append(number)
        before.append(watch.change(vector))
        after.append(background_change(portrait.photo, whole, photo_mask, mask))
        difference = np.abs(whole.astype(np.int16) - portrait.photo).max(-1)
        outside = ~(photo_mask | mask)
        visible.append((difference[outside] >= VISIBLE).mean() if outside.any() else np.nan)
    return {
        "move": np.array(moves, np.int32),
        "before": np.array(before, np.float32),
        "after": np.array(after, np.float32),
        "visible": np.array(visible, np.float32),
    }


def _end_of_range(context: EvaluationContext, names: tuple[str, ...]) -> np.ndarray | None:
    """The vector with these at the upper end of their ranges; None where none is controlled."""
    bundle, schema = context.renderer.bundle, context.schema
    swept = swept_parameters(bundle)
    known = [schema.index[name] for name in names if schema.index.get(name) in swept]
    if not known:
        return None
    return schema.vector({schema.ids[i]: bundle.responses[i].maximum for i in known})


def paste_figures(cached_results: Sequence[CachedResult]) -> dict[str, Any]:
    """Background change by move, and over all."""
    known = [cached for cached in cached_results if len(cached["move"])]
    if not known:
        return {}
    joined = {
        name: np.concatenate([p[name] for p in known]) for name in known[0] if name != "person"
    }
    moves = {}
    for number, name in enumerate(_ENDS):
        rows = joined["move"] == number
        if rows.any():
            moves[name] = _means(joined, rows)
    return {"moves": moves, "all": _means(joined, np.full(len(joined["move"]), True))}


def _means(joined: CachedResult, rows: np.ndarray) -> dict[str, float]:
    return {name: float(mean_known(joined[name][rows])) for name in ("before", "after", "visible")}
