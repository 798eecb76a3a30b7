"""The portrait file is data only, never changes under its id, and says what is wrong with it."""

from __future__ import annotations

import json
import pickle
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA, Parameter, arkit_schema
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait, _decode_photo, _png_bytes

from ..fakes import tiny_portrait


def test_a_portrait_comes_back_from_its_file_unchanged(tmp_path: Path) -> None:
    portrait = tiny_portrait()
    portrait.save(tmp_path / "x.portrait")
    loaded = Portrait.load(tmp_path / "x.portrait")
    for name in ("latents", "parameters", "photo"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(portrait, name))
    assert loaded.alignment == portrait.alignment
    assert (loaded.name, loaded.model_id) == (portrait.name, portrait.model_id)


GROWN = arkit_schema(
    [Parameter("earWiggle", "Ear", "other", "coefficient", 0, 1, 0.25, "earWiggle")]
)


def test_a_schema_that_has_learned_more_finds_the_photo_at_rest_in_that() -> None:
    parameters = np.linspace(0, 1, len(FACE_SCHEMA), dtype=np.float32)
    portrait = replace(tiny_portrait(), parameters=parameters)
    grown = Portrait.from_bytes(portrait.to_bytes()).in_schema(GROWN)
    np.testing.assert_array_equal(grown.parameters, [*parameters, np.float32(0.25)])
    assert (grown.id, grown.parameter_ids) == (portrait.id, GROWN.ids)


def test_a_schema_that_knows_less_or_another_order_takes_parameters_by_their_names() -> None:
    parameters = np.linspace(0, 1, len(GROWN), dtype=np.float32)
    portrait = replace(tiny_portrait(), parameters=parameters, parameter_ids=GROWN.ids[::-1])
    known = Portrait.from_bytes(portrait.to_bytes()).in_schema(FACE_SCHEMA)
    np.testing.assert_array_equal(known.parameters, parameters[::-1][: len(FACE_SCHEMA)])


def test_a_portrait_of_before_that_names_no_parameters_has_the_first_of_them() -> None:
    metadata = {"format": "photorig.portrait", "version": 1, "model_id": "m", "name": "n"}
    tensors = load(tiny_portrait().to_bytes())
    tensors["parameters"] = np.linspace(0, 1, 55, dtype=np.float32)
    portrait = Portrait.from_bytes(
        save(tensors, {"photorig": json.dumps(metadata | {"schema_hash": "of 55 parameters"})})
    )
    assert portrait.parameter_ids == FACE_SCHEMA.ids[:55]
    assert not portrait.in_schema(FACE_SCHEMA).parameters[55:].any()


def test_the_id_names_the_content() -> None:
    portrait = tiny_portrait()
    assert Portrait.from_bytes(portrait.to_bytes()).id == portrait.id == tiny_portrait().id
    assert replace(portrait, name="somebody else").id != portrait.id


def test_a_full_folder_keeps_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "x.portrait"
    with pytest.raises(InputError, match="Cannot write"):
        tiny_portrait().save(path)
    assert not path.parent.exists()


def test_the_thumbnail_shows_the_aligned_crop() -> None:
    photo = np.zeros((100, 100, 3), np.uint8)
    photo[25:75, 25:75] = (0, 200, 0)
    alignment = Alignment.upright(50, 25, 25)
    thumbnail = replace(tiny_portrait(), photo=photo, alignment=alignment).thumbnail
    assert thumbnail.shape == (128, 128, 3)
    assert (thumbnail[8:-8, 8:-8] == (0, 200, 0)).all()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 not a portrait",
        pickle.dumps({"latents": 1}),
        struct.pack("<Q", 1 << 62) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        tiny_portrait().to_bytes()[:-100],
    ],
    ids=["empty", "zip", "pickle", "endless header", "no metadata", "cut off"],
)
def test_what_is_no_portrait_is_refused_in_one_sentence(content: bytes) -> None:
    with pytest.raises(InputError, match="portrait"):
        Portrait.from_bytes(content)


def test_a_portrait_of_a_later_format_says_so() -> None:
    content = tiny_portrait().to_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    metadata = json.loads(header["__metadata__"]["photorig"]) | {"version": 99}
    header["__metadata__"]["photorig"] = json.dumps(metadata)
    changed = json.dumps(header).encode()
    with pytest.raises(InputError, match="format 99"):
        Portrait.from_bytes(struct.pack("<Q", len(changed)) + changed + content[8 + length :])


@pytest.mark.parametrize("field", ["latents", "parameters"])
def test_numbers_that_are_not_finite_are_refused(field: str) -> None:
    portrait = tiny_portrait()
    broken = getattr(portrait, field).copy()
    broken.flat[0] = np.nan
    with pytest.raises(InputError):
        Portrait.from_bytes(replace(portrait, **{field: broken}).to_bytes())


def test_an_alignment_that_is_not_finite_is_refused() -> None:
    broken = Alignment(np.full((2, 3), np.nan))
    with pytest.raises(InputError):
        Portrait.from_bytes(replace(tiny_portrait(), alignment=broken).to_bytes())


def test_a_photo_of_many_strips_is_read_pixel_for_pixel() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (700, 40, 3), np.uint8)
    np.testing.assert_array_equal(_decode_photo(_png_bytes(photo)), photo)
