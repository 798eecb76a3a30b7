"""Names that rigs give to their controls, and the parameter each stands for.

The vocabulary is ARKit's in its usual spellings: ``eyeBlinkLeft`` itself, ``EyeBlinkLeft`` (Live
Link Face, Unreal), ``eyeBlink_L`` (ICT-FaceKit, Face Cap), ``eyeBlink.L`` (Blender's mirror
suffix) and ``A14_Eye_Blink_Left`` (numbered).
"""

from __future__ import annotations

import re

from .schema import ARKIT_NAMES

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_NUMBER = re.compile(r"^[A-Za-z]?[0-9]+(?=[_.\- ])")
_SIDES = {"l": "left", "r": "right"}


def words_of(name: str) -> tuple[str, ...]:
    """The words of a control's name in lower case, without numbering, with sides written out."""
    words = [word.lower() for word in _WORD.findall(_NUMBER.sub("", name.strip()))]
    return tuple(_SIDES.get(word, word) for word in words)


_PARAMETERS = {words_of(name): name for name in ARKIT_NAMES}


def parameter_of(name: str) -> str | None:
    """The ARKit parameter that a control's name stands for, None where it names none.

    A side of a parameter that ARKit does not split (``browInnerUp_L``) gives the whole one.
    """
    words = words_of(name)
    if words in _PARAMETERS:
        return _PARAMETERS[words]
    if len(words) > 1 and words[-1] in _SIDES.values() and words[-2] not in _SIDES.values():
        return _PARAMETERS.get(words[:-1])
    return None
