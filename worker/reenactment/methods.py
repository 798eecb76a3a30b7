"""The methods there are; ``regional`` is the default.

To add one: a file with a `MethodEntry`, a line in `_OWN`, and a card in models/ where it has
weights. A Python package may bring more: an entry point of the group ``photorig.methods`` that
names a `MethodEntry`. What the further photos of a portrait add (references.py) they add to every
method alike, and one that needs a picture gets one wherever a drive has none (stand_in.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from photorig.shared.errors import InputError, ModelError
from photorig.worker.generators import DEFAULT as DEFAULT_GENERATOR
from photorig.worker.generators import Generator
from photorig.worker.registry import card
from photorig.worker.registry.imported import trained_file

from . import calibrated, directions, regional, stylemask, stylespace, transfer
from .bundle import ModelBundle
from .method import Method, MethodEntry
from .references import WithReferences
from .stand_in import WithStandIn

log = logging.getLogger(__name__)

_OWN = (regional, calibrated, directions, stylemask, transfer, stylespace)
_PLUGINS = "photorig.methods"

DEFAULT = regional.METHOD.name


@cache
def methods() -> Mapping[str, MethodEntry]:
    """All methods by name, the default first. A package whose method cannot be read is left out."""
    found = {module.METHOD.name: module.METHOD for module in _OWN}
    for point in entry_points(group=_PLUGINS):
        try:
            entry = point.load()
        except Exception:  # another's code: whatever it does wrong costs that method only
            log.warning("The method %r cannot be loaded", point.value, exc_info=True)
            continue
        if isinstance(entry, MethodEntry):
            found.setdefault(entry.name, entry)
    return found


def method_entry(name: str) -> MethodEntry:
    """The method of that name. Raises InputError where there is none."""
    if name not in methods():
        names = " or ".join(repr(known) for known in methods())
        raise InputError(f"There is no method {name!r}", f"Use {names}.")
    return methods()[name]


def weights_id(generator: str = DEFAULT_GENERATOR) -> str:
    """Changes with the weights of any method, for a generator of that name."""
    parts = []
    for entry in methods().values():
        with contextlib.suppress(ModelError):  # one that lacks its card cannot be used at all
            for file in (file for model in entry.models for file in card(model).files):
                parts.append(_trained_id(generator, file.name) or file.sha256)
    return "".join(parts)


def _trained_id(generator: str, file_name: str) -> str:
    """SHA-256 (hex) of what was trained for an imported generator; "" where nothing was."""
    if generator == DEFAULT_GENERATOR:
        return ""
    try:
        return hashlib.sha256(trained_file(generator, file_name).read_bytes()).hexdigest()
    except (ModelError, InputError, OSError):
        return ""


def load_method(name: str, bundle: ModelBundle, generator: Generator) -> Method:
    """The method of that name; it heeds references, and needs no picture.

    Raises InputError where there is none, ModelError where it cannot be had.
    """
    entry = method_entry(name)
    method = entry.load(bundle, generator)
    if entry.needs_picture:
        method = WithStandIn(method, bundle, generator)
    return WithReferences(method, calibrated.Calibrated(bundle), bundle)
