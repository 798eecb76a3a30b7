"""When the frames of a recording are seen, and what is seen where the file has none."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import pytest

from photorig.shared.parameters.file import (
    FrameParameters,
    Recording,
    differences,
    read,
    read_recording,
    write,
)
from photorig.shared.parameters.timeline import constant_rate, parse_rate, timeline

NTSC = Fraction(30000, 1001)


def take(numbers: Iterable[int], rate: float = 24, start: float = 0.0) -> list[FrameParameters]:
    """Frames from 1 on whose jaw opens by a hundredth each."""
    return [
        FrameParameters(each, {"jawOpen": each / 100}, start + (each - 1) / rate)
        for each in numbers
    ]


def jaws(frames: Iterable[FrameParameters]) -> list[float]:
    return [round(100 * frame.values["jawOpen"], 3) for frame in frames]


# --- the file


def test_a_file_keeps_rate_time_stamps_and_length(tmp_path: Path) -> None:
    frames, recording = take([1, 2, 5], float(NTSC)), Recording(NTSC, 8)
    write(tmp_path / "take.jsonl", frames, recording)
    back, told = read_recording(tmp_path / "take.jsonl")
    assert told == recording
    assert [frame.time for frame in back] == pytest.approx([each.time for each in frames], abs=1e-6)
    assert [frame.time for frame in differences(back)] == [frame.time for frame in back]


def test_a_file_without_times_stays_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "take.jsonl", [FrameParameters(1, {"jawOpen": 0.5})])
    text = (tmp_path / "take.jsonl").read_text()
    assert text == '{"frame": 1, "parameters": {"jawOpen": 0.5}}\n'
    assert read_recording(tmp_path / "take.jsonl")[1] == Recording()


@pytest.mark.parametrize(
    "keys",
    [
        '"time": "01:00:00:00"',
        '"time": -1',
        '"time": NaN',
        '"time": true',
        '"time": 1e300',
        '"recording": 7',
        '"recording": {"fps": "1/0", "frames": -3}',
        '"recording": {"fps": "inf", "frames": "many"}',
        '"recording": {"fps": -24, "frames": 2.5}',
        '"recording": {"fps": [24]}',
    ],
)
def test_what_other_programs_mean_by_these_words_is_passed_over(tmp_path: Path, keys: str) -> None:
    (tmp_path / "take.jsonl").write_text(f'{{"frame": 1, {keys}, "parameters": {{}}}}\n')
    assert read_recording(tmp_path / "take.jsonl") == ([FrameParameters(1)], Recording())
    assert read(tmp_path / "take.jsonl") == [FrameParameters(1)]


# --- rates


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("24", 24),
        (" 25 ", 25),
        ("12.5", Fraction(25, 2)),
        ("0.5", Fraction(1, 2)),
        ("30000/1001", NTSC),
        ("24000 / 1001", Fraction(24000, 1001)),
        ("30/1.001", NTSC),
        ("29.97", NTSC),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("1e2", 100),
    ],
)
def test_positive_numbers_and_fractions_are_rates(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == rate


NO_RATES = ["", "0", "-24", "nan", "inf", "24/0", "0/24", "fast", "24fps", "1/2/3", "1e9", "1e-9"]


@pytest.mark.parametrize("text", [*NO_RATES, "/", "24/", "/1001", "٢٤x", "0x18", "1e400"])
def test_everything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rate(text)


@pytest.mark.parametrize("rate", [24, 25, 30, 60, NTSC, Fraction(24000, 1001), Fraction(25, 2)])
@pytest.mark.parametrize("claimed", [None, Fraction(1000), "right"])
def test_times_rounded_to_milliseconds_have_the_rate_they_came_from(
    rate: Fraction, claimed: Fraction | str | None
) -> None:
    times = [round(number / float(rate), 3) for number in range(200)]
    given = Fraction(rate) if claimed == "right" else claimed
    found = constant_rate(times, given)  # type: ignore[arg-type]
    assert float(found or 0) == pytest.approx(float(rate), abs=2e-3)
    if claimed == "right":
        assert found == rate


def test_a_variable_rate_is_an_average_and_one_frame_has_the_claimed_one() -> None:
    assert constant_rate([0, 0.04, 0.08, 1.0], Fraction(25)) == 3
    assert constant_rate([0.0], Fraction(25)) == 25
    assert constant_rate([0.0], None) is None


# --- films


def test_a_recording_is_shown_at_its_own_rate() -> None:
    film = timeline(take(range(1, 21), 30), Recording(Fraction(30), 20))
    assert (film.rate, film.times, len(film.frames)) == (30, None, 20)
    assert film.bridged == film.held == []


def test_a_rate_that_is_asked_for_counts_more_than_the_recordings() -> None:
    film = timeline(take([1, 2, 4], 10), Recording(Fraction(10), 4), Fraction(24))
    assert (film.rate, film.times, len(film.frames)) == (24, None, 4)


def test_without_a_word_about_time_it_is_24_a_second() -> None:
    film = timeline([FrameParameters(n) for n in (3, 1, 2)], Recording())
    assert (film.rate, film.times) == (24, None)
    assert [frame.frame for frame in film.frames] == [1, 2, 3]


@pytest.mark.parametrize("recording", [Recording(Fraction(24), 20), Recording()])
def test_a_short_gap_is_bridged(recording: Recording) -> None:
    film = timeline(take([*range(1, 9), *range(14, 21)]), recording)
    assert [frame.frame for frame in film.frames] == list(range(1, 21))
    assert jaws(film.frames) == list(range(1, 21))
    assert film.bridged == [9, 10, 11, 12, 13]
    assert film.times is None


def test_a_long_gap_is_held_and_then_led_back() -> None:
    film = timeline(take([*range(1, 9), *range(109, 121)]), Recording(Fraction(24), 120))
    assert len(film.frames) == 120
    assert film.held == list(range(9, 97))
    assert film.bridged == list(range(97, 109))
    assert set(jaws(film.frames)[8:96]) == {8}
    steps = [b - a for a, b in zip(jaws(film.frames)[95:], jaws(film.frames)[96:109], strict=False)]
    assert max(steps) == pytest.approx(min(steps), abs=0.01)


def test_the_ends_are_held_so_that_sound_stays_in_time() -> None:
    film = timeline(take(range(5, 11)), Recording(Fraction(24), 14))
    assert jaws(film.frames) == [5, 5, 5, 5, 5, 6, 7, 8, 9, 10, 10, 10, 10, 10]
    assert film.held == [1, 2, 3, 4, 11, 12, 13, 14]
    assert film.times is None


def test_every_second_frame_of_a_shot_is_no_gap() -> None:
    film = timeline(
        [FrameParameters(n, {"jawOpen": n / 100}) for n in (1, 3, 5, 9, 11)], Recording()
    )
    assert [frame.frame for frame in film.frames] == [1, 3, 5, 7, 9, 11]
    assert film.bridged == [7]


@pytest.mark.parametrize("numbers", [(1,), (1, 50), (1, 50, 100), (1, 2, 10_000_000)])
def test_poses_and_pieces_are_not_filled_up(numbers: tuple[int, ...]) -> None:
    film = timeline([FrameParameters(n) for n in numbers], Recording())
    assert [frame.frame for frame in film.frames] == list(numbers)


def test_a_variable_rate_is_kept_and_gaps_lie_between_its_times() -> None:
    times = [0, 0.04, 0.08, 0.5, 0.54, 1.0]
    frames = [FrameParameters(n, {}, time) for n, time in enumerate(times, 1) if n not in (3, 6)]
    film = timeline(frames, Recording(Fraction(5), 6))
    assert film.times == pytest.approx([0, 0.04, 0.27, 0.5, 0.54, 0.74])


def test_a_film_that_begins_late_shows_its_first_frame_meanwhile() -> None:
    film = timeline(take(range(1, 5), 24, start=0.5), Recording(Fraction(24), 4))
    assert film.times == pytest.approx([0, 0.5 + 1 / 24, 0.5 + 2 / 24, 0.5 + 3 / 24])


def test_an_hour_is_no_matter() -> None:
    frames = [each for each in take(range(1, 108_001), 30) if each.frame % 700 > 20]
    film = timeline(frames, Recording(Fraction(30), 108_000))
    assert len(film.frames) == 108_000
