"""The one way from parameters to pixels, used by preview, render, command line and farm alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import ParameterSchema
from photorig.shared.wire.messages import FrameRequest
from photorig.shared.wire.method_offers import told_methods
from photorig.worker import rasters
from photorig.worker.compositing.canvas import Size
from photorig.worker.compositing.compositor import PortraitStage, RestCrop
from photorig.worker.compositing.face_move import FaceMove
from photorig.worker.compositing.head_motion import HeadMotion, split_shift, with_lead_of_face
from photorig.worker.compositing.memory import check_memory, frames_in_memory
from photorig.worker.compositing.weave import without_weave
from photorig.worker.generators import Generator, load_generator
from photorig.worker.generators.code import drawn_together
from photorig.worker.generators.interface import DeviceGenerator
from photorig.worker.generators.tuned_generators import TunedGenerators
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.rasters import Raster
from photorig.worker.registry import fetching
from photorig.worker.threads import lane_count

from .bundle import ModelBundle, generator_of, load_bundle
from .known_faces import KnownFaces, measure_on
from .method import Method
from .methods import load_method, method_entry, methods, weights_id
from .reach import told_responses
from .regional import pixels_id
from .regional_controls import RegionalShifts
from .target import PICTURE_SIDE, Drive, DrivingPictures, FacePicture, Target

BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")
_MOST_SHUT = 0.7
"""Part of a blink beyond which a photo does not tell how far its eyes would open."""


@dataclass(frozen=True, eq=False)
class FramePasses:
    """A frame and what it is made of.

    Attributes:
        combined: (h, w, 3) uint8 sRGB, the frame.
        face: (s, s, 3) uint8 sRGB, the driven face in the aligned square, before its background is
            taken away, its head moved in the picture and all of it put back.
        matte: (h, w) uint8, how much of each pixel of the frame is the person.
    """

    combined: np.ndarray
    face: np.ndarray
    matte: np.ndarray


@dataclass(frozen=True, eq=False)
class _Driven:
    """A frame and how it came about.

    Attributes:
        crop: the generator's picture brought to the mesh, where it was drawn; None where none was
            needed.
        motion: how the head moves in the picture.
        rest: gives the generator's picture at rest.
        move: where the face's mesh went, if that is known.
        complete: see `Drive`.
    """

    frame: np.ndarray
    crop: Raster | None
    motion: HeadMotion
    rest: RestCrop
    move: FaceMove | None
    complete: float = 0.0


@dataclass(frozen=True, eq=False)
class _Plan:
    """What a frame is to be made of.

    Attributes:
        size: of the generator's picture.
        is_rest: whether the frame is the photo.
    """

    portrait: Portrait
    request: FrameRequest
    drive: Drive
    motion: HeadMotion
    generator: Generator
    size: int
    is_rest: bool

    def rest(self) -> np.ndarray:
        """The generator's picture at rest (size, size, 3) uint8."""
        return without_weave(
            self.drive.at_rest(self.portrait.latents).drawn(self.generator, self.size)
        )


