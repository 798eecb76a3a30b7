"""Somebody speaks, and a mouth follows: what is heard, when, and what lips do for it.

apples.flac was synthesised (tests/data/README.md), so that its phonemes and their times are known.
"""

from __future__ import annotations

import itertools
import json
import statistics
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.file import FrameParameters, read_recording
from photorig.worker.cli.main import main
from photorig.worker.speech.coarticulation import curves
from photorig.worker.speech.phonemes import (
    CLOSING,
    GLIDES,
    MOUTHS,
    PARAMETERS,
    SILENCE,
    Phoneme,
)
from photorig.worker.speech.recognition import Heard, Recogniser, pieces_of
from photorig.worker.speech.sound import RATE, Sound, read_sound

SPEECH = Path(__file__).resolve().parents[2] / "data" / "speech"
LIPS = {"P": "lips", "B": "lips", "M": "lips", "F": "teeth", "V": "teeth"}


@pytest.fixture(scope="module")
def sound() -> Sound:
    return read_sound(SPEECH / "apples.flac")


@pytest.fixture(scope="module")
def truth() -> list[Phoneme]:
    rows = [line.split("\t") for line in (SPEECH / "apples.tsv").read_text().splitlines()]
    return [Phoneme(name, float(start), float(end)) for start, end, name in rows]


@pytest.fixture(scope="module")
def followed(sound: Sound) -> Heard:
    return Recogniser().follow(sound.samples, (SPEECH / "apples.txt").read_text())


@pytest.fixture(scope="module")
def heard(sound: Sound) -> Heard:
    return Recogniser().hear(sound.samples, True, lambda _: None)


def matched(truth: list[Phoneme], found: list[Phoneme]) -> list[float | None]:
    """Seconds between where lips should close and where they do, None where they do not."""
    errors: list[float | None] = []
    for each in (each for each in truth if each.name in LIPS):
        starts = [p.start for p in found if LIPS.get(p.name) == LIPS[each.name]]
        nearest = min((abs(start - each.start) for start in starts), default=1.0)
        errors.append(nearest if nearest < 0.1 else None)
    return errors


def test_with_its_text_every_sound_of_the_lips_is_heard_within_30_ms(
    truth: list[Phoneme], followed: Heard
) -> None:
    errors = matched(truth, followed.phonemes)
    assert None not in errors
    assert statistics.median(e for e in errors if e is not None) < 0.015
    assert max(e for e in errors if e is not None) < 0.03


def test_without_text_most_are_heard_at_their_time(truth: list[Phoneme], heard: Heard) -> None:
    errors = matched(truth, heard.phonemes)
    found = [error for error in errors if error is not None]
    assert len(found) >= 0.6 * len(errors)
    assert statistics.median(found) < 0.02
    assert "boy" in heard.words and "moved away" in heard.words


def test_other_languages_go_by_sounds_alone(sound: Sound) -> None:
    heard = Recogniser().hear(sound.samples, False, lambda _: None)
    assert heard.words == ""
    assert len([each for each in heard.phonemes if each.name != SILENCE]) > 20


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30000, 1001), Fraction(12)])
def test_lips_are_seen_to_meet_in_a_frame_of_every_closure(
    truth: list[Phoneme], sound: Sound, rate: Fraction
) -> None:
    frames = curves(truth, rate, sound.seconds)
    for each in (each for each in truth if LIPS.get(each.name) == "lips"):
        values = frames[round((each.start + each.end) / 2 * rate)].values
        assert values["jawOpen"] < 0.12, each
        assert values["mouthPressLeft"] > 0.3, each


def test_vowels_open_the_mouth_and_round_it(truth: list[Phoneme], sound: Sound) -> None:
    frames = curves(truth, Fraction(100), sound.seconds)

    def at(name: str) -> dict[str, float]:
        each = next(phoneme for phoneme in truth if phoneme.name == name)
        return frames[round((each.start + each.end) * 50)].values

    assert at("AA")["jawOpen"] > 0.35
    assert at("AY")["jawOpen"] > 0.25
    assert at("W")["mouthPucker"] > 0.5
    assert at("F")["mouthRollLower"] > 0.4


def test_in_silence_the_mouth_is_shut(truth: list[Phoneme], sound: Sound) -> None:
    frames = curves(truth, Fraction(100), sound.seconds)
    for time in (0.0, 0.05, sound.seconds):
        values = frames[round(time * 100)].values
        assert max(values.values()) < 0.06, time
    assert all(set(frame.values) == set(PARAMETERS) for frame in frames), "it comes back to rest"


def test_what_comes_next_is_prepared_while_something_else_is_said() -> None:
    def puckered(vowel: str) -> float:
        said = [Phoneme("S", 0.2, 0.3), Phoneme(vowel, 0.3, 0.5)]
        return curves(said, Fraction(100), 1.0)[27].values["mouthPucker"]

    assert puckered("UW") > puckered("IY") + 0.15


