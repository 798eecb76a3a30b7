"""A performance as one face and 35 numbers a frame: ``photorig encode`` writes it.

The file is safetensors: ``numbers`` (n, 35) float16 (motion of headYaw and headPitch, degrees of
headRoll, amounts of 32 directions of StyleSpace), ``held`` (n,) bool, ``directions`` (34, f)
float16 (what the factors move by, once for the whole recording), and the portrait's own file, byte
for byte, so that a film can be made of it alone. Files of version 1 have no directions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from photorig.shared.errors import InputError
from photorig.shared.files.portrait_layout import read_header
from photorig.shared.files.reading import read_file
from photorig.shared.files.writing import write_atomically

from .portrait import Portrait

FORMAT, VERSION = "photorig.face", 2
_WITHOUT_DIRECTIONS = 1
N_NUMBERS, N_DIRECTIONS = 35, 34
_MOST_FACTORS, _GREATEST = 1 << 16, 1e3
_LARGEST = 512 << 20
_HINT = "Encode the film again with 'photorig encode'."


@dataclass(frozen=True, eq=False)
class FaceTake:
    """A performance.

    Attributes:
        numbers: (n, 35) float16.
        held: (n,) bool, frames in which no face was seen: they repeat the one before.
        rate: frames a second.
        channels: SHA-256 (hex) of the channels that the numbers belong to, or begin with.
        portrait: whose performance it is.
        directions: (34, f) float16, see `LearnedDirections`; None: those of the channels.
    """

    numbers: np.ndarray
    held: np.ndarray
    rate: Fraction
    channels: str
    portrait: Portrait
    directions: np.ndarray | None = None

    @property
    def bits_per_second(self) -> float:
        """Of the numbers; the face comes once."""
        return float(self.numbers.shape[1] * 16 * self.rate)

    def save(self, path: Path) -> None:
        """Raises InputError where it cannot be written."""
        tensors = {
            "numbers": np.ascontiguousarray(self.numbers, np.float16),
            "held": np.ascontiguousarray(self.held, np.bool_),
            "portrait": np.frombuffer(self.portrait.to_bytes(), np.uint8),
        }
        version = _WITHOUT_DIRECTIONS
        if self.directions is not None:
            version = VERSION
            tensors["directions"] = np.ascontiguousarray(self.directions, np.float16)
        about = {"format": FORMAT, "version": version, "rate": str(self.rate)}
        metadata = json.dumps(about | {"channels": self.channels}, sort_keys=True)
        write_atomically(path, save_tensors(tensors, {"photorig": metadata}))

    @staticmethod
    def load(path: Path) -> FaceTake:
        """Raises InputError, one sentence, where the file is missing, cut or damaged."""
        try:
            content = read_file(path, _LARGEST)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}", _HINT) from error
        try:
            return _read(content)
        except InputError as error:
            raise InputError(f"{path}: {error.message}", error.hint) from error
        except Exception as error:  # an edge: the file may be anybody's
            raise InputError(f"{path} is no encoded face, or it is damaged", _HINT) from error


def _read(content: bytes) -> FaceTake:
    about, _, _ = read_header(content)
    if about["format"] != FORMAT or about["version"] not in (_WITHOUT_DIRECTIONS, VERSION):
        raise InputError("this is an encoded face of another version", _HINT)
    try:
        tensors = load_tensors(content)
    except SafetensorError as error:
        raise InputError("the file is cut off, or damaged", _HINT) from error
    numbers, held, rate = tensors["numbers"], tensors["held"], Fraction(about["rate"])
    if numbers.ndim != 2 or numbers.shape[1] != N_NUMBERS or numbers.dtype != np.float16:
        raise InputError("the file does not hold 35 numbers a frame", _HINT)
    if not len(numbers) or held.shape != (len(numbers),) or not 0 < rate <= 1000:
        raise InputError("the file holds no frames", _HINT)
    if not np.isfinite(numbers).all():
        raise InputError("a number in the file is not finite", _HINT)
    directions = None
    if about["version"] == VERSION:
        directions = tensors["directions"]
        _check_directions(directions)
    portrait = Portrait.from_bytes(tensors["portrait"].tobytes())
    return FaceTake(numbers, held, rate, str(about["channels"]), portrait, directions)


def _check_directions(directions: np.ndarray) -> None:
    if directions.ndim != 2 or directions.dtype != np.float16:
        raise InputError("the file does not hold 34 directions", _HINT)
    rows, factors = directions.shape
    if rows != N_DIRECTIONS or not 0 < factors <= _MOST_FACTORS:
        raise InputError("the file does not hold 34 directions", _HINT)
    # The comparison is false for values that are not finite, too.
    if not (np.abs(directions) <= _GREATEST).all():
        raise InputError("a direction in the file is not finite", _HINT)
