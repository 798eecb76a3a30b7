"""Model bundle: a direction matrix with the generator and the parameter schema it belongs to.

The direction matrix file is safetensors; its metadata holds one JSON object with the schema and,
for every parameter, whether it is really controlled, over which range it was trained, and how the
face was measured to answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from photorig.shared.errors import ModelError
from photorig.shared.schema import ParameterSchema

FORMAT = "photorig.directions"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class ParameterResponse:
    """How the bundle answers to one parameter, measured on people not used in training.

    Attributes:
        controllable: False where the matrix row is zero because nothing useful could be learned.
        minimum, maximum: trained range of the shift Δp, in the parameter's unit.
        gain: measured change ÷ asked change, least squares over the trained range.
        linearity: R² of that line, 0 to 1.
        crosstalk: mean range-normalised change of the other parameters for a full move of this one.
    """

    controllable: bool
    minimum: float
    maximum: float
    gain: float
    linearity: float
    crosstalk: float


@dataclass(frozen=True, eq=False)
class ModelBundle:
    """Direction matrix A with what it belongs to.

    Attributes:
        directions: (n parameters, n_rows, 512) float32; Δw = Σ Δp[k] · directions[k], added to the
            first n_rows rows of W+. There is no bias, so Δp = 0 gives Δw = 0.
        schema: the n parameters.
        model_id: the generator whose W+ this is.
        responses: one per parameter.
        shift_gram: (n, n) float32 G; √(Δpᵀ G Δp) is the length of Δw in standard deviations of w.
        longest_expression: length that all coefficients of a frame may have together. Each within
            its range, many at once would still leave the space of faces.
    """

    name: str
    directions: np.ndarray
    schema: ParameterSchema
    model_id: str
    responses: tuple[ParameterResponse, ...]
    shift_gram: np.ndarray
    longest_expression: float

    @cached_property
    def range_minimum(self) -> np.ndarray:
        """(n,) float32, lower end of each trained shift."""
        return np.array([response.minimum for response in self.responses], np.float32)

    @cached_property
    def range_maximum(self) -> np.ndarray:
        """(n,) float32, upper end of each trained shift."""
        return np.array([response.maximum for response in self.responses], np.float32)

    @cached_property
    def id(self) -> str:
        """SHA-256 (hex) of what decides a frame's pixels: generator, schema, matrix, ranges."""
        digest = hashlib.sha256(self.model_id.encode())
        digest.update(self.schema.hash.encode())
        limit = np.float64(self.longest_expression)
        arrays = (self.directions, self.range_minimum, self.range_maximum, self.shift_gram, limit)
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @cached_property
    def is_coefficient(self) -> np.ndarray:
        """(n,) bool, False for head angles."""
        return np.array([parameter.unit == "coefficient" for parameter in self.schema.parameters])

    def within_range(self, shift: np.ndarray) -> np.ndarray:
        """(n,) float32: each parameter clamped to its trained range, and the expression as a whole
        scaled back to the length at which faces stay faces."""
        clamped = np.clip(shift, self.range_minimum, self.range_maximum).astype(np.float32)
        expression = np.where(self.is_coefficient, clamped, 0.0).astype(np.float64)
        length = float(np.sqrt(max(expression @ self.shift_gram @ expression, 0.0)))
        if length <= self.longest_expression:
            return clamped
        scale = np.float32(self.longest_expression / length)
        return np.where(self.is_coefficient, clamped * scale, clamped).astype(np.float32)

    def beyond_range(self, shift: np.ndarray) -> list[str]:
        """Ids of the parameters whose shift (n,) lies outside the trained range."""
        tolerance = 1e-4
        outside = (shift < self.range_minimum - tolerance) | (
            shift > self.range_maximum + tolerance
        )
        return [self.schema.ids[i] for i in np.flatnonzero(outside)]

    def save(self, path: Path) -> None:
        metadata = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "name": self.name,
            "model_id": self.model_id,
            "schema": self.schema.to_json(),
            "longest_expression": self.longest_expression,
            "responses": [vars(response) for response in self.responses],
        }
        tensors = {
            "directions": np.ascontiguousarray(self.directions, np.float32),
            "shift_gram": np.ascontiguousarray(self.shift_gram, np.float32),
        }
        save_file(tensors, path, {"photorig": json.dumps(metadata, sort_keys=True)})


def read_bundle(path: Path) -> ModelBundle:
    """Read a direction matrix file. Raises ModelError where it cannot be used."""
    try:
        with safe_open(path, "np") as file:
            metadata: dict[str, Any] = json.loads((file.metadata() or {})["photorig"])
            directions, gram = file.get_tensor("directions"), file.get_tensor("shift_gram")
        if (metadata["format"], metadata["version"]) != (FORMAT, FORMAT_VERSION):
            raise ModelError(f"{path} is no direction matrix of version {FORMAT_VERSION}")
        schema = ParameterSchema.from_json(metadata["schema"])
        responses = tuple(ParameterResponse(**entry) for entry in metadata["responses"])
        model_id, name = str(metadata["model_id"]), str(metadata["name"])
        longest_expression = float(metadata["longest_expression"])
    except FileNotFoundError as error:
        raise ModelError(f"There is no direction matrix {path}") from error
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{path} is no direction matrix, or it is damaged") from error
    bundle = ModelBundle(name, directions, schema, model_id, responses, gram, longest_expression)
    _check(bundle, path)
    return bundle


def _check(bundle: ModelBundle, path: Path) -> None:
    expected: Sequence[int] = (len(bundle.schema), bundle.directions.shape[1], 512)
    if bundle.directions.ndim != 3 or bundle.directions.shape != tuple(expected):
        raise ModelError(f"{path} has a matrix of shape {bundle.directions.shape}")
    n = len(bundle.schema)
    fits = len(bundle.responses) == n and bundle.shift_gram.shape == (n, n)
    finite = np.isfinite(bundle.directions).all() and np.isfinite(bundle.shift_gram).all()
    if not (fits and finite and bundle.longest_expression > 0):
        raise ModelError(f"{path} is damaged", "Fetch or train the direction matrix again.")


def load_bundle(name: str = "default") -> ModelBundle:
    """The bundle of that name among the project's own models. Raises ModelError."""
    from photorig.worker.registry import own_weights

    if name != "default":
        return read_bundle(Path(name))
    return read_bundle(own_weights("directions.safetensors"))
