"""Which phonemes are heard, and when: PocketSphinx with the American English model of its wheel.

What is said is known best from its text. Without it words are recognised, and their phonemes laid
over the sound; a piece in which no words are found, and languages other than English, go by
phonemes alone, which mistakes one sound for another more often.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from photorig.shared.errors import InputError, PhotorigError

from .phonemes import GLIDES, MOUTHS, SILENCE, Phoneme
from .sound import RATE, quiet_stretches

_FRAME_SECONDS = 0.01
_SHORTEST_PIECE, _LONGEST_PIECE = 8.0, 16.0
"""Seconds between which sound is cut, where it is quietest."""
_QUIET_SECONDS = 0.1
_LEAST_SPEECH_SECONDS = 0.1
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


@dataclass(frozen=True)
class Heard:
    """What was recognised.

    Attributes:
        phonemes: in the order of their times, silences among them.
        words: what was said, "" where it went by phonemes alone.
        unknown: words of a given text that the dictionary lacks.
    """

    phonemes: list[Phoneme]
    words: str
    unknown: tuple[str, ...] = ()


def pieces_of(samples: np.ndarray) -> list[tuple[int, int]]:
    """First sample and the one after the last of each piece: cut where it is quietest."""
    cuts = [0]
    window = round(_QUIET_SECONDS * RATE)
    while len(samples) - cuts[-1] > _LONGEST_PIECE * RATE:
        first = cuts[-1] + round(_SHORTEST_PIECE * RATE)
        part = samples[first : cuts[-1] + round(_LONGEST_PIECE * RATE)].astype(np.float64)
        power = np.convolve(np.square(part), np.ones(window), "valid")
        cuts.append(first + int(power.argmin()) + window // 2)
    return list(zip(cuts, [*cuts[1:], len(samples)], strict=True))


class Recogniser:
    """Hears phonemes. Making one is quick; models are loaded when they are needed."""

    def __init__(self) -> None:
        """Raises PhotorigError where PocketSphinx is missing."""
        try:
            import pocketsphinx
        except ImportError as error:
            raise PhotorigError(
                "The speech recogniser is not installed",
                "'pip install pocketsphinx' in the worker's environment.",
            ) from error
        self._library = pocketsphinx

    def hear(self, samples: np.ndarray, by_words: bool, on_piece: Callable[[float], None]) -> Heard:
        """The phonemes of a sound whose text nobody has given.

        Args:
            samples: (n,) int16, RATE a second.
            by_words: English is spoken; else phonemes alone.
            on_piece: told after each piece how many seconds are done.
        """
        phonemes: list[Phoneme] = []
        words: list[str] = []
        for first, last in pieces_of(samples):
            piece, start = samples[first:last], first / RATE
            said, found = "", [Phoneme(SILENCE, 0.0, len(piece) / RATE)]
            if not _is_quiet(piece):
                said, found = self._by_words(piece) if by_words else ("", [])
            phonemes += [_later(each, start) for each in found or self._by_phonemes(piece)]
            words += [said] if said else []
            on_piece(last / RATE)
        return Heard(_heard(phonemes, quiet_stretches(samples)), " ".join(words))

    def follow(self, samples: np.ndarray, text: str) -> Heard:
        """The phonemes of a sound of which it is known what is said.

        Raises:
            InputError: no word of it is known, or it cannot be laid over the sound.
        """
        decoder = self._english(lm=None)
        words = _WORD.findall(text.lower().replace("’", "'"))
        known = [word for word in words if decoder.lookup_word(word) is not None]
        if not known:
            raise InputError("No word of the text is English", "Leave the text out.")
        decoder.set_align_text(" ".join(known))
        phonemes = self._aligned(decoder, samples) if self._decoded(decoder, samples) else []
        if not phonemes:
            raise InputError(
                "The text does not fit what is heard",
                "Give the words that are spoken, all of them and no others, or no text.",
            )
        phonemes = _heard(phonemes, quiet_stretches(samples))
        unknown = tuple(dict.fromkeys(word for word in words if word not in known))
        return Heard(phonemes, " ".join(known), unknown)

    def _by_words(self, samples: np.ndarray) -> tuple[str, list[Phoneme]]:
        decoder = self._words
        if not self._decoded(decoder, samples):
            return "", []
        said = decoder.hyp()
        text = re.sub(r"\(\d+\)|<[^>]*>|\[[^]]*\]|\+\+\w+\+\+", "", said.hypstr if said else "")
        if not text.strip():
            return "", []
        found = self._aligned(decoder, samples)
        decoder.activate_search()
        return " ".join(text.split()), found

    def _by_phonemes(self, samples: np.ndarray) -> list[Phoneme]:
        decoder = self._phonemes
        if not self._decoded(decoder, samples):
            return [Phoneme(SILENCE, 0.0, len(samples) / RATE)]
        return [
            _phoneme(segment.word, segment.start_frame, segment.end_frame + 1)
            for segment in decoder.seg() or ()
        ]

    def _aligned(self, decoder: Any, samples: np.ndarray) -> list[Phoneme]:
        """The phonemes of the words that were found; a second pass over the same sound."""
        try:
            decoder.set_alignment()
        except RuntimeError:
            return []
        if not self._decoded(decoder, samples):
            return []
        return list(_of_alignment(decoder.get_alignment()))

    def _decoded(self, decoder: Any, samples: np.ndarray) -> bool:
        """Whether the recogniser came to the end of it."""
        decoder.start_utt()
        try:
            decoder.process_raw(samples.tobytes(), full_utt=True)
        finally:
            try:
                decoder.end_utt()
            except RuntimeError:
                return False
        return True

    @cached_property
    def _words(self) -> Any:
        return self._english(lm=self._model("en-us/en-us.lm.bin"))

    @cached_property
    def _phonemes(self) -> Any:
        return self._decoder(
            lm=None, dict=None, allphone=self._model("en-us/en-us-phone.lm.bin"), lw=2.0
        )

    def _english(self, lm: str | None) -> Any:
        return self._decoder(lm=lm, dict=self._model("en-us/cmudict-en-us.dict"))

    def _decoder(self, **settings: Any) -> Any:
        return self._library.Decoder(
            hmm=self._model("en-us/en-us"), samprate=float(RATE), loglevel="FATAL", **settings
        )

    def _model(self, name: str) -> str:
        return str(self._library.get_model_path(name))


def _of_alignment(alignment: Any) -> Iterator[Phoneme]:
    for word in alignment or ():
        for phone in word:
            yield _phoneme(phone.name, phone.start, phone.start + phone.duration)


def _phoneme(name: str, first: int, last: int) -> Phoneme:
    known = name if name in MOUTHS or name in GLIDES else SILENCE  # noises, breath
    return Phoneme(known, first * _FRAME_SECONDS, last * _FRAME_SECONDS)


def _is_quiet(samples: np.ndarray) -> bool:
    """Whether there is nothing in it, in which recognisers hear words all the same."""
    quiet = sum(end - start for start, end in quiet_stretches(samples))
    return len(samples) / RATE - quiet < _LEAST_SPEECH_SECONDS


def _heard(phonemes: list[Phoneme], quiet: list[tuple[float, float]]) -> list[Phoneme]:
    """The phonemes without what is said to be heard in silence."""
    kept: list[Phoneme] = []
    for each in phonemes:
        parts = [(each.start, each.end)]
        for start, end in quiet if each.name != SILENCE else ():
            parts = [
                part
                for first, last in parts
                for part in ((first, min(last, start)), (max(first, end), last))
            ]
        kept += [Phoneme(each.name, *part) for part in parts if part[1] - part[0] >= _FRAME_SECONDS]
    return kept


def _later(phoneme: Phoneme, seconds: float) -> Phoneme:
    return Phoneme(phoneme.name, phoneme.start + seconds, phoneme.end + seconds)
