"""The portrait file: everything about one face that driving it needs.

One ``.portrait`` file is a safetensors file (data only, nothing in it can execute) whose metadata
holds a JSON object. Its id is the SHA-256 of its bytes, so a portrait never changes under its id.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import save as save_tensors

from photorig.shared.errors import InputError
from photorig.shared.files.portrait_layout import (
    FORMAT,
    FORMAT_VERSION,
    HINT,
    LONGEST_NAME,
    MAXIMUM_BYTES,
    MAXIMUM_PARAMETERS,
    check_alignment,
    check_photo_size,
    checked_text,
    name_to_keep,
    plain_png,
    read_layout,
)
from photorig.shared.files.reading import Content, read_file, sha256_of
from photorig.shared.files.writing import write_atomically
from photorig.shared.parameters.arkit_amounts import amounts_of
from photorig.shared.parameters.schema import FACE_SCHEMA, ParameterSchema
from photorig.worker.generators.tuning import WeightTuning

from .alignment import Alignment
from .check import check_magnitude
from .eyeball import ARRAYS as EYEBALL_ARRAYS
from .eyeball import Eyeballs
from .eyelids import ARRAYS as LID_ARRAYS
from .eyelids import ClosedLids
from .face_geometry import ARRAYS as GEOMETRY_ARRAYS
from .face_geometry import FORM as GEOMETRY_FORM
from .face_geometry import FaceGeometry
from .mouth import ARRAYS as MOUTH_ARRAYS
from .mouth import MouthInterior
from .reference import Reference, reference_tensors, references_from_tensors
from .response import ARRAYS as RESPONSE_ARRAYS
from .response import FORM as RESPONSE_FORM
from .response import PortraitResponse
from .tuning import tuning_from_tensors, tuning_tensors

_PARTS = {"mouth": MOUTH_ARRAYS, "lids": LID_ARRAYS, "eyeballs": EYEBALL_ARRAYS}
"""What is kept of a face, and the arrays of it."""
THUMBNAIL_SIZE = 128
_STRIP_ROWS = 256
_MOST_ROWS, _MOST_CHANNELS = 64, 4096
_GREATEST_LATENT, _GREATEST_RESPONSE = 1e4, 1e5
"""Magnitudes beyond which numbers mean nothing any more, and beyond which they could overflow."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A source photo made drivable.

    Attributes:
        latents: w_s, (n_rows, w_dim) float32 in W+.
        parameters: (n,) float32 as Net3D read them on the photo, in the order of parameter_ids.
        photo: (H, W, 3) uint8 sRGB, the whole photo.
        alignment: from the photo to the aligned square.
        model_id: the generator that the latents belong to.
        name: what a person calls it.
        response: how this face answers to a bundle, if that was measured.
        tuning: how the generator is tuned to this person; None: as it is.
        references: further photos of the person, as codes of the tuned generator.
        geometry: what this face's landmarks do when it is driven, if that was measured.
        parameter_ids: n ids, what ``parameters`` are.
    """

    latents: np.ndarray
    parameters: np.ndarray
    photo: np.ndarray
    alignment: Alignment
    model_id: str
    name: str
    response: PortraitResponse | None = None
    tuning: WeightTuning | None = None
    references: tuple[Reference, ...] = ()
    geometry: FaceGeometry | None = None
    parameter_ids: tuple[str, ...] = FACE_SCHEMA.ids

    @cached_property
    def id(self) -> str:
        """SHA-256 (hex) of the file's bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @cached_property
    def shown(self) -> np.ndarray:
        """p_s, (n,) float32: pose and expression in the photo, coefficients as ARKit's amounts."""
        return amounts_of(self.parameters, self.parameter_ids)

    def in_schema(self, schema: ParameterSchema) -> Portrait:
        """The same portrait, under the same id, with its parameters in a schema's order.

        A schema that has learned more finds the photo at rest in that, one that knows less does
        without. What was measured of the face with other parameters is not known any more.
        """
        if self.parameter_ids == schema.ids:
            return self
        ids = self.parameter_ids
        references = tuple(
            replace(one, parameters=schema.taken_from(one.parameters, ids))
            for one in self.references
        )
        portrait = replace(
            self,
            parameters=schema.taken_from(self.parameters, ids),
            parameter_ids=schema.ids,
            references=references,
            response=None,
        )
        portrait.__dict__["id"] = self.id
        return portrait

    @cached_property
    def thumbnail(self) -> np.ndarray:
        """(128, 128, 3) uint8, the aligned crop, for buttons and lists."""
        return self.alignment.crop(self.photo, THUMBNAIL_SIZE)

    def check(self) -> None:
        """Raise ValueError unless all of it can be used.

        The one check, before a portrait is kept or drawn: whoever made it may be a stranger.
        What it lets through can be sent, stored and rendered at any size that memory allows, in a
        time that the size explains. Sizes and types of a file were checked before it was read
        (shared/files/portrait_layout.py); this is about what the arrays say.
        """
        checked_text(self.name, LONGEST_NAME)
        checked_text(self.model_id)
        _check_code(self.latents, self.parameters)
        if self.photo.ndim != 3 or self.photo.shape[2] != 3 or self.photo.dtype != np.uint8:
            raise ValueError("a photo of a wrong form")
        height, width = self.photo.shape[:2]
        check_photo_size(width, height)
        check_alignment(self.alignment.matrix, width, height)
        for reference in self.references:
            check_magnitude(reference.latents, _GREATEST_LATENT)
            check_magnitude(reference.parameters, _GREATEST_LATENT)
        response = self.response
        if response is not None:
            checked_text(response.bundle_id)
            response.check(len(self.parameters))
            for array in (response.moved, response.seen, response.turned, response.turns_seen):
                check_magnitude(array, _GREATEST_RESPONSE)
        if self.geometry is not None:
            self.geometry.check()

    @cached_property
    def _bytes(self) -> bytes:
        metadata: dict[str, Any] = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "model_id": self.model_id,
            "schema_hash": FACE_SCHEMA.hash,  # what readers of before ask for
            "parameter_ids": list(self.parameter_ids),
            "name": name_to_keep(self.name),
        }
        tensors: dict[str, np.ndarray] = {
            "latents": np.ascontiguousarray(self.latents, np.float32),
            "parameters": np.ascontiguousarray(self.parameters, np.float32),
            "alignment": np.ascontiguousarray(self.alignment.matrix, np.float64),
            "photo.png": np.frombuffer(_png_bytes(self.photo), np.uint8),
        }
        said, measured = measured_tensors(self)
        metadata |= said
        tensors |= measured
        if self.tuning is not None:
            tensors |= tuning_tensors(self.tuning)
        tensors |= reference_tensors(self.references)
        return save_tensors(tensors, {"photorig": json.dumps(metadata, sort_keys=True)})

    def to_bytes(self) -> bytes:
        """The content of a .portrait file; the photo is stored without loss."""
        return self._bytes

    def save(self, path: Path) -> None:
        """Write the file in one step. Raises InputError, and then leaves no half file behind."""
        write_atomically(Path(path), self.to_bytes())

    @staticmethod
    def load(path: Path) -> Portrait:
        """Read a .portrait file. Raises InputError where it cannot be read or is none."""
        try:
            content = read_file(path, MAXIMUM_BYTES)
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror}") from error
        try:
            return Portrait.from_bytes(content)
        except InputError as error:
            raise InputError(f"{path}: {error.message}", error.hint) from error

    @staticmethod
    def from_bytes(content: Content) -> Portrait:
        """Inverse of to_bytes, for content from anywhere; of a file (reading.FileBytes) only what
        is looked at is in memory. Raises InputError on anything else."""
        try:
            layout = read_layout(content)
            metadata, photo = layout.metadata, _decode_photo(layout.bytes_of("photo.png"))
            tensors = layout.tensors()
            portrait = Portrait(
                latents=tensors["latents"],
                parameters=tensors["parameters"],
                photo=photo,
                alignment=Alignment(tensors["alignment"]),
                model_id=layout.text("model_id"),
                name=layout.text("name"),
                response=_response(metadata, tensors),
                tuning=tuning_from_tensors(tensors),
                references=references_from_tensors(
                    tensors, tensors["latents"], tensors["parameters"]
                ),
                geometry=_geometry(metadata, tensors),
                parameter_ids=layout.parameter_ids(tensors["parameters"].size),
            )
            portrait.check()
        except InputError:
            raise
        except Exception as error:  # an edge: the file is a stranger's, and much of what reads it
            raise InputError("This is no portrait file, or it is damaged", HINT) from error
        # The id is that of the bytes read, not of what writing them again would give.
        if isinstance(content, bytes):
            portrait.__dict__["_bytes"] = content
        else:
            portrait.__dict__["id"] = sha256_of(content)
        return portrait


