"""What a measuring process holds: the renderer, the people and the families that look at frames."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import cv2
import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.messages import FrameRequest
from photorig.shared.schema import ParameterSchema
from photorig.worker.faces.net3d import Net3D
from photorig.worker.generators.threads import THREADS_VARIABLE
from photorig.worker.portraits.matte import Matte, PersonMatte
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.methods import load_method
from photorig.worker.reenactment.renderer import FaceRenderer, load_renderer

from .background import widened
from .families import Family, Net3DFamily, Reading

VERSION = 1
"""Counts changes of what is measured and how, so that older pieces are not taken for new ones."""

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


class Studio:
    """Renders people of the evaluation group and lets the families look at them."""

    def __init__(
        self,
        settings: Settings,
        renderer: FaceRenderer,
        net3d: Net3D,
        families: tuple[Family, ...],
        matte: Matte,
        latents_of: Callable[[int], np.ndarray],
        photo_size: int = PHOTO_SIZE,
    ) -> None:
        """latents_of: (16, 512) latents by index of the person. photo_size: of the portraits."""
        self.settings, self.renderer, self.net3d = settings, renderer, net3d
        self.families, self._matte = families, matte
        self._method = load_method(settings.method, renderer.bundle)
        self.latents_of, self.photo_size = latents_of, photo_size
        self.portrait = lru_cache(maxsize=4)(self._portrait)

    @property
    def schema(self) -> ParameterSchema:
        return self.renderer.schema

    @cached_property
    def key(self) -> str:
        """All that a measured piece depends on besides its task."""
        names = ",".join(family.name for family in self.families)
        settings = f"{self.settings.method}|{self.settings.size}|{self.settings.seed}"
        return f"{VERSION}|{self.renderer.model_id}|{self.schema.hash}|{settings}|{names}"

    def _portrait(self, person: int) -> Portrait | None:
        """The person as a portrait; None where Net3D finds no face."""
        latents = self.latents_of(person)
        photo = self.renderer.generator.synthesize(latents[None], self.photo_size)[0]
        try:
            measurement = self.net3d.analyze_one(photo)
        except InputError:
            return None
        return Portrait(
            latents=np.ascontiguousarray(latents, np.float32),
            parameters=measurement.parameters,
            photo=photo,
            alignment=Portrait.aligned_photo(self.photo_size),
            model_id=self.renderer.generator.model_id,
            schema_hash=self.schema.hash,
            name=f"evaluation {person}",
        )

    def frame(
        self,
        portrait: Portrait,
        parameters: np.ndarray,
        mode: str,
        size: FrameSize | None = None,
    ) -> np.ndarray:
        """The frame of a parameter vector (n,), through the renderer that everybody uses."""
        request = self._request(portrait, parameters, mode, size or self.settings.size)
        return self.renderer.render(portrait, request)

    def generated(
        self, portrait: Portrait, parameters: np.ndarray, mode: str, size: int
    ) -> np.ndarray:
        """The generator's own picture (size, size, 3), before background and motion are put in."""
        request = self._request(portrait, parameters, mode, size)
        shift = self.renderer.parameter_shift(portrait, request)
        latents = self._method.drive(portrait, shift)
        return self.renderer.generator.synthesize(latents[None], size)[0]

    def shift_length(self, portrait: Portrait, parameters: np.ndarray, mode: str) -> float:
        """Length of the latent shift in standard deviations of w: √(mᵀ G m)."""
        bundle = self.renderer.bundle
        request = self._request(portrait, parameters, mode, self.settings.size)
        shift = self.renderer.parameter_shift(portrait, request)
        motion = bundle.bearable(bundle.motion(portrait.parameters, shift)).astype(np.float64)
        return float(np.sqrt(max(motion @ bundle.shift_gram @ motion, 0.0)))

    def person_mask(self, image: np.ndarray) -> np.ndarray:
        """(h, w) bool, head and shoulders of a picture with a margin."""
        return widened(self._matte.person(image))

    def _request(
        self, portrait: Portrait, parameters: np.ndarray, mode: str, size: FrameSize
    ) -> FrameRequest:
        return FrameRequest(
            portrait=portrait.id,
            parameters=parameters,
            size=size,
            mode=mode,
            method=self.settings.method,
        )

    def read(self, image: np.ndarray) -> tuple[Reading | None, ...]:
        """What each family reads off a frame."""
        return tuple(family.read(image) for family in self.families)


def open_studio(settings: Settings, threads: int = 1) -> Studio:
    """Everything loaded, to run on so many threads. Raises ModelError or InputError."""
    import torch

    from photorig.worker.generators.mobile_stylegan import load_mobile_stylegan
    from photorig.worker.training.directions.people import EVALUATION, person_latents

    os.environ[THREADS_VARIABLE] = str(threads)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    renderer = load_renderer(settings.device, settings.bundle)
    network = load_mobile_stylegan()
    net3d = Net3D()

    def latents_of(person: int) -> np.ndarray:
        return person_latents(network, person, settings.seed, EVALUATION).numpy()

    families = load_families(net3d, renderer.schema)
    return Studio(settings, renderer, net3d, families, PersonMatte(), latents_of)


def load_families(net3d: Net3D, schema: ParameterSchema) -> tuple[Family, ...]:
    """The families whose figures are shown, the one that the bars are judged by first."""
    return (Net3DFamily(net3d, schema),)
