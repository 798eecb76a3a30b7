from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.shared.files.provenance import (
    DIGITAL_SOURCE_TYPE,
    PNG_SIGNATURE,
    Provenance,
    insert_into_png,
    read_provenance,
)

PROVENANCE = Provenance("0.1.0", "3f9a" * 16)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (9, 7, 3), np.uint8)


@pytest.fixture
def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_what_was_inserted_is_read_back(png: bytes) -> None:
    assert read_provenance(insert_into_png(png, PROVENANCE)) == PROVENANCE


def test_a_plain_png_has_no_provenance(png: bytes) -> None:
    assert read_provenance(png) is None


def test_an_independent_reader_finds_the_xmp_packet(png: bytes) -> None:
    image = Image.open(io.BytesIO(insert_into_png(png, PROVENANCE)))
    image.load()
    assert DIGITAL_SOURCE_TYPE in image.info["XML:com.adobe.xmp"]


def test_the_pixels_stay_the_same(png: bytes, pixels: np.ndarray) -> None:
    image = Image.open(io.BytesIO(insert_into_png(png, PROVENANCE)))
    np.testing.assert_array_equal(np.asarray(image), pixels)


def test_inserting_again_replaces(png: bytes) -> None:
    twice = insert_into_png(insert_into_png(png, Provenance("0.0.1", "old")), PROVENANCE)
    assert twice == insert_into_png(png, PROVENANCE)


def test_names_are_escaped(png: bytes) -> None:
    odd = Provenance('0.1 "beta" <x>', "a&b's")
    assert read_provenance(insert_into_png(png, odd)) == odd


def test_an_entity_declaration_is_not_parsed(png: bytes) -> None:
    marked = insert_into_png(png, PROVENANCE)
    hostile = marked.replace(b"<x:xmpmeta", b"<!ENTITY a ", 1)
    assert read_provenance(hostile) is None


@pytest.mark.parametrize("cut", [4, 12, 20, -3])
def test_a_cut_file_is_refused(png: bytes, cut: int) -> None:
    with pytest.raises(InputError, match="PNG"):
        insert_into_png(png[:cut], PROVENANCE)


def test_a_jpeg_is_refused() -> None:
    with pytest.raises(InputError, match="no PNG"):
        read_provenance(b"\xff\xd8" + PNG_SIGNATURE)
