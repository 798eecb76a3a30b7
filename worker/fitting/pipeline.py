"""A photo to a portrait, all the way: find faces → choose → fit → measure its answers.

The command line (`photorig fit`) and the server (through fit_program.py) both come through here, so
that a portrait is the same whoever asked for it. Whatever the making of a portrait gains belongs
here, or in what this calls, and not into one of the callers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from photorig.shared.errors import Cancelled
from photorig.shared.wire.messages import FitProgress
from photorig.worker.faces.net3d import FaceMeasurement, Net3D
from photorig.worker.faces.search import find_faces
from photorig.worker.generators import DEFAULT, load_generator
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import generator_of, load_bundle
from photorig.worker.reenactment.measure_geometry import with_geometry

from .fit import fit_portrait
from .models import FitRun, load_fit_models
from .references import reference_steps, with_references
from .same_person import same_person
from .settings import FitSettings
from .subject import Subject, pose_range

LOADING, FITTING, MEASURING = "Loading the models", "Finding the likeness", "Measuring the face"
FURTHER = "Finding it in the other photos"
_LOADED, _FITTED = 0.05, 0.8
"""How much of the whole is done after loading and after fitting."""
_LOOKS = 90
"""About as many pictures are looked at to measure the answers of a face."""


class _Step(Protocol):
    def __call__(self, loss: float | None = None) -> None: ...


class PortraitMaker:
    """Makes portraits; what finds and measures faces is loaded once.

    Args:
        on_progress: called often, in the thread that makes the portrait.
        should_cancel: asked often.
        bundle: for which; its name, as `load_bundle` takes it.
        device: on which the network is fitted.

    Raises:
        ModelError: the models cannot be had; of those that only fitting needs, `make` says so.
    """

    def __init__(
        self,
        on_progress: Callable[[FitProgress], None] = lambda progress: None,
        should_cancel: Callable[[], bool] = lambda: False,
        bundle: str = DEFAULT,
        device: str = "cpu",
    ) -> None:
        self._on_progress, self._should_cancel = on_progress, should_cancel
        self._bundle = bundle
        self._say(FitProgress(LOADING, 0.0))
        # While faces are looked for: a quick fit takes hardly longer than its models.
        loading = ThreadPoolExecutor(1)
        self._models = loading.submit(load_fit_models, bundle, device)
        loading.shutdown(wait=False)
        self._net3d = Net3D()

    def look(self, photo: np.ndarray) -> Subject:
        """Find the faces of a photo, (h, w, 3) uint8 sRGB, as `read_picture` gives it."""
        faces = find_faces(photo, self._net3d)
        return Subject(photo, faces, pose_range(load_bundle(self._bundle)), self._net3d.analyze)

    def make(
        self,
        subject: Subject,
        face: int,
        name: str,
        settings: FitSettings | None = None,
        others: Sequence[tuple[str, Subject]] = (),
    ) -> Portrait:
        """The portrait of one of the faces.

        Args:
            others: further photos of the person, by name.

        Raises:
            InputError: there is no such face, it cannot be used, or another photo shows somebody
                else.
            Cancelled: ``should_cancel`` said so.
        """
        chosen = subject.choose(face)
        models, settings = self._models.result(), settings or FitSettings()
        further = same_person((subject.photo, chosen), others, models.losses.recognition)
        fitted = _FITTED / (1 + len(further))
        step = self._steps(FITTING, _LOADED, fitted, settings.total)
        portrait = fit_portrait(subject.photo, chosen, name, FitRun(models, settings, step))
        if further:
            total = reference_steps(portrait, settings, len(further))
            step = self._steps(FURTHER, fitted, _FITTED, total)
            portrait = with_references(portrait, chosen, further, FitRun(models, settings, step))
        if not settings.measures_response:
            return portrait
        look = _Watched(self._net3d, self._steps(MEASURING, _FITTED, 1.0, _LOOKS))
        generator = load_generator("cpu", name=generator_of(self._bundle))
        return with_geometry(portrait, models.bundle, generator, look)

    def _steps(self, stage: str, start: float, end: float, total: int) -> _Step:
        """What is called after each of so many steps of a stage, with the loss where there is one:
        it tells how far the whole is, which goes on from ``start`` to ``end``."""
        self._say(FitProgress(stage, start))
        done = itertools.count(1)

        def step(loss: float | None = None) -> None:
            fraction = start + (end - start) * min(1.0, next(done) / max(1, total))
            self._say(FitProgress(stage, fraction, "" if loss is None else f"loss {loss:.3f}"))

        return step

    def _say(self, progress: FitProgress) -> None:
        self._on_progress(progress)
        if self._should_cancel():
            raise Cancelled("The fit was stopped")


class _Watched:
    """Net3D that tells of each look."""

    def __init__(self, net3d: Net3D, on_look: Callable[[], None]) -> None:
        self._net3d, self._on_look = net3d, on_look

    def analyze_one(self, image: np.ndarray) -> FaceMeasurement:
        self._on_look()
        return self._net3d.analyze_one(image)