def _check_code(latents: np.ndarray, parameters: np.ndarray) -> None:
    rows_and_channels = latents.shape
    if latents.ndim != 2 or not (
        1 <= rows_and_channels[0] <= _MOST_ROWS and 1 <= rows_and_channels[1] <= _MOST_CHANNELS
    ):
        raise ValueError("latents of a wrong shape")
    if parameters.ndim != 1 or not 1 <= len(parameters) <= MAXIMUM_PARAMETERS:
        raise ValueError("parameters of a wrong shape")
    check_magnitude(latents, _GREATEST_LATENT)
    check_magnitude(parameters, _GREATEST_LATENT)


def measured_tensors(portrait: Portrait) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What was measured of a portrait's face, response and geometry, as files keep it: metadata and
    tensors."""
    metadata: dict[str, Any] = {}
    tensors: dict[str, np.ndarray] = {}
    if portrait.response is not None:
        metadata["response_to"] = portrait.response.bundle_id
        metadata["response_form"] = RESPONSE_FORM
        for name in RESPONSE_ARRAYS:
            array = getattr(portrait.response, name)
            tensors[f"response.{name}"] = np.ascontiguousarray(array, np.float32)
    geometry = portrait.geometry
    if geometry is not None:
        metadata["geometry_for"] = geometry.made_for
        metadata["geometry_form"] = GEOMETRY_FORM
        for name in GEOMETRY_ARRAYS:
            tensors[f"geometry.{name}"] = np.ascontiguousarray(getattr(geometry, name))
        for prefix, names in _PARTS.items():
            part = getattr(geometry, prefix)
            for name in names if part is not None else ():
                tensors[f"{prefix}.{name}"] = np.ascontiguousarray(getattr(part, name))
    return metadata, tensors


def with_measured(
    portrait: Portrait, metadata: dict[str, Any], tensors: dict[str, np.ndarray]
) -> Portrait:
    """The portrait with what `measured_tensors` gave. Raises KeyError, TypeError or ValueError."""
    response, geometry = _response(metadata, tensors), _geometry(metadata, tensors)
    measured = replace(portrait, response=response, geometry=geometry)
    measured.check()
    return measured


def _response(
    metadata: dict[str, Any], tensors: Mapping[str, np.ndarray]
) -> PortraitResponse | None:
    if "response_to" not in metadata or metadata.get("response_form") != RESPONSE_FORM:
        return None
    arrays = {name: tensors[f"response.{name}"] for name in RESPONSE_ARRAYS}
    return PortraitResponse(bundle_id=str(metadata["response_to"]), **arrays)


def _geometry(metadata: dict[str, Any], tensors: Mapping[str, np.ndarray]) -> FaceGeometry | None:
    if "geometry_for" not in metadata or metadata.get("geometry_form") != GEOMETRY_FORM:
        return None
    arrays = {name: tensors[f"geometry.{name}"] for name in GEOMETRY_ARRAYS}

    def part(prefix: str) -> dict[str, np.ndarray] | None:
        names = _PARTS[prefix]
        if f"{prefix}.{names[0]}" not in tensors:
            return None
        return {name: tensors[f"{prefix}.{name}"] for name in names}

    mouth, lids, eyeballs = part("mouth"), part("lids"), part("eyeballs")
    return FaceGeometry(
        made_for=str(metadata["geometry_for"]),
        mouth=None if mouth is None else MouthInterior(**mouth),
        lids=None if lids is None else ClosedLids(**lids),
        eyeballs=None if eyeballs is None else Eyeballs(**eyeballs),
        **arrays,
    )


def _png_bytes(photo: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _decode_photo(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(plain_png(content)), formats=["PNG"]) as image:
        if image.mode != "RGB":
            raise ValueError("the photo is not as portraits keep it")
        # In strips: of a large photo there would be three copies at a time otherwise.
        width, height = image.size
        photo = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, _STRIP_ROWS):
            bottom = min(top + _STRIP_ROWS, height)
            photo[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return photo
