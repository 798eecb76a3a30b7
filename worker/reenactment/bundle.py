"""Model bundle: a direction matrix with the generator and the parameter schema it belongs to.

The direction matrix file is safetensors; its metadata holds one JSON object with the schema and,
for every parameter, whether it is really controlled, over which range it was trained, and how the
face was measured to answer.

Between a parameter and the matrix stands a monotone curve, from the parameter's value to *motion*.
Equal steps of motion are equal steps of the latents, and the curve is fitted so that what is asked
is what is seen: the estimator answers to a moving face neither linearly nor equally on every face.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from photorig.shared.errors import ModelError
from photorig.shared.parameters.arkit_amounts import amounts_of, has_curve, readings_of
from photorig.shared.parameters.responses import (
    BY_GEOMETRY,
    BY_LATENTS,
    BY_NOTHING,
    Response,
    read_response,
)
from photorig.shared.parameters.schema import ParameterSchema
from photorig.worker.generators import DEFAULT
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.response import PortraitResponse
from photorig.worker.registry.imported import (
    imported_models_folder,
    is_imported,
    trained_file,
)

DIRECTIONS_FILE = "directions.safetensors"
FORMAT = "photorig.directions"
FORMAT_VERSION = 2

_REALISED_BY = (BY_LATENTS, BY_GEOMETRY, BY_NOTHING)
MESH_TURNS = ((35.0, 50.0), (20.0, 40.0))
"""Degrees of yaw and of pitch by which a photo's pixels can be turned on their mesh, and how far a
face may then look away from the camera."""


@dataclass(frozen=True, eq=False)
class ModelBundle:
    """Direction matrix A with what it belongs to.

    Attributes:
        directions: (n parameters, n_rows, w_dim) float32 per motion; added to the first n_rows rows
            of W+. There is no bias, so Δp = 0 gives Δw = 0.
        curve_values: (n, s) float32 rising values of each parameter, in its unit.
        curve_motion: (n, s) float32 motion at those values, rising; straight on beyond the ends.
        schema: the n parameters.
        model_id: the generator whose W+ this is.
        responses: one per parameter.
        shift_gram: (n, n) float32 G; √(mᵀ G m) is the length of Δw in standard deviations of w
            for the motion m.
        longest_motion: (n,) float32, motion that one parameter may have either way; a face that
            answers weakly is not pushed further.
        longest_by_group: length, in standard deviations of w, that the coefficients of one group of
            the schema may have together: what is too much shows where it happens.
        longest_expression: length that all coefficients of a frame may have together. Each within
            its range, many at once would still leave the space of faces.
    """

    name: str
    directions: np.ndarray
    curve_values: np.ndarray
    curve_motion: np.ndarray
    schema: ParameterSchema
    model_id: str
    responses: tuple[Response, ...]
    shift_gram: np.ndarray
    longest_motion: np.ndarray
    longest_by_group: dict[str, float]
    longest_expression: float

    @cached_property
    def lowest(self) -> np.ndarray:
        """(n,) float32, lowest value of each parameter that a face can take on."""
        return np.array([response.lowest for response in self.responses], np.float32)

    @cached_property
    def highest(self) -> np.ndarray:
        """(n,) float32, highest value of each parameter that a face can take on."""
        return np.array([response.highest for response in self.responses], np.float32)

    @cached_property
    def moves_latents(self) -> np.ndarray:
        """(n,) bool, the parameters that the direction matrix realises."""
        return np.array([r.realised_by == BY_LATENTS for r in self.responses])

    @cached_property
    def id(self) -> str:
        """SHA-256 (hex) of what decides a frame's pixels: generator, schema, matrix, ranges."""
        digest = hashlib.sha256(self.model_id.encode())
        digest.update(self.schema.hash.encode())
        digest.update(np.float64(self.longest_expression).tobytes())
        digest.update(json.dumps(self.longest_by_group, sort_keys=True).encode())
        digest.update(self.moves_latents.tobytes())
        curves = (self.curve_values, self.curve_motion, self.lowest, self.highest)
        for array in (self.directions, *curves, self.shift_gram, self.longest_motion):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @cached_property
    def is_coefficient(self) -> np.ndarray:
        """(n,) bool, False for head angles and translation."""
        return np.array([parameter.unit == "coefficient" for parameter in self.schema.parameters])

    @cached_property
    def head_angles(self) -> tuple[int, int]:
        """Positions of headYaw and headPitch."""
        return self.schema.index["headYaw"], self.schema.index["headPitch"]

    def response_of(self, portrait: Portrait) -> PortraitResponse | None:
        """How this face answers to this bundle; None where that was not measured."""
        response = portrait.response
        return response if response and response.bundle_id == self.id else None

    def reach(self, portrait: Portrait) -> tuple[np.ndarray, np.ndarray]:
        """(n,) lowest and (n,) highest value that a face can show, coefficients as amounts: its own
        where it was measured, else the range that most faces have.

        A face that already shows more than was trained may keep it, and may show less. Where its
        mesh is known, it moves by the whole of every shape, whatever the photo shows already, and
        turns farther than the generator: its pixels are the photo's.
        """
        source, response = portrait.shown, self.response_of(portrait)
        known = self if response is None else response
        lowest, highest = (
            amounts_of(end, self.schema.ids) for end in (known.lowest, known.highest)
        )
        if response is not None and portrait.geometry is not None:
            lowest = np.where(self.is_coefficient, 0, lowest)
            highest = np.where(self.is_coefficient, source + 1, highest)
            lowest, highest = self.with_mesh_turns(source, lowest, highest)
        return np.minimum(lowest, source), np.maximum(highest, source)

    def with_mesh_turns(
        self, source: np.ndarray, lowest: np.ndarray, highest: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest values (n,) of a face that shows ``source`` (n,), with the turns that
        its mesh can make of the photo."""
        lowest, highest = lowest.copy(), highest.copy()
        for angle, (away, most) in zip(self.head_angles, MESH_TURNS, strict=True):
            lowest[angle] = min(lowest[angle], max(source[angle] - away, -most))
            highest[angle] = max(highest[angle], min(source[angle] + away, most))
        return lowest, highest

    def within_range(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        """(n,) float32: Δp held to what the portrait's face can reach."""
        lowest, highest = self.reach(portrait)
        source = portrait.shown
        return (np.clip(source + shift, lowest, highest) - source).astype(np.float32)

    def beyond_range(self, portrait: Portrait, shift: np.ndarray) -> list[str]:
        """Ids of the parameters that ``shift`` (n,) would take beyond what the face can reach."""
        tolerance = 1e-4
        outside = np.abs(self.within_range(portrait, shift) - shift) > tolerance
        return [self.schema.ids[i] for i in np.flatnonzero(outside)]

    def read_change(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        """(n,) float32: by how much what Net3D reads of this face changes with a Δp (n,) of
        amounts; exactly 0 where Δp is 0. The matrix was learned with readings."""
        ids, shown = self.schema.ids, portrait.shown
        read = readings_of(shown + shift, ids) - readings_of(shown, ids)
        return np.where(self._has_curve, read, shift).astype(np.float32)

    def motion_of(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        """(n,) float32 motion of the latents for a Δp (n,) of amounts within range."""
        return self.motion(portrait.parameters, self.read_change(portrait, shift))

    @cached_property
    def _has_curve(self) -> np.ndarray:
        return np.array([has_curve(name) for name in self.schema.ids])

    def motion(self, source: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """(n,) float32 motion of the latents for a change (n,) of what Net3D reads, on a face of
        which it reads ``source`` (n,); exactly 0 where the change is 0."""
        motion = self.curve(source + shift) - self.curve(source)
        return np.where(self.moves_latents, motion, 0.0).astype(np.float32)

    def shifted(self, latents: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """W+ latents (rows, w_dim) float32 moved by a motion (n,); a new array."""
        result = latents.astype(np.float32, copy=True)
        # A fixed order of summation keeps the bytes of a frame the same on every call.
        shift = np.einsum("k,krd->rd", motion, self.directions, optimize=False)
        result[: len(shift)] += shift
        return result

    def clamped_motion(self, motion: np.ndarray) -> np.ndarray:
        """(n,) float32: each parameter held to its longest motion, then each group of coefficients
        and the whole expression scaled back to where faces stay faces."""
        motion = np.clip(motion, -self.longest_motion, self.longest_motion)
        for group, longest in self.longest_by_group.items():
            motion = self._held(motion, self._in_group(group), longest)
        return self._held(motion, self.is_coefficient, self.longest_expression).astype(np.float32)

    def _in_group(self, group: str) -> np.ndarray:
        members = np.array([parameter.group == group for parameter in self.schema.parameters])
        return members & self.is_coefficient

    def _held(self, motion: np.ndarray, members: np.ndarray, longest: float) -> np.ndarray:
        part = np.where(members, motion, 0.0).astype(np.float64)
        length = float(np.sqrt(max(part @ self.shift_gram @ part, 0.0)))
        return motion if length <= longest else np.where(members, motion * longest / length, motion)

    def curve(self, values: np.ndarray) -> np.ndarray:
        """(n,) float64: motion at ``values`` (n,), by straight lines between the knots."""
        x, y = self.curve_values.astype(np.float64), self.curve_motion.astype(np.float64)
        last = np.clip((x <= values[:, None]).sum(1), 1, x.shape[1] - 1)
        rows = np.arange(len(x))
        left, right = x[rows, last - 1], x[rows, last]
        low, high = y[rows, last - 1], y[rows, last]
        return low + (values - left) / (right - left) * (high - low)

    def values(self, motion: np.ndarray) -> np.ndarray:
        """(n,) float64: inverse of `curve`, held to its ends."""
        x, y = self.curve_values.astype(np.float64), self.curve_motion.astype(np.float64)
        return np.array([np.interp(m, row, at) for m, row, at in zip(motion, y, x, strict=True)])

    def save(self, path: Path) -> None:
        metadata = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "name": self.name,
            "model_id": self.model_id,
            "schema": self.schema.to_json(),
            "longest_by_group": self.longest_by_group,
            "longest_expression": self.longest_expression,
            "responses": [response.to_json() for response in self.responses],
        }
        tensors = {
            "directions": np.ascontiguousarray(self.directions, np.float32),
            "curve_values": np.ascontiguousarray(self.curve_values, np.float32),
            "curve_motion": np.ascontiguousarray(self.curve_motion, np.float32),
            "shift_gram": np.ascontiguousarray(self.shift_gram, np.float32),
            "longest_motion": np.ascontiguousarray(self.longest_motion, np.float32),
        }
        save_file(tensors, path, {"photorig": json.dumps(metadata, sort_keys=True)})


def read_bundle(path: Path) -> ModelBundle:
    """Read a direction matrix file. Raises ModelError where it cannot be used."""
    try:
        with safe_open(path, "np") as file:
            metadata: dict[str, Any] = json.loads((file.metadata() or {})["photorig"])
            names = ("directions", "curve_values", "curve_motion", "shift_gram", "longest_motion")
            directions, values, motion, gram, alone = (file.get_tensor(name) for name in names)
        if (metadata["format"], metadata["version"]) != (FORMAT, FORMAT_VERSION):
            raise ModelError(f"{path} is no direction matrix of version {FORMAT_VERSION}")
        schema = ParameterSchema.from_json(metadata["schema"])
        responses = tuple(filter(None, map(read_response, metadata["responses"])))
        model_id, name = str(metadata["model_id"]), str(metadata["name"])
        together = float(metadata["longest_expression"])
        by_group = {str(k): float(v) for k, v in dict(metadata["longest_by_group"]).items()}
    except FileNotFoundError as error:
        raise ModelError(f"There is no direction matrix {path}") from error
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{path} is no direction matrix, or it is damaged") from error
    bundle = ModelBundle(
        name,
        directions,
        values,
        motion,
        schema,
        model_id,
        responses,
        gram,
        alone,
        by_group,
        together,
    )
    _check(bundle, path)
    return bundle


def _check(bundle: ModelBundle, path: Path) -> None:
    if bundle.directions.ndim != 3 or len(bundle.directions) != len(bundle.schema):
        raise ModelError(f"{path} has a matrix of shape {bundle.directions.shape}")
    n = len(bundle.schema)
    curves = (bundle.curve_values, bundle.curve_motion)
    fits = len(bundle.responses) == n and bundle.shift_gram.shape == (n, n)
    fits = fits and all(curve.shape == (n, curves[0].shape[-1]) for curve in curves)
    fits = fits and curves[0].shape[-1] >= 2 and bundle.longest_motion.shape == (n,)
    arrays = (
        bundle.directions,
        bundle.shift_gram,
        bundle.longest_motion,
        bundle.lowest,
        bundle.highest,
        *curves,
    )
    finite = all(np.isfinite(array).all() for array in arrays)
    rises = fits and all((np.diff(curve) > 0).all() for curve in curves)
    known = all(response.realised_by in _REALISED_BY for response in bundle.responses)
    if not (
        fits
        and finite
        and rises
        and known
        and min((bundle.longest_expression, *bundle.longest_by_group.values())) > 0
    ):
        raise ModelError(f"{path} is damaged", "Fetch or train the direction matrix again.")


def load_bundle(name: str = DEFAULT) -> ModelBundle:
    """The project's own bundle (``default``), that of an imported generator, or a file's.

    Raises:
        ModelError.
    """
    from photorig.worker.registry import own_weights

    if name == DEFAULT:
        return read_bundle(own_weights(DIRECTIONS_FILE))
    if is_imported(name):
        return read_bundle(trained_file(name, DIRECTIONS_FILE))
    return read_bundle(Path(name))


def bundle_for(model_id: str) -> str:
    """Name of the bundle that drives portraits of a generator; ``default`` where there is none."""
    for path in sorted(imported_models_folder().glob(f"[a-z0-9]*/{DIRECTIONS_FILE}")):
        with contextlib.suppress(ModelError):
            if read_bundle(path).model_id == model_id:
                return path.parent.name
    return DEFAULT


def generator_of(bundle: str) -> str:
    """Name of the generator that a bundle is for: an imported one's bundle has its name."""
    folder = Path(bundle).absolute().parent
    for name in (bundle, folder.name if bundle.endswith(DIRECTIONS_FILE) else ""):
        if is_imported(name):
            return name
    return DEFAULT
