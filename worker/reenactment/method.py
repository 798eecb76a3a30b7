"""What a method is: a way from a portrait and a target to what the generator is to draw.

A method is a file with a class and, at its end, the `MethodEntry` that methods.py lists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from photorig.shared.wire.method_offers import MethodOffer
from photorig.worker.generators import Generator
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.registry import fetch
from photorig.worker.registry.imported import is_imported, trained_file

from .bundle import ModelBundle
from .target import Drive, Target


class Method(Protocol):
    """A pure function from a portrait and a target."""

    def drive(self, portrait: Portrait, target: Target) -> Drive:
        """What is to be drawn; at rest, the portrait's own latents."""
        ...


@dataclass(frozen=True)
class MethodEntry:
    """What is known of a method before it is loaded.

    Attributes:
        name: as requests give it: lower case, digits and hyphens.
        sentence: what it is good for, for the one who chooses.
        load: makes it; raises ModelError where what it needs cannot be had.
        models: names of the models that it loads beside generator and bundle.
        needs_picture: it is driven by a picture; where a drive has none, by the stand-in actor's.
        needs_geometry: it moves the person's own mesh, which is measured first (known_faces.py).
    """

    name: str
    sentence: str
    load: Callable[[ModelBundle, Generator], Method]
    models: tuple[str, ...] = ()
    needs_picture: bool = False
    needs_geometry: bool = False

    @property
    def offer(self) -> MethodOffer:
        """What a client is told."""
        return MethodOffer(self.name, self.sentence, self.needs_picture)


def weights_for(generator: str, model: str, file_name: str) -> Path:
    """What belongs to a generator's latents: of the project's own (``default``) the file of a
    model, of an imported one what was trained for it.

    Raises:
        ModelError: it cannot be had.
    """
    if is_imported(generator):
        return trained_file(generator, file_name)
    return fetch(model) / file_name
