"""Sounds to curves: each pulls the mouth its way, the more the nearer it is.

Cohen and Massaro 1993, "Modeling coarticulation in synthetic visual speech": a sound's dominance
falls as a negative exponential of the time to it, and a parameter is what all sounds together ask,
weighed by their dominances. Jaw, the meeting of lips and the mouth's width have dominances of their
own, so that an /s/ keeps the teeth together, and an /m/ the lips, while they already round for the
/u/ that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from photorig.shared.parameters.file import FrameParameters

from .phonemes import CLOSING, GLIDES, MOUTHS, PARAMETERS, SILENCE, Phoneme, dominance_of

_CORE = 0.5
"""Part of a sound, around its middle, in which it asks with all its might."""
_LEAST_CLOSURE = 0.045
"""Seconds that lips stay together, so that no frame of a film misses it."""
_LEAST_SILENCE = 0.12
"""A shorter silence is the stop of a consonant, over which the mouth does not close."""
_GREATEST_STRENGTH = 2.0


def curves(
    phonemes: Sequence[Phoneme], rate: Fraction, seconds: float, strength: float = 1.0
) -> list[FrameParameters]:
    """Frames from 0 to the end of the sound, with every parameter that speech moves.

    Args:
        phonemes: in the order of their times.
        rate: frames a second.
        seconds: how long the sound is.
        strength: of all but the meeting of lips, 0 to 2.
    """
    strength = min(max(strength, 0.0), _GREATEST_STRENGTH)
    count = max(1, round(seconds * rate) + 1)
    times = np.arange(count) / float(rate)
    sounds = _sounds(phonemes, seconds, float(rate))
    values = _blended(sounds, times, strength)
    return [
        FrameParameters(number, dict(zip(PARAMETERS, row.tolist(), strict=True)), float(time))
        for number, (time, row) in enumerate(zip(times, values, strict=True), start=1)
    ]


def _sounds(phonemes: Sequence[Phoneme], seconds: float, rate: float) -> list[Phoneme]:
    """Glides taken apart, stops merged, silence where nothing is said, closures on frames."""
    named = [each for each in phonemes if each.name in MOUTHS or each.name in GLIDES]
    sounds: list[Phoneme] = []
    last = 0.0
    for each in [*named, Phoneme(SILENCE, seconds, seconds)]:
        if each.start - last > _LEAST_SILENCE:
            sounds.append(Phoneme(SILENCE, last, each.start))
        last = max(last, each.end)
        if each.name in GLIDES:
            middle = (each.start + each.end) / 2
            first, second = GLIDES[each.name]
            sounds += [Phoneme(first, each.start, middle), Phoneme(second, middle, each.end)]
        elif each.name != SILENCE or each.end - each.start >= _LEAST_SILENCE:
            sounds.append(_on_a_frame(each, rate) if each.name in CLOSING else each)
    # Before and after all that is heard the mouth is shut.
    return [Phoneme(SILENCE, -1.0, 0.0), *sounds, Phoneme(SILENCE, seconds, seconds + 1.0)]


def _on_a_frame(sound: Phoneme, rate: float) -> Phoneme:
    """Its middle moved to the nearest frame: by half a frame at most, as animators do."""
    middle = (sound.start + sound.end) / 2
    half = max(sound.end - sound.start, _LEAST_CLOSURE) / 2
    middle = round(middle * rate) / rate
    return replace(sound, start=middle - half, end=middle + half)


def _blended(sounds: Sequence[Phoneme], times: np.ndarray, strength: float) -> np.ndarray:
    """(n, parameters) amounts from 0 to 1."""
    total = np.zeros((len(times), len(PARAMETERS)))
    weight = np.full((len(times), len(PARAMETERS)), 1e-9)
    for sound in sounds:
        mouth = MOUTHS[sound.name]
        asked = np.array([mouth.amounts.get(name, 0.0) for name in PARAMETERS])
        if sound.name not in CLOSING:
            asked = asked * strength
        core = (sound.end - sound.start) * _CORE / 2
        if sound.name == SILENCE:
            core = (sound.end - sound.start) / 2 - mouth.spread / 2
        beyond = np.abs(times - (sound.start + sound.end) / 2) - max(core, 0.0)
        dominance = np.exp(-np.maximum(beyond, 0.0) / mouth.spread)[:, None]
        dominance = dominance * np.array([dominance_of(mouth, name) for name in PARAMETERS])
        total += dominance * asked
        weight += dominance
    return np.clip(total / weight, 0.0, 1.0)
