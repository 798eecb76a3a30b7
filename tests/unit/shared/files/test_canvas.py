"""A picture laid on a render of another size: where it lies, how it is filtered, what it costs."""

from __future__ import annotations

import time

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.files.canvas import Canvas, laid_on, linear_of, placed, srgb_of
from photorig.shared.wire.picture_format import PictureFormat


def triangle_matrix(source: int, target: int) -> np.ndarray:
    """(target, source) weights of a triangle filter, widened where it shrinks: the definition."""
    reach = max(1.0, source / target)
    middles = (np.arange(target) + 0.5) * source / target
    distance = np.abs(np.arange(source) + 0.5 - middles[:, None]) / reach
    weights = np.maximum(0.0, 1.0 - distance)
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize("framing", ["FIT", "FILL"])
@pytest.mark.parametrize("size", [(100, 90), (17, 10), (10, 60), (1, 1), (64, 48), (65, 31)])
@pytest.mark.parametrize("aspect", [1.0, 1.5])
def test_it_is_filtered_as_the_definition_says(
    framing: str, size: tuple[int, int], aspect: float
) -> None:
    picture = np.random.default_rng(3).random((48, 64, 3), np.float32)
    canvas = Canvas(*size, framing, aspect)
    left, top, width, height = canvas.place_of(64, 48)
    whole = np.einsum("yh,hwc->ywc", triangle_matrix(48, height), picture)
    whole = np.einsum("xw,hwc->hxc", triangle_matrix(64, width), whole)
    wanted = np.zeros((size[1], size[0], 3))
    rows = range(max(0, top), min(size[1], top + height))
    columns = range(max(0, left), min(size[0], left + width))
    for y in rows:
        wanted[y, columns.start : columns.stop] = whole[
            y - top, columns.start - left : columns.stop - left
        ]
    np.testing.assert_allclose(placed(picture, canvas), wanted, atol=1e-6)


def test_a_larger_render_costs_no_more_than_its_pixels() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (1024, 1024, 3), np.uint8)
    values = linear_of(picture)

    def seconds(canvas: Canvas) -> float:
        placed(values, canvas)  # what is paid once
        times = []
        for _ in range(3):
            began = time.process_time()
            placed(values, canvas)
            times.append(time.process_time() - began)
        return min(times)

    small, large = seconds(Canvas(960, 540)), seconds(Canvas(1920, 1080))
    assert large < 10 * small, (
        "4 times the pixels; a product of matrices grows with the third power"
    )


def test_bytes_go_to_linear_light_and_come_back() -> None:
    levels = np.arange(256, dtype=np.uint8)
    image = np.stack([np.broadcast_to(levels, (256, 256))] * 3, axis=2)
    np.testing.assert_array_equal(srgb_of(linear_of(image)), image)
    opaque = np.dstack([image, np.full((256, 256), 255, np.uint8)])
    np.testing.assert_array_equal(srgb_of(linear_of(opaque)), opaque)
    half = np.dstack([image, np.full((256, 256), 128, np.uint8)])
    np.testing.assert_allclose(srgb_of(linear_of(half)), half, atol=1)


def test_beside_a_cut_out_person_there_is_nothing() -> None:
    person = np.full((10, 10, 4), 255, np.uint8)
    seen = laid_on(person, Canvas(30, 10))
    assert seen[:, :10].max() == 0
    assert seen[:, 10:20].min() == 255


def test_a_photo_that_juts_out_shows_its_centre() -> None:
    assert Canvas(100, 50, "FILL", centre=(0.5, 0.3)).place_of(100, 200) == (0, -35, 100, 200)
    assert Canvas(100, 50, "FILL", centre=(0.5, 0.1)).place_of(100, 200) == (0, 0, 100, 200)
    assert Canvas(100, 50, "FILL", centre=(0.5, 1.0)).place_of(100, 200) == (0, -150, 100, 200)
    assert Canvas(100, 50, "FIT", centre=(0.5, 0.1)).place_of(100, 200) == (37, 0, 25, 50)


def test_a_format_with_a_canvas_comes_back_and_names_another_file() -> None:
    canvas = Canvas(1920, 1080, "FILL", 1.5, (0.25, 0.5))
    form = PictureFormat(canvas=canvas)
    assert PictureFormat.from_body(form.body()) == form
    assert form.tag != PictureFormat().tag
    assert form.tag != PictureFormat(canvas=Canvas(1920, 1080)).tag
    assert form.size_of(512, 512) == (1920, 1080)
    assert PictureFormat().size_of(512, 512) == (512, 512)


@pytest.mark.parametrize(
    "canvas",
    [
        "large",
        [],
        {},
        {"width": 10},
        {"width": 10.5, "height": 10},
        {"width": True, "height": 10},
        {"width": 0, "height": 10},
        {"width": -5, "height": 10},
        {"width": "10", "height": 10},
        {"width": 10, "height": 10, "framing": "STRETCH"},
        {"width": 10, "height": 10, "framing": []},
        {"width": 10, "height": 10, "pixel_aspect": 0},
        {"width": 10, "height": 10, "pixel_aspect": float("nan")},
        {"width": 10, "height": 10, "pixel_aspect": "a"},
        {"width": 10, "height": 10, "centre": [0.5]},
        {"width": 10, "height": 10, "centre": [0.5, float("inf")]},
        {"width": 10, "height": 10, "centre": 3},
        {"width": 100_000, "height": 10},
        {"width": 16384, "height": 16384},
    ],
)
def test_a_canvas_that_makes_no_sense_is_refused(canvas: object) -> None:
    with pytest.raises(InputError):
        PictureFormat.from_body({"codec": "png", "format": {"canvas": canvas}})
