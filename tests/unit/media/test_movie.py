"""Films of every kind that can be made: complete, in time, and saying what they are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.shared.files.provenance import DIGITAL_SOURCE_TYPE
from photorig.worker.cli.render import MOVIES
from photorig.worker.media.movie import KINDS, write_movie
from photorig.worker.media.reading import read_footage

PHOTO = np.array(Image.open(Path(__file__).parents[2] / "data" / "astronaut.jpg").convert("RGB"))
FRAMES = [np.roll(PHOTO[:129, :161], 5 * number, 1) for number in range(8)]


def test_the_command_offers_what_can_be_made() -> None:
    assert tuple(KINDS) == MOVIES


@pytest.mark.parametrize("suffix", [*KINDS, ".MOV"])
def test_each_kind_is_a_film_of_that_kind_with_every_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    assert write_movie(path, FRAMES, 25) == 8
    with av.open(str(path)) as container:
        names = container.format.name.split(",")
        told = " ".join(container.metadata.values())
    assert KINDS[suffix.lower()].container in names
    assert DIGITAL_SOURCE_TYPE in told
    footage = list(read_footage(path).pictures)
    assert [timed.time for timed in footage] == pytest.approx(
        [number / 25 for number in range(8)], abs=1e-3
    )
    for timed, frame in zip(footage, FRAMES, strict=True):
        # Colour is stored for two by two pixels, and the camera's noise is not kept.
        assert np.abs(timed.picture[:129, :161].astype(int) - frame).mean() < 6
    assert list(tmp_path.iterdir()) == [path]


def test_a_gif_holds_24_frames_a_second_on_the_average(tmp_path: Path) -> None:
    write_movie(tmp_path / "x.gif", FRAMES[:2] * 24, 24)
    times = [timed.time or 0 for timed in read_footage(tmp_path / "x.gif").pictures]
    assert times[-1] == pytest.approx(47 / 24, abs=0.006)
    content = (tmp_path / "x.gif").read_bytes()
    assert DIGITAL_SOURCE_TYPE.encode()[:100] in content.replace(b"\xff", b"")
    with Image.open(tmp_path / "x.gif") as image:
        assert image.n_frames == 48


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(1, 2), 60])
def test_odd_rates_last_as_long_as_they_should(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    write_movie(tmp_path / f"x{suffix}", FRAMES, rate)
    times = [timed.time for timed in read_footage(tmp_path / f"x{suffix}").pictures]
    step = 0.006 if suffix == ".gif" else 0.0011
    expected = [number / float(rate) for number in range(8)]
    if suffix == ".gif" and rate == 60:  # it has no more than 50 a second
        expected = [expected[number] for number in (0, 1, 3, 4, 6, 7)]
    assert times == pytest.approx(expected, abs=step)


@pytest.mark.parametrize("suffix", KINDS)
def test_times_of_their_own_are_kept(tmp_path: Path, suffix: str) -> None:
    times = [0, 0.04, 0.5, 0.54, 0.58, 0.9, 1.4, 1.44]
    write_movie(tmp_path / f"x{suffix}", FRAMES, 25, times)
    seen = [timed.time for timed in read_footage(tmp_path / f"x{suffix}").pictures]
    assert seen == pytest.approx(times, abs=1e-3)
    with av.open(str(tmp_path / f"x{suffix}")) as container:
        assert (container.duration or 0) / av.time_base == pytest.approx(1.48, abs=0.011)


def test_a_kind_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"MP4, MOV, MKV, WEBM and GIF"):
        write_movie(tmp_path / "x.avi", FRAMES, 25)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_name_at_the_limit_is_none_too_many(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / ("x" * (255 - len(suffix)) + suffix)
    write_movie(path, FRAMES, 25)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", KINDS)
def test_a_film_that_does_not_fit_is_a_sentence_and_leaves_the_old_one(
    tmp_path: Path, suffix: str
) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"the old one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(1).integers(0, 256, (40, 128, 160, 3), np.uint8)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        with pytest.raises(InputError, match="Cannot write"):
            write_movie(path, noise, 25)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_frame_raises_goes_through(tmp_path: Path) -> None:
    def frames():
        yield FRAMES[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_movie(tmp_path / "x.mp4", frames(), 25)
    assert not list(tmp_path.iterdir())
