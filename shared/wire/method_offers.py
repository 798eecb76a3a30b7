"""The methods that a worker offers, as it tells of them in WELCOME's description.

The two sides may be of different ages, so anything may be missing or new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

DEFAULT_METHOD = "regional"
_MOST, _LONGEST_NAME, _LONGEST_SENTENCE = 64, 32, 300


@dataclass(frozen=True)
class MethodOffer:
    """A way from a portrait and a drive to a picture.

    Attributes:
        name: as a frame request gives it.
        sentence: what it is good for.
        needs_picture: it is driven by pictures; curves are played to it by a stand-in.
    """

    name: str
    sentence: str
    needs_picture: bool = False


def told_methods(offers: Sequence[MethodOffer]) -> list[dict[str, object]]:
    """As they stand in the description; JSON-able."""
    return [asdict(offer) for offer in offers]


def methods_of(description: Mapping[str, Any]) -> tuple[MethodOffer, ...]:
    """What a description tells, in the worker's order; entries that cannot be read are left out.
    A worker of an earlier version tells nothing."""
    told = description.get("methods")
    found: dict[str, MethodOffer] = {}
    for entry in told[:_MOST] if isinstance(told, list) else []:
        offer = _offer(entry)
        if offer is not None:
            found.setdefault(offer.name, offer)
    return tuple(found.values())


def _offer(entry: object) -> MethodOffer | None:
    if not isinstance(entry, dict):
        return None
    name, sentence = entry.get("name"), entry.get("sentence")
    if not isinstance(name, str) or not isinstance(sentence, str) or not name:
        return None
    if len(name) > _LONGEST_NAME or len(sentence) > _LONGEST_SENTENCE:
        return None
    return MethodOffer(name, sentence, entry.get("needs_picture") is True)
