"""Method ``stylespace``: a face in 35 numbers.

Oorloff and Yacoob, "Encode-in-Style: Latent-based Video Encoding using StyleGAN2", 2023: yaw, pitch
and roll of the head, and how far the factors of StyleSpace are moved along each of 32 directions,
chosen by how locally they move the face (``photorig train stylespace``). ``photorig encode`` takes
them for a start, learns what the face of one recording moves along (fitting/take_learning.py), and
finds the numbers of its frames by optimisation (fitting/face_numbers.py). What a picture alone
shows is read off its landmarks: the channels' measured moves, combined so that they come nearest
(ridge regression).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file

from photorig.shared.errors import ModelError
from photorig.worker.faces.landmarker import FaceLandmarker, load_landmarker
from photorig.worker.generators import DEFAULT, Generator
from photorig.worker.generators.style_space import StyleOffsets
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.registry import card

from .bundle import ModelBundle
from .calibrated import Calibrated
from .face_points import face_points
from .method import MethodEntry, weights_for
from .target import Drive, FacePicture, Target

MODEL = "stylespace"
WEIGHTS_FILE = "stylespace.safetensors"
N_CHANNELS = 32
_RIDGE = 0.05
_LONGEST = 2.5
"""Full moves."""
_COMPLETE = 0.2
"""Length of a frame's numbers from which on it shows nothing of the photo, as far as its face was
learned of a recording."""


@dataclass(frozen=True, eq=False)
class Channels:
    """What a face is encoded in.

    Attributes:
        offsets: (32, n) float32 of the factors for a full move of each.
        moves: (32, 478, 3) float32 where a full move takes a face, see `face_points`.
    """

    offsets: np.ndarray
    moves: np.ndarray

    def moved(self, amounts: np.ndarray) -> StyleOffsets:
        """Amounts (32,) of full moves as offsets of all factors."""
        held = np.clip(amounts, -_LONGEST, _LONGEST).astype(np.float32)
        # A fixed order of summation keeps the bytes of a frame the same on every call.
        return StyleOffsets(np.einsum("k,kn->n", held, self.offsets, optimize=False))

    def amounts(self, move: np.ndarray) -> np.ndarray:
        """(32,) float32 by which the face's points come nearest to a move (478, 3)."""
        return np.asarray(self._solution @ move.ravel(), np.float32)

    @cached_property
    def _solution(self) -> np.ndarray:
        columns = self.moves.reshape(N_CHANNELS, -1).astype(np.float64)
        gram = columns @ columns.T
        ridge = _RIDGE * np.diag(gram).mean() * np.eye(N_CHANNELS)
        return np.asarray(np.linalg.solve(gram + ridge, columns))


@dataclass(frozen=True, eq=False)
class FaceNumbers:
    """What a frame is encoded in, beside the roll of the head.

    Attributes:
        turn: (2,) motion of headYaw and headPitch.
        amounts: (32,) full moves of the channels.
    """

    turn: np.ndarray
    amounts: np.ndarray


@dataclass(frozen=True, eq=False)
class LearnedDirections:
    """What the face of one recording moves along.

    Attributes:
        offsets: (34, n) float16 of the factors for 1 of each number: what yaw and pitch do beside
            the direction matrix's rows, then the amounts.
    """

    offsets: np.ndarray

    def moved(self, turn: np.ndarray, amounts: np.ndarray) -> StyleOffsets:
        """Motion (2,) of headYaw and headPitch and amounts (32,) as offsets of all factors."""
        numbers = np.concatenate([turn, np.clip(amounts, -_LONGEST, _LONGEST)]).astype(np.float32)
        wide = self.offsets.astype(np.float32)
        return StyleOffsets(np.einsum("k,kn->n", numbers, wide, optimize=False))


class EncodedFace(FacePicture):
    """A face of which its numbers are known, and no picture is needed.

    Args:
        directions: that the numbers belong to, together with the portrait of the recording; None:
            the channels that come with Photorig.
    """

    def __init__(self, numbers: FaceNumbers, directions: LearnedDirections | None = None) -> None:
        super().__init__(_no_picture, _no_picture)
        self.numbers, self.directions = numbers, directions


def _no_picture() -> np.ndarray:
    raise ModelError("An encoded face has no picture", "Use the method 'stylespace'.")


