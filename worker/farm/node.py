"""This computer as a node of a farm: what of it shows in frames, compared with what is expected."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path

from photorig.shared.farm.preflight import Expected, NodeFacts, compare, weights_of, without_blender
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.renderer import FaceRenderer


def facts_of(renderer: FaceRenderer, portraits: Sequence[Portrait]) -> NodeFacts:
    """What a worker with this renderer is, as its WELCOME would say it."""
    return NodeFacts(
        worker=f"photorig {importlib.metadata.version('photorig')}",
        generator=weights_of(renderer.model_id),
        bundle=renderer.bundle.id,
        device=renderer.generator.device,
        backend=renderer.generator.backend,
        portraits={portrait.id: portrait.name for portrait in portraits},
    )


def check_node(path: Path, renderer: FaceRenderer, portraits: Sequence[Portrait]) -> None:
    """Compare this computer with a job's expected.json; what differs and is allowed is told.

    Raises:
        InputError: it differs in what shows, or the file cannot be read.
    """
    expected = without_blender(Expected.load(path))
    verdict = compare(expected, facts_of(renderer, portraits))
    verdict.raise_if_refused()
    for note in verdict.notes:
        print(f"note: {note}.", file=sys.stderr)
