"""Phonemes with their times, and what a mouth does for each.

Phonemes are CMUdict's (ARPAbet without stress). Amounts are ARKit's; they were set by eye on the
built-in head, beside the shapes of Rhubarb that shared/parameters/mouth_shapes.py holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SILENCE = "SIL"


@dataclass(frozen=True)
class Phoneme:
    """A sound and when it is heard.

    Attributes:
        name: a key of MOUTHS.
        start, end: seconds.
    """

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Mouth:
    """What a mouth does for a sound, and how much the sound insists on it.

    Attributes:
        amounts: by parameter; what is not named is at 0.
        jaw, lips, width: dominance for the jaw, for where lips meet, and for how wide or round the
            mouth is; 1 is a vowel's. A sound made behind the teeth hardly cares what lips do, one
            that is made with them does, but lips may meet rounded as well.
        spread: how far it reaches into its neighbours, in seconds.
    """

    amounts: Mapping[str, float]
    jaw: float = 1.0
    lips: float = 1.0
    width: float = 1.0
    spread: float = 0.055


def _both(name: str, amount: float) -> dict[str, float]:
    return {f"{name}Left": amount, f"{name}Right": amount}


def _wide(jaw: float, smile: float, down: float = 0.15, up: float = 0.08) -> dict[str, float]:
    """A mouth that is drawn apart."""
    return (
        {"jawOpen": jaw}
        | _both("mouthSmile", smile)
        | _both("mouthStretch", smile)
        | _both("mouthLowerDown", down)
        | _both("mouthUpperUp", up)
    )


def _round(jaw: float, funnel: float, pucker: float) -> dict[str, float]:
    return {"jawOpen": jaw, "mouthFunnel": funnel, "mouthPucker": pucker}


_PRESSED = {
    "jawOpen": 0.02,
    "mouthRollLower": 0.3,
    "mouthRollUpper": 0.25,
    "mouthClose": 0.02,
} | _both("mouthPress", 0.5)
_LIP_ON_TEETH = {"jawOpen": 0.05, "mouthRollLower": 0.6} | _both("mouthUpperUp", 0.25)
_TEETH = _wide(0.05, 0.12, down=0.3, up=0.15)
_BEHIND_TEETH = _wide(0.12, 0.05, down=0.2)
_TONGUE_UP = {"jawOpen": 0.18, "tongueOut": 0.1} | _both("mouthLowerDown", 0.2)
_TONGUE_OUT = {"jawOpen": 0.14, "tongueOut": 0.3} | _both("mouthLowerDown", 0.2)
_SHARP = _round(0.08, 0.5, 0.15) | _both("mouthUpperUp", 0.1)
_THROAT = {"jawOpen": 0.18}

_CLOSED = Mouth(_PRESSED, jaw=6.0, lips=12.0, width=0.3, spread=0.03)
_CONSONANT = {"jaw": 1.2, "lips": 0.5, "width": 0.3, "spread": 0.04}

MOUTHS: dict[str, Mouth] = {
    SILENCE: Mouth({}, jaw=1.0, lips=1.0, spread=0.07),
    **dict.fromkeys(("P", "B", "M"), _CLOSED),
    **dict.fromkeys(("F", "V"), Mouth(_LIP_ON_TEETH, jaw=4.0, lips=8.0, width=0.4, spread=0.03)),
    **dict.fromkeys(("TH", "DH"), Mouth(_TONGUE_OUT, **_CONSONANT)),
    **dict.fromkeys(("T", "D", "N"), Mouth(_BEHIND_TEETH, **_CONSONANT)),
    **dict.fromkeys(("S", "Z"), Mouth(_TEETH, jaw=3.0, lips=1.0, width=0.6, spread=0.04)),
    **dict.fromkeys(
        ("SH", "ZH", "CH", "JH"), Mouth(_SHARP, jaw=2.5, lips=1.5, width=2.5, spread=0.05)
    ),
    "L": Mouth(_TONGUE_UP, **_CONSONANT),
    **dict.fromkeys(("K", "G", "NG"), Mouth(_THROAT, jaw=0.8, lips=0.2, width=0.1, spread=0.04)),
    "HH": Mouth(_THROAT, jaw=0.2, lips=0.1, width=0.1, spread=0.03),
    "Y": Mouth(_wide(0.1, 0.3), width=1.2),
    "R": Mouth(_round(0.15, 0.35, 0.2), width=1.2),
    "W": Mouth(_round(0.08, 0.2, 0.85), jaw=2.0, width=3.0),
    "AA": Mouth(_wide(0.6, 0.0, down=0.2)),
    "AO": Mouth(_round(0.5, 0.45, 0.05), width=1.5),
    "AE": Mouth(_wide(0.5, 0.25, down=0.3, up=0.15)),
    "AH": Mouth(_wide(0.36, 0.05)),
    "EH": Mouth(_wide(0.36, 0.2, down=0.25)),
    "ER": Mouth(_round(0.22, 0.4, 0.15)),
    "IH": Mouth(_wide(0.2, 0.22)),
    "IY": Mouth(_wide(0.12, 0.38, down=0.25, up=0.12)),
    "UH": Mouth(_round(0.2, 0.3, 0.4)),
    "UW": Mouth(_round(0.12, 0.2, 0.8), width=2.0),
    "OW": Mouth(_round(0.35, 0.5, 0.3), width=1.5),
}
"""What each sound asks of the mouth."""

GLIDES: dict[str, tuple[str, str]] = {
    "AY": ("AA", "IH"),
    "AW": ("AA", "UH"),
    "EY": ("EH", "IY"),
    "OY": ("AO", "IH"),
    "OW": ("OW", "UW"),
}
"""Vowels that go from one to another."""

CLOSING = frozenset("P B M F V".split())
"""Sounds for which the lips must be seen to meet each other or the teeth."""

PARAMETERS = tuple(sorted({name for mouth in MOUTHS.values() for name in mouth.amounts}))
"""What speech moves: jaw, lips and the tongue's tip."""
_WIDTH = ("mouthFunnel", "mouthPucker", "mouthSmile", "mouthStretch")


def dominance_of(mouth: Mouth, parameter: str) -> float:
    """How much a sound insists on what it asks of a parameter."""
    if parameter == "jawOpen":
        return mouth.jaw
    return mouth.width if parameter.startswith(_WIDTH) else mouth.lips