class StyleSpace:
    """w_s + A·turn, and the factors moved along 32 directions."""

    def __init__(
        self,
        channels: Channels,
        bundle: ModelBundle,
        landmarker: FaceLandmarker,
    ) -> None:
        self._channels, self._bundle, self._landmarker = channels, bundle, landmarker
        self._calibrated = Calibrated(bundle)
        self._points: WeakKeyDictionary[FacePicture, np.ndarray | None] = WeakKeyDictionary()

    def drive(self, portrait: Portrait, target: Target) -> Drive:
        assert target.picture is not None and target.rest is not None
        if isinstance(target.picture, EncodedFace):
            return self._decoded(portrait, target.picture)
        turning = np.where(self._bundle.is_coefficient, np.float32(0), target.shift)
        turned = self._calibrated.drive(portrait, Target(turning))
        shown, at_rest = self._shown(target.picture), self._shown(target.rest)
        if shown is None or at_rest is None:
            return turned
        amounts = target.strength * self._channels.amounts(shown - at_rest)
        offsets = self._channels.moved(amounts)
        return Drive(turned.latents, offsets, tilt=turned.tilt)

    def _decoded(self, portrait: Portrait, face: EncodedFace) -> Drive:
        numbers, angles = face.numbers, list(self._bundle.head_angles)
        motion = np.zeros(len(self._bundle.schema), np.float32)
        motion[angles] = numbers.turn
        motion = self._bundle.clamped_motion(motion)
        latents = self._bundle.shifted(portrait.latents, motion)
        if face.directions is not None:
            offsets = face.directions.moved(motion[angles], numbers.amounts)
            moved = float(np.hypot(np.linalg.norm(motion[angles]), np.linalg.norm(numbers.amounts)))
            return Drive(latents, offsets, complete=min(1.0, moved / _COMPLETE))
        return Drive(latents, self._channels.moved(numbers.amounts))

    def _shown(self, picture: FacePicture) -> np.ndarray | None:
        """(478, 3) points of the face in a picture; None where none is found."""
        if picture not in self._points:
            crop = torch.from_numpy(picture.crop.astype(np.float32) / 255).permute(2, 0, 1)[None]
            with torch.no_grad():
                regions, found = self._landmarker.detect_regions(crop)
                seen = self._landmarker.measure(crop, regions)
                points = face_points(seen.aligned, seen.landmarks_px)[0].numpy()
            self._points[picture] = points if bool(found[0]) else None
        return self._points[picture]


def longest_numbers(bundle: ModelBundle) -> np.ndarray:
    """(34,) float32 as far as two turns and 32 amounts go either way when they are decoded."""
    turns = bundle.longest_motion[list(bundle.head_angles)]
    return np.concatenate([turns, np.full(N_CHANNELS, _LONGEST)]).astype(np.float32)


def channels_id() -> str:
    """SHA-256 (hex) of the channels that come with Photorig."""
    return str(card(MODEL).files[0].sha256)


def load_channels(n_factors: int, generator: str = DEFAULT) -> Channels:
    """The channels of a generator. Raises ModelError."""
    return read_channels(weights_for(generator, MODEL, WEIGHTS_FILE), n_factors)


def read_channels(path: Path, n_factors: int) -> Channels:
    """The channels in a file. Raises ModelError where it is missing, damaged or of another form."""
    try:
        tensors = load_file(path)
        found = Channels(tensors["offsets"].astype(np.float32), tensors["moves"])
        shapes = found.offsets.shape, found.moves.shape
        if shapes != ((N_CHANNELS, n_factors), (N_CHANNELS, 478, 3)):
            raise ValueError(f"shapes {shapes}")
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ModelError(
            f"The channels cannot be read: {error}", f"Run 'photorig models verify {MODEL}'."
        ) from error
    return found


def _load(bundle: ModelBundle, generator: Generator) -> StyleSpace:
    channels = load_channels(generator.style_rows[-1].stop, generator.name)
    return StyleSpace(channels, bundle, load_landmarker())


METHOD = MethodEntry(
    "stylespace",
    "Moves 32 directions of StyleSpace and the head; plays what 'photorig encode' wrote.",
    _load,
    models=(MODEL,),
    needs_picture=True,
)