def test_lips_meet_rounded_between_round_vowels() -> None:
    said = [Phoneme("UW", 0.3, 0.5), Phoneme("M", 0.5, 0.58), Phoneme("UW", 0.58, 0.8)]
    values = curves(said, Fraction(100), 1.2)[54].values
    assert values["mouthPressLeft"] > 0.35
    assert values["mouthPucker"] > 0.4


def test_strength_scales_all_but_the_meeting_of_lips() -> None:
    said = [Phoneme("B", 0.5, 0.6), Phoneme("AA", 0.6, 0.9)]

    def at(place: int, strength: float) -> dict[str, float]:
        return curves(said, Fraction(100), 2.0, strength)[place].values

    assert at(75, 0.5)["jawOpen"] == pytest.approx(at(75, 1.0)["jawOpen"] / 2, rel=0.05)
    assert at(55, 0.5)["mouthPressLeft"] == pytest.approx(at(55, 1.0)["mouthPressLeft"], rel=0.05)


def test_every_phoneme_of_the_model_has_a_mouth() -> None:
    import pocketsphinx

    dictionary = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    names = {name for line in dictionary.open() for name in line.split()[1:]}
    assert names <= MOUTHS.keys() | GLIDES.keys()
    assert set(LIPS) == CLOSING


@pytest.mark.parametrize("seconds", [0.0, 0.001, 3.0])
def test_nobody_is_heard_in_silence_or_noise(seconds: float) -> None:
    count = round(seconds * RATE)
    for samples in (
        np.zeros(count, np.int16),
        np.random.default_rng(0).integers(-20, 20, count).astype(np.int16),
    ):
        heard = Recogniser().hear(samples, True, lambda _: None)
        assert all(each.name == SILENCE for each in heard.phonemes)


def test_long_sound_is_cut_where_it_is_quiet(sound: Sound) -> None:
    pause = np.zeros(RATE // 2, np.int16)
    samples = np.concatenate([np.concatenate([sound.samples, pause])] * 10)
    pieces = pieces_of(samples)
    assert pieces[0][0] == 0 and pieces[-1][1] == len(samples)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(pieces))
    assert all(last - first <= 16 * RATE for first, last in pieces)
    for first, _ in pieces[1:]:
        assert np.abs(samples[first - 400 : first + 400]).max() < 500


def test_the_command_writes_a_recording_at_the_rate_it_is_given(tmp_path: Path) -> None:
    out, table = tmp_path / "a.jsonl", tmp_path / "a.tsv"
    text = SPEECH / "apples.txt"
    words = ["lips", str(SPEECH / "apples.flac"), "--out", str(out), "--fps", "25"]
    assert main([*words, "--text", str(text), "--phonemes", str(table)]) == 0
    frames, recording = read_recording(out)
    assert (recording.rate, len(frames)) == (25, 89)
    assert frames[10].time == pytest.approx(0.4)
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    assert "AH P AH L Z" in " ".join(name for _, _, name in rows).replace("AE P", "AH P")


def test_a_track_that_begins_late_keeps_its_time(tmp_path: Path, sound: Sound) -> None:
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=RATE)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(sound.samples[None], format="s16", layout="mono")
        frame.rate, frame.pts, frame.time_base = RATE, RATE, Fraction(1, RATE)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    late = read_sound(path)
    assert late.seconds - sound.seconds in (
        pytest.approx(1.0, abs=0.05),
        pytest.approx(0, abs=0.05),
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "There is no file"),
        (lambda path: path.write_bytes(b""), "is no sound"),
        (lambda path: path.write_bytes(b"RIFF" + bytes(60)), "is no sound"),
        (lambda path: path.write_text("hello"), "is no sound"),
    ],
)
def test_what_is_no_sound_is_a_sentence(tmp_path: Path, make: object, sentence: str) -> None:
    path = tmp_path / "a.wav"
    make(path)  # type: ignore[operator]
    with pytest.raises(InputError, match=sentence):
        read_sound(path)


def test_a_sound_that_is_cut_off_is_used_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cut.flac"
    whole = (SPEECH / "apples.flac").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert main(["lips", str(path), "--out", str(tmp_path / "a.jsonl"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["phonemes"] > 5


def test_a_text_that_does_not_fit_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "a.txt"
    for said, sentence in (
        ("12 34", "No word of the text"),
        ("wholly other words " * 40, "not fit"),
    ):
        text.write_text(said)
        words = ["lips", str(SPEECH / "apples.flac"), "--out", str(tmp_path / "a.jsonl")]
        assert main([*words, "--text", str(text)]) == 1
        assert sentence in capsys.readouterr().err


def test_words_that_the_dictionary_lacks_are_passed_over_and_named(sound: Sound) -> None:
    heard = Recogniser().follow(
        sound.samples, "The boy put five xqzzy apples in my blue box and moved away"
    )
    assert heard.unknown == ("xqzzy",)


def test_curves_of_nothing_are_a_closed_mouth() -> None:
    frames: list[FrameParameters] = curves([], Fraction(24), 1.0)
    assert len(frames) == 25
    assert max(max(frame.values.values()) for frame in frames) < 1e-6
