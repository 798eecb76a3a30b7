"""Videos as people see them: which stream, when, which way up, how wide, and how bright."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.worker.media import tone
from photorig.worker.media.reading import read_footage, read_picture

FAULTS = Path(__file__).parents[2] / "data" / "faults"
RED, GREEN, BLUE, GREY = [220, 30, 30], [30, 200, 30], [30, 30, 220], [120, 120, 120]
CORNERS = np.array([[RED, GREEN], [BLUE, GREY]], np.uint8).repeat(32, 0).repeat(32, 1)
"""Tells each way up from the seven others."""


def write_film(
    path: Path,
    pictures: Sequence[np.ndarray],
    times: Sequence[float] | None = None,
    rate: int = 25,
    prepare: Callable[[Any], None] = lambda stream: None,
    **options: str,
) -> Path:
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "10", "bf": "0"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        prepare(stream)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.color_trc = stream.codec_context.color_trc
            frame.color_primaries = stream.codec_context.color_primaries
            if times is not None:
                frame.pts, frame.time_base = round(1000 * times[number]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def levels(n: int) -> list[np.ndarray]:
    return [np.full((64, 64, 3), 20 + 10 * number, np.uint8) for number in range(n)]


def times_of(path: Path) -> list[float]:
    return [round(timed.time, 4) for timed in read_footage(path).pictures if timed.time is not None]


def first(path: Path) -> np.ndarray:
    return next(read_footage(path).pictures).picture


def patch(path: Path, box: bytes, at: int, content: bytes) -> None:
    data = bytearray(path.read_bytes())
    start = data.index(box) + 4 + at
    data[start : start + len(content)] = content
    path.write_bytes(data)


# --- time


@pytest.mark.parametrize("rate", [24, 25, 30, 60])
def test_each_frame_has_its_time_and_the_film_its_rate(tmp_path: Path, rate: int) -> None:
    path = write_film(tmp_path / "a.mp4", levels(5), rate=rate)
    assert read_footage(path).rate == rate
    assert times_of(path) == pytest.approx([number / rate for number in range(5)], abs=1e-3)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "ts"])
def test_a_variable_rate_is_kept(tmp_path: Path, ending: str) -> None:
    times = [0, 0.04, 0.08, 0.5, 0.54, 1.0]
    path = write_film(tmp_path / f"a.{ending}", levels(6), times)
    assert times_of(path) == pytest.approx(times, abs=2e-3)


def test_an_edit_list_says_where_the_film_begins(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", levels(10), rate=25)
    with av.open(str(path)) as container:
        scale = container.streams.video[0].time_base.denominator
    # version, flags, one entry: duration, media time, rate. The first four frames are cut away.
    patch(path, b"elst", 8, struct.pack(">II", 240, 4 * scale // 25))
    footage = list(read_footage(path).pictures)
    assert [round(timed.time or 0, 3) for timed in footage] == [0, 0.04, 0.08, 0.12, 0.16, 0.2]
    assert footage[0].picture.mean() == pytest.approx(60, abs=3)


def test_an_animation_says_how_long_each_frame_is_seen(tmp_path: Path) -> None:
    frames = [Image.fromarray(level) for level in levels(3)]
    durations = [100, 300, 50]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=durations)
    assert times_of(tmp_path / "a.gif") == [0, 0.1, 0.4]


# --- which stream


def with_cover(path: Path, cover_first: bool, has_film: bool, sound: bool) -> Path:
    with av.open(str(path), "w") as container:
        kinds = ["cover", "film"] if cover_first else ["film", "cover"]
        streams = {}
        for kind in kinds if has_film else ["cover"]:
            streams[kind] = container.add_stream("mpeg4" if kind == "film" else "mjpeg", rate=25)
            streams[kind].width = streams[kind].height = 64 if kind == "film" else 96
            streams[kind].pix_fmt = "yuv420p" if kind == "film" else "yuvj420p"
        if sound:
            audio = container.add_stream("aac", rate=48000)
        for number in range(5 if has_film else 0):
            for kind in kinds:
                if number == 0 or kind == "film":
                    size = streams[kind].width
                    grey = np.full((size, size, 3), 40 if kind == "film" else 230, np.uint8)
                    frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
                    container.mux(streams[kind].encode(frame))
        if not has_film:
            grey = np.full((96, 96, 3), 230, np.uint8)
            container.mux(streams["cover"].encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        if sound:
            for start in range(0, 48000, 1024):
                noise = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                noise.sample_rate, noise.pts = 48000, start
                container.mux(audio.encode(noise))
            container.mux(audio.encode())
        for stream in streams.values():
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize("cover_first", [True, False])
@pytest.mark.parametrize("sound", [True, False])
def test_a_cover_is_not_the_film(tmp_path: Path, cover_first: bool, sound: bool) -> None:
    path = with_cover(tmp_path / "a.mkv", cover_first, True, sound)
    pictures = [timed.picture for timed in read_footage(path).pictures]
    assert len(pictures) == 5
    assert pictures[0].shape == (64, 64, 3)


def test_a_film_of_pictures_is_a_film(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuvj420p"
        for level in levels(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(level, format="rgb24")))
        container.mux(stream.encode())
    assert len(list(read_footage(path).pictures)) == 4


def test_a_song_with_a_cover_is_sound_only() -> None:
    with pytest.raises(InputError, match=r"song\.mp3 holds sound only"):
        read_footage(FAULTS / "song.mp3")


def test_sound_with_a_cover_that_does_not_say_so_is_sound_only(tmp_path: Path) -> None:
    path = with_cover(tmp_path / "a.mkv", True, False, True)
    with pytest.raises(InputError, match="holds sound only"):
        read_footage(path)


# --- shape


@pytest.mark.parametrize(
    ("aspect", "size"), [("4/3", (64, 85)), ("1/2", (128, 64)), ("1", (64, 64))]
)
def test_pixels_become_square(tmp_path: Path, aspect: str, size: tuple[int, int]) -> None:
    def stretch(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)

    path = write_film(tmp_path / "a.mp4", [CORNERS], prepare=stretch)
    picture = first(path)
    assert picture.shape[:2] == size
    assert_corners(picture, CORNERS)


def test_a_pixel_a_hundred_times_as_wide_is_damage(tmp_path: Path) -> None:
    def stretch(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(100)

    assert first(write_film(tmp_path / "a.mp4", [CORNERS], prepare=stretch)).shape[:2] == (64, 64)


def assert_corners(picture: np.ndarray, expected: np.ndarray) -> None:
    h, w = picture.shape[:2]
    for y, x in ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)):
        seen = picture[int(h * y), int(w * x)].astype(int)
        wanted = expected[int(64 * y), int(64 * x)].astype(int)
        assert np.abs(seen - wanted).max() < 30, (y, x)


MATRICES = {
    "as it lies": ((1, 0, 0, 1), lambda a: a),
    "a quarter clockwise": ((0, 1, -1, 0), lambda a: np.rot90(a, -1)),
    "upside down": ((-1, 0, 0, -1), lambda a: np.rot90(a, 2)),
    "a quarter the other way": ((0, -1, 1, 0), lambda a: np.rot90(a, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda a: a[:, ::-1]),
    "upside down in a mirror": ((1, 0, 0, -1), lambda a: a[::-1]),
    "transposed": ((0, 1, 1, 0), lambda a: a.transpose(1, 0, 2)),
    "a quarter and mirrored": ((0, -1, -1, 0), lambda a: np.rot90(a, 1)[:, ::-1]),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_display_matrices_turn_and_mirror(tmp_path: Path, name: str, ending: str) -> None:
    (a, b, c, d), expected = MATRICES[name]
    path = write_film(tmp_path / f"a.{ending}", [CORNERS])
    numbers = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    patch(path, b"tkhd", 40, struct.pack(">9i", *numbers))
    assert_corners(first(path), expected(CORNERS))


def test_a_lying_film_of_wide_pixels_stands(tmp_path: Path) -> None:
    def stretch(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(2)

    path = write_film(tmp_path / "a.mp4", [CORNERS], prepare=stretch)
    patch(path, b"tkhd", 40, struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30))
    picture = first(path)
    assert picture.shape[:2] == (128, 64)
    assert_corners(picture, np.rot90(CORNERS, -1))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize(("dpi", "size"), [((100, 200), (64, 128)), ((200, 100), (128, 64))])
def test_pixels_of_pictures_become_square(
    tmp_path: Path, format: str, dpi: tuple[int, int], size: tuple[int, int]
) -> None:
    Image.fromarray(CORNERS).save(tmp_path / "a", format, dpi=dpi)
    picture = read_picture(tmp_path / "a")
    assert picture.shape[:2] == size
    assert_corners(picture, CORNERS)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_a_lying_picture_of_narrow_pixels_stands(tmp_path: Path, format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(CORNERS)))
    turned.save(tmp_path / "a", format, dpi=(100, 200), exif=exif)
    picture = read_picture(tmp_path / "a")
    assert picture.shape[:2] == (128, 64)
    assert_corners(picture, CORNERS)


@pytest.mark.parametrize("dpi", [(72, 72), (72, 72.5), (1, 1000)])
def test_densities_that_mean_nothing_stretch_nothing(
    tmp_path: Path, dpi: tuple[float, float]
) -> None:
    Image.fromarray(CORNERS).save(tmp_path / "a.png", dpi=dpi)
    assert read_picture(tmp_path / "a.png").shape == (64, 64, 3)


# --- light


def linear(srgb: np.ndarray) -> np.ndarray:
    values = srgb / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def as_hlg(srgb: np.ndarray) -> np.ndarray:
    """As BT.2408 puts ordinary footage into HLG: white at three quarters."""
    light = linear(srgb) @ TO_2020.T * 0.26496
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(
        light <= 1 / 12, np.sqrt(3 * light), a * np.log(np.maximum(12 * light - b, 1e-9)) + c
    )


def as_pq(srgb: np.ndarray) -> np.ndarray:
    light = np.maximum(linear(srgb) @ TO_2020.T * 203 / 10_000, 0) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * light) / (1 + 2392 / 128 * light)) ** (2523 / 32)


SKIN = np.linspace(0.2, 1, 16)[:, None, None] * np.array([[[205, 160, 130], [170, 110, 90]]])


@pytest.mark.parametrize(("transfer", "put"), [(tone.HLG, as_hlg), (tone.PQ, as_pq)])
def test_skin_comes_back_from_high_dynamic_range(
    transfer: str, put: Callable[[np.ndarray], np.ndarray]
) -> None:
    back = tone.to_srgb(put(SKIN).astype(np.float32), transfer)
    assert np.abs(back - SKIN).max() < 3


@pytest.mark.parametrize("transfer", [tone.HLG, tone.PQ])
def test_what_is_brighter_than_white_rolls_off_and_stays_in_order(transfer: str) -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None, :, None].repeat(3, 2)
    levels = tone.to_srgb(ramp, transfer)[0, :, 0].astype(int)
    assert (np.diff(levels) >= 0).all()
    assert levels[0] == 0 and levels[-1] == 255
    white = levels[int(255 * (0.75 if transfer == tone.HLG else 0.58))]
    assert 225 < white < 250


@pytest.mark.parametrize(
    ("number", "put", "naive"), [(18, as_hlg, True), (16, as_pq, True), (13, None, False)]
)
def test_films_of_high_dynamic_range_look_like_others(
    tmp_path: Path, number: int, put: Callable[[np.ndarray], np.ndarray] | None, naive: bool
) -> None:
    srgb = np.broadcast_to(np.array([205, 160, 130], np.uint8), (64, 64, 3))
    stored = srgb if put is None else np.rint(255 * put(srgb.astype(float))).astype(np.uint8)

    def mark(stream: Any) -> None:
        stream.codec_context.color_trc = number
        stream.codec_context.color_primaries = 9 if put else 1

    path = write_film(tmp_path / "a.mp4", [np.ascontiguousarray(stored)], prepare=mark)
    # Encoded by the matrix of BT.601, which is near enough here.
    assert np.abs(first(path).astype(int) - srgb).max() < (40 if put else 6)
    assert naive == (np.abs(stored.astype(int) - srgb).max() > 40)


@pytest.mark.parametrize(("number", "put"), [(18, as_hlg), (16, as_pq)])
def test_pictures_of_high_dynamic_range_look_like_others(
    tmp_path: Path, number: int, put: Callable[[np.ndarray], np.ndarray]
) -> None:
    import zlib

    srgb = np.broadcast_to(np.array([205, 160, 130], np.uint8), (16, 16, 3))
    path = tmp_path / "a.png"
    Image.fromarray(np.rint(255 * put(srgb.astype(float))).astype(np.uint8)).save(path)
    content = path.read_bytes()
    chunk = b"cICP" + bytes([9, number, 0, 1])
    chunk = struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(content[:33] + chunk + content[33:])
    assert np.abs(read_picture(path).astype(int) - srgb).max() < 8
