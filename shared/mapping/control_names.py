"""Names that rigs give to their controls, brought into one form so that spellings compare equal.

``eyeBlinkLeft``, ``EyeBlinkLeft`` (Live Link Face, Unreal), ``eyeBlink_L`` (ICT-FaceKit, Face Cap),
``eyeBlink.L`` (Blender's mirror suffix), ``L_eyeBlink`` and ``A14_Eye_Blink_Left`` (numbered) are
all the words *eye blink* on the left. Names in other scripts are words as well, 左 and 右 sides.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

_WORD = re.compile(r"[左右]|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z左右]+")
_NUMBERING = re.compile(r"^[A-Za-z]?[0-9]+(?=[_.\- ])")
_COPY = re.compile(r"\.[0-9]{3}$")
_NAMESPACE = re.compile(r"^.*[:|]")
_SIDES = {"l": "left", "r": "right", "left": "left", "right": "right", "左": "left", "右": "right"}
_HEADS = {
    "head",
    "頭",
    "头",
    "머리",
    "kopf",
    "cabeza",
    "testa",
    "cabeça",
    "голова",
    "hoofd",
    "huvud",
}
_NECKS = {"neck", "首", "脖子", "목", "hals", "cuello", "collo", "pescoço", "шея"}
_ABOUT_BONES = {
    *(
        "b",
        "bind",
        "bn",
        "bone",
        "j",
        "jnt",
        "joint",
        "jt",
        "sk",
        "skel",
        "skin",
        "armature",
        "rig",
    ),
    *("c", "m", "x", "center", "centre", "mid", "middle", "root", "base", "main", "cc", "model"),
    *("bip", "biped", "valve", "mixamorig", "char", "character", "fk", "drv"),
}
"""Words of a bone's name that say nothing of what it moves."""
_FOR_ANIMATORS = {"ctrl", "ctl", "control", "con", "cnt"}
_INNER = {"def": 4, "org": 6, "mch": 6, "vis": 6}
"""Prefixes of bones that are not for animators, and how much worse they are than others."""
_RIGIFY_HEAD = re.compile(r"^spine\.006$")
_RIGIFY_NECK = re.compile(r"spine\.00[45]$")


class ControlName(NamedTuple):
    """A control's name in normal form.

    Attributes:
        words: in lower case, without numbering and sides.
        sides: "left" and "right" in the order in which they occur; a control that looks to one
            side has two where it also is on one.
    """

    words: tuple[str, ...]
    sides: tuple[str, ...]

    @property
    def squeezed(self) -> ControlName:
        """The words as one, for names in all capitals or small letters, where words do not show."""
        word = "".join(self.words)
        if self.sides:
            return ControlName((word,), self.sides)
        for side in ("left", "right"):
            for rest in (word.removesuffix(side), word.removeprefix(side)):
                if rest and rest != word:
                    return ControlName((rest,), (side,))
        return ControlName((word,), ())

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every run of words, the longest first, with what stands before and behind it."""
        count = len(self.words)
        runs = [
            (first, first + length)
            for length in range(count, 0, -1)
            for first in range(count - length + 1)
        ]
        return tuple(
            Part(
                self.words[:first],
                self.words[last:],
                ControlName(self.words[first:last], self.sides).squeezed,
            )
            for first, last in runs
        )


class Part(NamedTuple):
    """A part of a name, squeezed, and the words before and behind it."""

    prefix: tuple[str, ...]
    suffix: tuple[str, ...]
    rest: ControlName


@lru_cache(maxsize=20000)
def parts_of(name: str) -> tuple[Part, ...]:
    """See ControlName.parts."""
    return control_name(name).parts


@lru_cache(maxsize=20000)
def control_name(name: str) -> ControlName:
    """A name as a rig spells it to its normal form."""
    plain = unicodedata.normalize("NFKC", name.strip())
    words = [word.lower() for word in _WORD.findall(_NUMBERING.sub("", plain))]
    sides = tuple(_SIDES[word] for word in words if word in _SIDES)
    return ControlName(tuple(word for word in words if word not in _SIDES), sides)


def without_copy_number(name: str) -> str:
    """``jawOpen.001`` to ``jawOpen``: Blender numbers what is there twice."""
    return _COPY.sub("", name)


def head_rank(name: str) -> int | None:
    """How surely a bone of this name is the head, 0 the surest; None where it is named otherwise.

    ``head``, ``mixamorig1:Head``, ``c_head.x``, ``Bip001 Head``, ``Head_M``, ``head_jnt``,
    ``DEF-head.001``, ``J_Bip_C_Head``, ``頭`` and Rigify's ``spine.006`` are.
    """
    plain = without_copy_number(_NAMESPACE.sub("", name))
    if plain.lower() == "head":
        return 0
    spine = _NAMESPACE.sub("", name).lower()
    inner = next((rank for mark, rank in _INNER.items() if spine.startswith(f"{mark}-")), 0)
    if _RIGIFY_HEAD.match(spine[4:] if inner else spine):
        return 3 + inner
    words = [word for word in control_name(plain).words if not word.isdigit()]
    if control_name(plain).sides or sum(word in _HEADS for word in words) != 1:
        return None
    others = [word for word in words if word not in _HEADS and word not in _INNER]
    if any(word not in _ABOUT_BONES and word not in _FOR_ANIMATORS for word in others):
        return None
    is_for_animators = plain.lower().startswith("c_") or any(w in _FOR_ANIMATORS for w in others)
    return inner + (1 if is_for_animators else 2)


def is_neck(name: str) -> bool:
    """Whether a bone below the head is named as a neck."""
    words = control_name(name).words
    return (
        "neck" in name.lower()
        or any(word in _NECKS for word in words)
        or _RIGIFY_NECK.search(name.lower()) is not None
    )