class FaceRenderer:
    """Renders frames of portraits with one bundle on one generator.

    A frame is a pure function of (portrait, parameters, size, bundle): noise and mean latent are
    fixed and nothing is remembered between frames.

    Args:
        faces: measures portraits of an earlier version when they are first used; without, they are
            driven as they are.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        generator: Generator,
        stage: PortraitStage | None = None,
        faces: KnownFaces | None = None,
    ) -> None:
        if bundle.model_id != generator.model_id:
            raise InputError(
                f"The bundle {bundle.name!r} was trained for another generator",
                "Train a direction matrix for this generator with 'photorig train directions'.",
            )
        self.bundle = bundle
        self.generator = generator
        self._generators = TunedGenerators(generator)
        self._stage = stage or PortraitStage()
        self._methods: dict[str, Method] = {}
        self._faces = faces

    @cached_property
    def _regional_id(self) -> str:
        return pixels_id(RegionalShifts(self.bundle))

    @cached_property
    def _weights_id(self) -> str:
        return weights_id(self.generator.name)

    @property
    def schema(self) -> ParameterSchema:
        return self.bundle.schema

    @property
    def model_id(self) -> str:
        """Changes whenever the same request would give other pixels."""
        parts = self._regional_id + self.generator.pixels_id + self._stage.id + self._weights_id
        pixels = hashlib.sha256(parts.encode()).hexdigest()
        return f"{pixels[:32]}-{self.generator.backend}"

    @property
    def doing(self) -> str:
        """What keeps a frame waiting, for a person; "" where nothing does."""
        return fetching() or ("" if self._faces is None else self._faces.doing)

    def describe(self) -> dict[str, object]:
        """What the client shows about this renderer; JSON-able."""
        return {
            "bundle": self.bundle.name,
            "bundle_id": self.bundle.id,
            "model_id": self.model_id,
            "backend": self.generator.backend,
            "device": self.generator.device,
            "sizes": list(self.generator.sizes),
            "responses": told_responses(self.bundle),
            "methods": told_methods([entry.offer for entry in methods().values()]),
        }

    def render(
        self, portrait: Portrait, request: FrameRequest, pictures: DrivingPictures | None = None
    ) -> np.ndarray:
        """One frame.

        Args:
            portrait: must belong to this generator.
            request: ``request.portrait`` is not read, it only names the portrait.
            pictures: that show what the parameters say, for methods that are driven by pictures.

        Returns:
            (height, width, 3) uint8 sRGB: the aligned crop at ``request.size``, or the whole photo
            with the face put back for ``"full"``.

        Raises:
            InputError: a portrait of another model, a wrong size, method or parameter vector.
        """
        return self._render(portrait, request, pictures).frame

    def render_several(
        self,
        portrait: Portrait,
        requests: Sequence[FrameRequest],
        pictures: Sequence[DrivingPictures | None],
    ) -> list[np.ndarray]:
        """Frames of one size of one portrait, each the same bytes as of `render`; the generator
        draws them in one call where its device makes several at once."""
        asked = zip(requests, pictures, strict=True)
        plans = [self._planned(portrait, request, picture) for request, picture in asked]
        driven = [plan for plan in plans if not plan.is_rest]
        drawn = iter(self._drawn(driven))
        return [
            self._composited(plan, None if plan.is_rest else next(drawn)).frame for plan in plans
        ]

    @property
    def frames_in_a_call(self) -> int:
        """How many frames `render_several` gets from one call of the generator."""
        generator = self.generator
        return generator.at_once if isinstance(generator, DeviceGenerator) else 1

    @property
    def most_frames_at_once(self) -> int:
        """How many frames of a sequence to render at once where there is memory for them, see
        `threads.in_lanes`: on a processor as many as it has cores."""
        return lane_count() if self.generator.device == "cpu" else 1

    def frames_at_once(self, portrait: Portrait, size: Size) -> int:
        """The same for this portrait, as far as there is memory now."""
        lanes = self.most_frames_at_once
        return lanes if size != "full" else min(lanes, frames_in_memory(portrait))

    def is_soon_ready(self, portrait: Portrait) -> bool:
        """Whether it can be driven here, and its face need not be measured first."""
        is_ours = portrait.model_id == self.generator.model_id
        return is_ours and (self._faces is None or not self._faces.needs_measuring(portrait))

    def passes(self, portrait: Portrait, request: FrameRequest) -> FramePasses:
        """One frame and what it is made of, for compositing; arguments and errors of `render`."""
        portrait = portrait.in_schema(self.schema)
        driven = self._render(portrait, request)
        if request.size == "full":  # its matte is made of a face at rest, too
            check_memory(portrait)
        portrait = self._known(portrait, request)
        crop = driven.rest() if driven.crop is None else rasters.finished(driven.crop)
        rest, move, complete = driven.rest, driven.move, driven.complete
        matte = self._stage.matte(portrait, request.size, crop, driven.motion, rest, move, complete)
        face = self._stage.face(portrait, crop, rest, move, complete)
        return FramePasses(driven.frame, face, np.rint(255 * matte).astype(np.uint8))

    def _render(
        self, portrait: Portrait, request: FrameRequest, pictures: DrivingPictures | None = None
    ) -> _Driven:
        plan = self._planned(portrait, request, pictures)
        return self._composited(plan, None if plan.is_rest else self._drawn([plan])[0])

    def _drawn(self, plans: Sequence[_Plan]) -> list[Raster]:
        """The generator's pictures of frames of one portrait and size, where the stage is."""
        if not plans:
            return []
        codes, first = [plan.drive for plan in plans], plans[0]
        return drawn_together(codes, first.generator, first.size, self._stage.takes_tensors)

    def _planned(
        self, portrait: Portrait, request: FrameRequest, pictures: DrivingPictures | None
    ) -> _Plan:
        self._check(portrait, request)
        portrait = self._known(portrait.in_schema(self.schema), request)
        motion, shift = self._motion_and_shift(portrait, request)
        size, generator = self._crop_size(portrait, request), self._generators.of(portrait.tuning)
        target = _target(portrait, shift, pictures)
        drive = self._method(request.method).drive(portrait, target)
        is_rest = motion.is_rest and not shift.any() and pictures is None
        if request.size == "full" and not is_rest:
            check_memory(portrait)
        return _Plan(portrait, request, drive, motion, generator, size, is_rest)

    def _composited(self, plan: _Plan, crop: Raster | None) -> _Driven:
        """The frame of what the generator has drawn; None is the photo."""
        portrait, size, motion, move = (
            plan.portrait,
            plan.request.size,
            plan.motion,
            plan.drive.move,
        )
        if crop is None:
            frame = self._stage.rest_frame(portrait, size)
            return _Driven(frame, None, motion, plan.rest, None)
        crop = without_weave(crop)
        motion = replace(motion, roll=motion.roll - plan.drive.tilt)
        if move is not None:
            move = replace(move, tilt=plan.drive.tilt)
            crop = move.applied(crop)
        complete = plan.drive.complete
        frame = self._stage.frame(portrait, size, crop, motion, plan.rest, move, complete)
        return _Driven(frame, crop, motion, plan.rest, move, complete)

    def parameter_shift(self, portrait: Portrait, request: FrameRequest) -> np.ndarray:
        """Δp (n,) float32 that drives the latents, within the trained range: p_t − p_rest if
        relative, else p_t − p_s, without what the picture's geometry realises."""
        portrait = portrait.in_schema(self.schema)
        return self._motion_and_shift(self._known(portrait, request), request)[1]

    def _motion_and_shift(
        self, portrait: Portrait, request: FrameRequest
    ) -> tuple[HeadMotion, np.ndarray]:
        """Head motion in the picture, and the shift (n,) that is left to the generator."""
        asked = self.asked_shift(portrait, request)
        held = self.bundle.within_range(portrait, asked)
        motion, shift = split_shift(self.schema, portrait.parameters, asked, held)
        # A roll gives part of yaw to pitch and the other way round, perhaps beyond their ranges.
        shift = self.bundle.within_range(portrait, shift)
        if method_entry(request.method).needs_geometry and portrait.geometry is not None:
            shift = self._lids_shut(portrait, request, shift)
        return with_lead_of_face(self.schema, portrait.parameters, shift, motion), shift

    def asked_shift(self, portrait: Portrait, request: FrameRequest) -> np.ndarray:
        """Δp (n,) float32 as asked for, before it is clamped to the trained range."""
        portrait = portrait.in_schema(self.schema)
        if request.mode == "absolute":
            return (request.parameters - portrait.shown).astype(np.float32)
        shift = request.parameters - self.schema.rest
        if request.neutral:
            own = np.where(self.bundle.is_coefficient, portrait.shown, 0)
            shift = shift - np.float32(request.neutral) * own
        return shift.astype(np.float32)

    def _lids_shut(
        self, portrait: Portrait, request: FrameRequest, shift: np.ndarray
    ) -> np.ndarray:
        """Δp (n,) with blinks as parts of what the photo's own lids have left to close, where its
        expression is taken away: shut is shut, however far they are open in the photo."""
        taken = 1.0 if request.mode == "absolute" else request.neutral
        result = shift.copy()
        for name in BLINKS:
            position = self.schema.index.get(name)
            if position is not None:
                own = min(float(portrait.shown[position]), _MOST_SHUT)
                result[position] /= 1 - taken * own
        return result

    def _known(self, portrait: Portrait, request: FrameRequest) -> Portrait:
        """The portrait with what the method needs to know of its face; at rest it is the photo."""
        is_driven = bool(self.asked_shift(portrait, request).any())
        needs = method_entry(request.method).needs_geometry and is_driven
        return self._faces.known(portrait) if self._faces is not None and needs else portrait

    def _method(self, name: str) -> Method:
        if name not in self._methods:
            self._methods[name] = load_method(name, self.bundle, self.generator)
        return self._methods[name]

    def _crop_size(self, portrait: Portrait, request: FrameRequest) -> int:
        if request.size != "full":
            return request.size
        # As many pixels as the face has in the photo, rounded up to what the generator makes.
        pixels = portrait.alignment.side
        fitting = [size for size in self.generator.sizes if size >= pixels - 0.5]
        return min(fitting, default=max(self.generator.sizes))

    def _check(self, portrait: Portrait, request: FrameRequest) -> None:
        self.schema.check(request.parameters)
        self.check_portrait(portrait)
        if request.size != "full" and request.size not in self.generator.sizes:
            sizes = ", ".join(map(str, self.generator.sizes))
            raise InputError(f"Cannot render at size {request.size}", f"Use {sizes} or full.")
        if request.mode not in ("relative", "absolute"):
            raise InputError(f"There is no mode {request.mode!r}", "Use relative or absolute.")

    def check_portrait(self, portrait: Portrait) -> None:
        """Raise InputError unless this renderer can drive it."""
        if portrait.model_id != self.generator.model_id:
            raise InputError(
                f"The portrait {portrait.name!r} was made with another generator",
                "Fit the photo again with this worker.",
            )


