"""What a measuring process holds: the renderer, the people and the families that look at frames."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.parameters.arkit_amounts import amounts_of, has_curve
from photorig.shared.parameters.schema import ParameterSchema
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.faces.net3d import Net3D
from photorig.worker.faces.segmentation import Matte, PersonMatte
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.response import ARRAYS as RESPONSE_ARRAYS
from photorig.worker.portraits.response import PortraitResponse
from photorig.worker.reenactment.calibration import measure_response
from photorig.worker.reenactment.methods import load_method
from photorig.worker.reenactment.renderer import FaceRenderer, load_renderer
from photorig.worker.reenactment.target import Target
from photorig.worker.threads import THREADS_VARIABLE

from ..estimators.families import Family, Net3DFamily, Reading
from ..estimators.judge_family import JudgeFamily
from ..metrics.background import widened
from .cached_results import ResultCache, Task

VERSION = 1
"""Counts changes of what is measured and how, so that older results are not taken for new ones."""

CALIBRATED = "calibrated"
"""The method that wants portraits whose own face has been measured."""
RESPONSE = "response"

FrameSize = int | Literal["full"]

PHOTO_SIZE = 512
SEED = 0


@dataclass(frozen=True)
class Settings:
    """What is measured; equal settings give equal figures.

    Attributes:
        bundle: name or path, as `load_bundle` takes it.
        method: of the frame requests.
        size: of the frames that are judged, pixels.
        device: auto, cpu, cuda or mps.
        seed: of the people and of everything drawn.
    """

    bundle: str = "default"
    method: str = "calibrated"
    size: int = 256
    device: str = "cpu"
    seed: int = SEED


class EvaluationContext:
    """Renders people of the evaluation group and lets the families look at them."""

    def __init__(
        self,
        settings: Settings,
        renderer: FaceRenderer,
        net3d: Net3D,
        families: tuple[Family, ...],
        matte: Matte,
        latents_of: Callable[[int], np.ndarray],
        folder: Path,
        photo_size: int = PHOTO_SIZE,
    ) -> None:
        """latents_of: (n_rows, w_dim) latents by index of the person. folder: of the evaluation.
        photo_size: of the portraits."""
        self.settings, self.renderer, self.net3d = settings, renderer, net3d
        self.families, self._matte = families, matte
        self._method = load_method(settings.method, renderer.bundle, renderer.generator)
        self.latents_of, self.photo_size = latents_of, photo_size
        self.folder = folder
        self.portrait = lru_cache(maxsize=4)(self._portrait)

    @property
    def schema(self) -> ParameterSchema:
        return self.renderer.schema

    @cached_property
    def key(self) -> str:
        """All that a measured cached result depends on besides its task."""
        names = ",".join(family.name for family in self.families)
        settings = f"{self.settings.method}|{self.settings.size}|{self.settings.seed}"
        return f"{VERSION}|{self.renderer.model_id}|{self.schema.hash}|{settings}|{names}"

    @cached_property
    def store(self) -> ResultCache:
        """What has been measured for this model, method and size."""
        return ResultCache.of(self.folder, self.key)

    def _portrait(self, person: int) -> Portrait | None:
        """The person as a portrait; None where Net3D finds no face."""
        latents = self.latents_of(person)
        photo = self.renderer.generator.synthesize(latents[None], self.photo_size)[0]
        try:
            measurement = self.net3d.analyze_one(photo)
        except InputError:
            return None
        portrait = Portrait(
            latents=np.ascontiguousarray(latents, np.float32),
            parameters=measurement.parameters,
            photo=photo,
            alignment=Alignment.upright(self.photo_size),
            model_id=self.renderer.generator.model_id,
            parameter_ids=self.schema.ids,
            name=f"evaluation {person}",
        )
        return self._measured(portrait, person) if self._wants_response else portrait

    @property
    def _wants_response(self) -> bool:
        return self.settings.method == CALIBRATED

    def _measured(self, portrait: Portrait, person: int) -> Portrait:
        """The portrait with the answer of its own face, as `photorig fit` and `sample` give it."""
        task = Task(RESPONSE, person)
        cached = self.store.read(task)
        bundle_id = self.renderer.bundle.id
        if cached is None:
            generator, bundle = self.renderer.generator, self.renderer.bundle
            response = measure_response(portrait, bundle, generator, self.net3d)
            cached = {name: getattr(response, name) for name in RESPONSE_ARRAYS}
            self.store.write(task, cached)
        arrays = {name: cached[name] for name in RESPONSE_ARRAYS}
        return replace(portrait, response=PortraitResponse(bundle_id=bundle_id, **arrays))

    def frame(
        self,
        portrait: Portrait,
        parameters: np.ndarray,
        mode: str,
        size: FrameSize | None = None,
    ) -> np.ndarray:
        """The frame of a parameter vector (n,), through the renderer that everybody uses.

        Judges speak as Net3D reads, so what is asked here are readings.
        """
        request = self.request(portrait, parameters, mode, size or self.settings.size)
        return self.renderer.render(portrait, request)

    def generated(
        self, portrait: Portrait, parameters: np.ndarray, mode: str, size: int
    ) -> np.ndarray:
        """The generator's own picture (size, size, 3), before background and motion are put in."""
        request = self.request(portrait, parameters, mode, size)
        shift = self.renderer.parameter_shift(portrait, request)
        drive = self._method.drive(portrait, Target(shift))
        return drive.drawn(self.renderer.generator, size)

    def shift_length(self, portrait: Portrait, parameters: np.ndarray, mode: str) -> float:
        """Length of the latent shift in standard deviations of w, whatever the method."""
        request = self.request(portrait, parameters, mode, self.settings.size)
        shift = self.renderer.parameter_shift(portrait, request)
        change = self._method.drive(portrait, Target(shift)).latents - portrait.latents
        motion = self._motion_of @ change[: self._n_rows].ravel().astype(np.float64)
        return float(np.sqrt(max(motion @ self.renderer.bundle.shift_gram @ motion, 0.0)))

    @property
    def _n_rows(self) -> int:
        return self.renderer.bundle.directions.shape[1]

    @cached_property
    def _motion_of(self) -> np.ndarray:
        """(n, n_rows · w_dim): the motion that a change of the latents is made of."""
        directions = self.renderer.bundle.directions.astype(np.float64)
        return np.linalg.pinv(directions.reshape(len(directions), -1).T)

    def person_mask(self, image: np.ndarray) -> np.ndarray:
        """(h, w) bool, head and shoulders of a picture with a margin."""
        return widened(self._matte.person(image), image.shape[:2])

    def request(
        self, portrait: Portrait, parameters: np.ndarray, mode: str, size: FrameSize
    ) -> FrameRequest:
        """The request for readings (n,), in absolute mode or as a change of the photo's."""
        amounts = amounts_of(parameters, self.schema.ids)
        if mode == "relative":
            changed = amounts_of(portrait.parameters + parameters, self.schema.ids)
            curved = np.array([has_curve(name) for name in self.schema.ids])
            amounts = np.where(curved, changed - portrait.shown, parameters)
        return FrameRequest(
            portrait=portrait.id,
            parameters=np.asarray(amounts, np.float32),
            size=size,
            mode=mode,
            method=self.settings.method,
        )

    def read(self, image: np.ndarray) -> tuple[Reading | None, ...]:
        """What each family reads off a frame."""
        return tuple(family.read(image) for family in self.families)


