"""Where models come from: cards, sources and the verified cache.

``fetch(name)`` gives the folder of a model's files, ``card(name)`` what is known about it, and
``own_weights(file_name)`` a file of the project's own weights.
"""

from .cards import ModelCard, ModelFile, Source
from .registry import Registry, card, fetch, fetching, is_offline, open_registry, own_weights

__all__ = [
    "ModelCard",
    "ModelFile",
    "Registry",
    "Source",
    "card",
    "fetch",
    "fetching",
    "is_offline",
    "open_registry",
    "own_weights",
]