def _target(portrait: Portrait, shift: np.ndarray, pictures: DrivingPictures | None) -> Target:
    """Without a picture for it, the portrait at rest is what its own photo shows."""
    if pictures is None:
        return Target(shift)
    own = FacePicture(lambda: _own_crop(portrait), lambda: portrait.latents)
    return Target(shift, pictures.picture, pictures.rest or own, pictures.strength)


def _own_crop(portrait: Portrait) -> np.ndarray:
    """(256, 256, 3) uint8 of the photo."""
    return portrait.alignment.crop(portrait.photo, PICTURE_SIDE)


def load_renderer(
    device: str = "auto", bundle: str = "default", faces_folder: Path | None = None
) -> FaceRenderer:
    """The renderer that every command and the server use. Raises ModelError or InputError.

    Args:
        device: auto, cpu, cuda or mps.
        bundle: name of a bundle, or path of a direction matrix file.
        faces_folder: where `KnownFaces` keeps what it measures; None drives portraits as they are.
    """
    model, generator = load_bundle(bundle), load_generator(device, name=generator_of(bundle))
    faces = None
    if faces_folder is not None:
        faces = KnownFaces(model, measure_on(model, generator), faces_folder)
    return FaceRenderer(model, generator, _stage_beside(generator), faces)


def _stage_beside(generator: Generator) -> PortraitStage:
    """On CUDA the stage is where the generator is; Apple's GPUs lack what it does with pictures."""
    if not isinstance(generator, DeviceGenerator) or generator.torch_device.type != "cuda":
        return PortraitStage()
    from photorig.worker.compositing.device_compositor import DeviceStage

    return DeviceStage(generator.torch_device)