def open_context(settings: Settings, folder: Path, threads: int = 1) -> EvaluationContext:
    """Everything loaded, to run on so many threads, with the cached results below a folder.

    Raises:
        ModelError or InputError: the bundle, the generator or a judge cannot be had.
    """
    import torch

    from photorig.worker.generators import load_network
    from photorig.worker.generators.people import EVALUATION, person_latents
    from photorig.worker.reenactment.bundle import generator_of

    os.environ[THREADS_VARIABLE] = str(threads)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    renderer = load_renderer(settings.device, settings.bundle)
    network = load_network(generator_of(settings.bundle))
    net3d = Net3D()

    def latents_of(person: int) -> np.ndarray:
        return person_latents(network, person, settings.seed, EVALUATION).numpy()

    families = load_families(net3d, renderer.schema, renderer.generator.name)
    return EvaluationContext(settings, renderer, net3d, families, PersonMatte(), latents_of, folder)


def load_families(net3d: Net3D, schema: ParameterSchema, generator: str) -> tuple[Family, ...]:
    """The families whose figures are shown, the one that goals are judged by first.

    Args:
        generator: whose faces they read; its name.

    Raises:
        ModelError: dlib is not installed, or the weights of a judge cannot be had.
    """
    from ..estimators.judge import Judge
    from ..estimators.person import N_IDENTITY, RACES

    judges = JudgeFamily(Judge(generator=generator), schema, N_IDENTITY, len(RACES))
    return judges, Net3DFamily(net3d, schema)
