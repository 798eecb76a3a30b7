"""What measuring on real photos and videos holds: renderer, judges, matte."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from photorig.shared.parameters.schema import ParameterSchema
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.faces.net3d import Net3D
from photorig.worker.faces.segmentation import Matte, PersonMatte
from photorig.worker.generators.tuned_generators import TunedGenerators
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.known_faces import default_folder
from photorig.worker.reenactment.renderer import FaceRenderer, load_renderer
from photorig.worker.threads import THREADS_VARIABLE

from ..estimators.families import Family, Reading
from ..metrics.background import widened
from ..protocols.context import FrameSize, load_families
from .image_metrics import PerceptualDistance

WINDOW = 1.3  # side of what a tile shows, in sides of the aligned square


@dataclass(frozen=True, eq=False)
class EvaluationTools:
    """Renders portraits as everybody does and lets the families look at the frames.

    Attributes:
        families: the judges first, then what training looked through.
        method: of the frame requests.
    """

    renderer: FaceRenderer
    net3d: Net3D
    families: tuple[Family, ...]
    matte: Matte
    perceptual: PerceptualDistance
    method: str = "regional"

    @cached_property
    def generators(self) -> TunedGenerators:
        """The common generator, or that tuned to a portrait's person."""
        return TunedGenerators(self.renderer.generator)

    @property
    def schema(self) -> ParameterSchema:
        return self.renderer.schema

    def frame(
        self, portrait: Portrait, parameters: np.ndarray, mode: str, size: FrameSize = "full"
    ) -> np.ndarray:
        """The frame of a parameter vector (n,), through the renderer that everybody uses."""
        request = FrameRequest(portrait.id, parameters, size, mode, self.method)
        return self.renderer.render(portrait, request)

    def inversion(self, portrait: Portrait, size: int) -> np.ndarray:
        """What the portrait's generator alone makes of it at rest, (size, size, 3) uint8."""
        return self.generators.of(portrait.tuning).synthesize(portrait.latents[None], size)[0]

    def generator_size(self, portrait: Portrait) -> int:
        """The smallest size of the generator that holds all pixels the face has in the photo."""
        sizes = self.renderer.generator.sizes
        enough = [size for size in sizes if size >= portrait.alignment.side - 0.5]
        return min(enough, default=max(sizes))

    def read(self, image: np.ndarray) -> tuple[Reading | None, ...]:
        """What each family reads off a picture; None where it sees no face."""
        return tuple(family.read(image) for family in self.families)

    def person_mask(self, image: np.ndarray) -> np.ndarray:
        """(h, w) bool, head and shoulders of a picture with a margin."""
        return widened(self.matte.person(image), image.shape[:2])


def open_tools(bundle: str, device: str, method: str, threads: int = 1) -> EvaluationTools:
    """Everything loaded, to run on so many threads.

    Raises:
        ModelError or InputError: the bundle, the generator or a judge cannot be had.
    """
    import torch

    os.environ.setdefault(THREADS_VARIABLE, str(threads))
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    renderer = load_renderer(device, bundle, default_folder())
    net3d = Net3D()
    families = load_families(net3d, renderer.schema, renderer.generator.name)
    return EvaluationTools(renderer, net3d, families, PersonMatte(), PerceptualDistance(), method)


def head_tile(image: np.ndarray, alignment: Alignment, side: int) -> np.ndarray:
    """(side, side, 3): the head and some space around it, out of a whole photo or frame."""
    return alignment.widened(1, (WINDOW - 1) / 2).crop(image, side)


def crop_tile(crop: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 3): an aligned crop as large as `head_tile` shows it, white around it."""
    inner = round(side / WINDOW)
    before = (side - inner) // 2
    tile = np.full((side, side, 3), 255, np.uint8)
    small = cv2.resize(crop, (inner, inner), interpolation=cv2.INTER_AREA)
    tile[before : before + inner, before : before + inner] = small
    return tile
