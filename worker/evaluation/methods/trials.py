"""What is driven by what: generated people by themselves and by others, and real footage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.parameters.arkit_amounts import amounts_of
from photorig.shared.parameters.file import differences
from photorig.worker.faces.net3d import Net3D
from photorig.worker.fitting.driving_footage import DrivingFootage, encoded
from photorig.worker.fitting.encoder import FirstGuess
from photorig.worker.generators.people import EVALUATION, person_seed
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.known_faces import KnownFaces
from photorig.worker.reenactment.random_motion import random_motion
from photorig.worker.reenactment.renderer import FaceRenderer
from photorig.worker.reenactment.target import PICTURE_SIDE, DrivingPictures, FacePicture

FRAMES = 3
"""Moved frames of each generated person."""
SELF, CROSS, REAL = "self", "cross", "real"


@dataclass(frozen=True, eq=False)
class Trial:
    """One frame to be made.

    Attributes:
        kind: SELF, CROSS or REAL.
        source: who is driven.
        shift: (n,) Δp since the driver's rest, in amounts.
        pictures: the driver's frame and its rest, relative to each other.
    """

    kind: str
    source: Portrait
    shift: np.ndarray
    pictures: DrivingPictures

    @property
    def driver(self) -> np.ndarray:
        """(256, 256, 3) uint8 aligned."""
        return self.pictures.picture.crop

    @property
    def driver_at_rest(self) -> np.ndarray:
        assert self.pictures.rest is not None
        return self.pictures.rest.crop


class Cast:
    """Makes people and the trials between them.

    Args:
        faces: measures what sources' faces do.
    """

    def __init__(
        self, renderer: FaceRenderer, faces: KnownFaces, net3d: Net3D, encoder: FirstGuess
    ) -> None:
        self._renderer, self._faces, self._net3d, self._encoder = renderer, faces, net3d, encoder

    def generated(self, count: int, seed: int) -> Iterator[Trial]:
        """Of people of the evaluation group: each by its own frames, and by those of the next."""
        people = [self._person(index, seed) for index in range(count)]
        for number, (source, own) in enumerate(people):
            other = people[(number + 1) % count][1]
            for kind, frames in ((SELF, own), (CROSS, other)):
                for shift, pictures in frames:
                    yield Trial(kind, source, shift, pictures)

    def _person(
        self, index: int, seed: int
    ) -> tuple[Portrait, list[tuple[np.ndarray, DrivingPictures]]]:
        generator, bundle = self._renderer.generator, self._renderer.bundle
        random = np.random.default_rng(person_seed(index, seed, EVALUATION))
        z = random.standard_normal((1, generator.z_dim)).astype(np.float32)
        latents = generator.expand(generator.map(z, 0.75))[0]
        rest = generator.synthesize(latents[None], PICTURE_SIDE)[0]
        read = self._net3d.analyze_one(rest).parameters
        source = Portrait(
            latents=latents,
            parameters=read,
            photo=rest,
            alignment=Alignment.upright(PICTURE_SIDE),
            model_id=generator.model_id,
            name=f"person {index}",
        )
        frames: list[tuple[np.ndarray, DrivingPictures]] = []
        at_rest = self._picture(rest)
        while len(frames) < FRAMES:
            motion = random_motion(bundle, random)
            moved = generator.synthesize(bundle.shifted(latents, motion)[None], PICTURE_SIDE)[0]
            try:
                seen = self._net3d.analyze_one(moved).parameters
            except InputError:
                continue
            shift = amounts_of(seen) - amounts_of(read)
            frames.append((shift, DrivingPictures(self._picture(moved), at_rest)))
        return self._faces.known(source), frames

    def real(self, source: Path, driver: Path, count: int) -> Iterator[Trial]:
        """A portrait by frames of a film, evenly spread."""
        portrait = self._faces.known(Portrait.load(source))
        footage = DrivingFootage.measured(driver, self._net3d)
        frames = {frame.frame: frame for frame in differences(footage.frames)}
        numbers = sorted(frames)
        wanted = {numbers[int(i)] for i in np.linspace(0, len(numbers) - 1, count + 1)[1:]}
        first: FacePicture | None = None
        for number, picture in enumerate(footage.pictures(self._encoder), start=1):
            first = first or picture
            if number in wanted:
                shift = self._renderer.schema.vector(frames[number].values)
                yield Trial(REAL, portrait, shift, DrivingPictures(picture, first))

    def _picture(self, crop: np.ndarray) -> FacePicture:
        return FacePicture(lambda: crop, lambda: encoded(self._encoder, crop))
