"""A photo to a portrait, all the way: find faces → choose → fit → measure its answers.

The command line (`photorig fit`) and the server (through fit_program.py) both come through here, so
that a portrait is the same whoever asked for it. Whatever the making of a portrait gains belongs
here, or in what this calls, and not into one of the callers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from photorig.shared.errors import Cancelled
from photorig.worker.faces.net3d import FaceMeasurement, Net3D
from photorig.worker.faces.search import find_faces
from photorig.worker.generators import DEFAULT, load_generator
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import generator_of, load_bundle
from photorig.worker.reenactment.measure_geometry import with_geometry

from .fit import FitProgress, FitSettings, fit_portrait, load_fit_models
from .references import with_references
from .same_person import same_person
from .subject import Subject, pose_range

LOADING, FITTING, MEASURING = "Loading the models", "Finding the likeness", "Measuring the face"
FURTHER = "Finding it in the other photos"
_LOADED, _FITTED = 0.05, 0.8
"""How much of the whole is done after loading and after fitting."""
_LOOKS = 90
"""About as many pictures are looked at to measure the answers of a face."""


@dataclass(frozen=True)
class MakingProgress:
    """How far the portrait is.

    Attributes:
        stage: what is being done, for a person.
        fraction: of the whole, 0 to 1.
        note: a figure for those who know, "" where there is none.
    """

    stage: str
    fraction: float
    note: str = ""


class PortraitMaker:
    """Makes portraits; what finds and measures faces is loaded once.

    Args:
        on_progress: called often, in the thread that makes the portrait.
        should_cancel: asked often.
        bundle: for which; its name, as `load_bundle` takes it.
        device: where the generator computes while it is fitted.

    Raises:
        ModelError: the models cannot be had; of those that only fitting needs, `make` says so.
    """

    def __init__(
        self,
        on_progress: Callable[[MakingProgress], None] | None = None,
        should_cancel: Callable[[], bool] | None = None,
        bundle: str = DEFAULT,
        device: str = "cpu",
    ) -> None:
        self._on_progress, self._bundle = on_progress, bundle
        self._should_cancel = should_cancel
        self._fitted = _FITTED
        self._say(MakingProgress(LOADING, 0.0))
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
        settings = settings or FitSettings()
        chosen = subject.choose(face)
        models = self._models.result()
        further = same_person((subject.photo, chosen), others, models.eyes.recognition)
        self._fitted = _FITTED / (1 + len(further))
        self._say(MakingProgress(FITTING, _LOADED))
        portrait = fit_portrait(
            subject.photo, chosen, name, models, settings, self._fit_step, self._should_cancel
        )
        if further:
            portrait = with_references(
                portrait, chosen, further, models, settings, self._further_step, self._should_cancel
            )
        if not settings.measures_response:
            return portrait
        self._say(MakingProgress(MEASURING, _FITTED))
        watched = _Watched(self._net3d, self._look_step)
        generator = load_generator("cpu", name=generator_of(self._bundle))
        return with_geometry(portrait, models.bundle, generator, watched)

    def _fit_step(self, step: FitProgress) -> None:
        fraction = _LOADED + (self._fitted - _LOADED) * step.done / max(1, step.total)
        self._say(MakingProgress(FITTING, fraction, f"loss {step.loss:.3f}"))

    def _further_step(self, step: FitProgress) -> None:
        fraction = self._fitted + (_FITTED - self._fitted) * step.done / max(1, step.total)
        self._say(MakingProgress(FURTHER, fraction, f"loss {step.loss:.3f}"))

    def _look_step(self, looks: int) -> None:
        if self._should_cancel is not None and self._should_cancel():
            raise Cancelled("The fit was stopped")
        fraction = _FITTED + (1 - _FITTED) * min(1.0, looks / _LOOKS)
        self._say(MakingProgress(MEASURING, fraction))

    def _say(self, progress: MakingProgress) -> None:
        if self._on_progress is not None:
            self._on_progress(progress)


class _Watched:
    """Net3D that tells how often it has looked."""

    def __init__(self, net3d: Net3D, on_look: Callable[[int], None]) -> None:
        self._net3d, self._on_look, self._looks = net3d, on_look, 0

    def analyze_one(self, image: np.ndarray) -> FaceMeasurement:
        self._looks += 1
        self._on_look(self._looks)
        return self._net3d.analyze_one(image)
