"""Names that rigs give to their controls, brought into one form so that spellings compare equal.

``eyeBlinkLeft``, ``EyeBlinkLeft`` (Live Link Face, Unreal), ``eyeBlink_L`` (ICT-FaceKit, Face Cap),
``eyeBlink.L`` (Blender's mirror suffix), ``L_eyeBlink`` and ``A14_Eye_Blink_Left`` (numbered) are
all the words *eye blink* on the left.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NUMBERING = re.compile(r"^[A-Za-z]?[0-9]+(?=[_.\- ])")
_COPY = re.compile(r"\.[0-9]{3}$")
_SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}


class ControlName(NamedTuple):
    """A control's name in normal form.

    Attributes:
        words: in lower case, without numbering and sides.
        sides: "left" and "right" in the order in which they occur; a control that looks to one
            side has two where it also is on one.
    """

    words: tuple[str, ...]
    sides: tuple[str, ...]

    def without_prefix(self, prefix: tuple[str, ...]) -> ControlName | None:
        """The rest of a name that begins with these words, None where it does not."""
        if self.words[: len(prefix)] != prefix or len(self.words) == len(prefix):
            return None
        return ControlName(self.words[len(prefix) :], self.sides)

    @property
    def prefixes(self) -> tuple[tuple[str, ...], ...]:
        """All beginnings that leave at least one word."""
        return tuple(self.words[:length] for length in range(len(self.words)))


def control_name(name: str) -> ControlName:
    """A name as a rig spells it to its normal form."""
    words = [word.lower() for word in _WORD.findall(_NUMBERING.sub("", name.strip()))]
    sides = tuple(_SIDES[word] for word in words if word in _SIDES)
    return ControlName(tuple(word for word in words if word not in _SIDES), sides)


def without_copy_number(name: str) -> str:
    """``jawOpen.001`` to ``jawOpen``: Blender numbers what is there twice."""
    return _COPY.sub("", name)
