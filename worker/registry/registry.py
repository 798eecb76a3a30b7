"""Models by name: ``fetch("random-face")`` gives a folder whose files are what the card says.

The network is touched only where a model is missing or damaged, and never in offline mode
(``--offline`` or the environment variable ``PHOTORIG_OFFLINE=1``).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from photorig.shared.errors import ModelError

from . import sources
from .cache import ModelCache, default_cache_folder, file_problem
from .cards import ModelCard, read_card, read_cards
from .imported import imported_models_folder

logger = logging.getLogger(__name__)

MODELS_FOLDER = Path(__file__).resolve().parents[2] / "models"
"""The package photorig.models: cards and the project's own weights."""


def is_offline() -> bool:
    """Whether the user has forbidden the network."""
    return os.environ.get("PHOTORIG_OFFLINE", "") not in ("", "0")


def tell(text: str) -> None:
    """Say something to the person at the terminal; standard output is kept for results."""
    print(text, file=sys.stderr, flush=True)


def nobody_accepts(card: ModelCard) -> bool:
    """The licence of a card, where nobody was asked."""
    return False


@dataclass(frozen=True)
class Registry:
    """Cards, and the place where their files are kept.

    Attributes:
        cards: card by name.
        cache: the fetched models.
        offline: never touch the network.
        announce: is given the licence and the progress, in whole lines.
        accepts: whether the user accepts a licence that has just been announced; asked before
            anything comes from an address of its authors.
    """

    cards: dict[str, ModelCard]
    cache: ModelCache
    offline: bool = False
    announce: Callable[[str], None] = tell
    accepts: Callable[[ModelCard], bool] = nobody_accepts

    def card(self, name: str) -> ModelCard:
        """The card of that name. Raises ModelError if there is none."""
        try:
            return self.cards[name]
        except KeyError:
            known = ", ".join(sorted(self.cards)) or "none"
            raise ModelError(f"There is no model {name!r}", f"Known models: {known}.") from None

    def fetch(self, name: str) -> Path:
        """The folder with the verified files of a model, fetched first where that is needed.

        Raises:
            ModelError: the model is unknown or cannot be had, or offline mode forbids to get it.
        """
        card = self.card(name)
        if card.source.is_beside_card:
            return self._own_folder(card)
        if card.source.type == "manual":
            raise _only_by_hand(card)
        if not self.cache.problem(card):
            return self.cache.path(card)
        if self.offline:
            raise self._offline_error(card)
        try:
            with _being_fetched(name), self.cache.lock(card):
                problem = self.cache.problem(card)
                if not problem:  # another process has just been here
                    return self.cache.path(card)
                return self._fetch_anew(card, problem)
        except OSError as error:
            raise _disk_error(card, self.cache, error) from error

    def problem(self, name: str) -> str:
        """What is wrong with the local copy of a model; "" if it is complete and intact."""
        card = self.card(name)
        if card.source.type == "manual":
            return "to be got by hand and imported"
        if card.source.is_beside_card:
            problems = (file_problem(card.path.parent / file.name, file) for file in card.files)
            return next((problem for problem in problems if problem), "")
        return self.cache.problem(card) if self.cache.is_present(card) else "not fetched yet"

    def own_weights(self, file_name: str) -> Path:
        """A file of the project's own trained weights, checked against its card.

        Raises:
            ModelError: no card names the file, or it is missing or damaged.
        """
        for card in self.cards.values():
            if card.source.type == "own":
                for file in card.files:
                    if file.name == file_name:
                        return self._own_folder(card) / file_name
        raise ModelError(f"No model card names the weights {file_name}")

    def _own_folder(self, card: ModelCard) -> Path:
        problem = self.problem(card.name)
        if problem and card.source.type == "imported":
            raise ModelError(
                f"The imported model {card.name} is not intact: {problem}",
                f"Import {card.source.location} again, with --replace.",
            )
        if problem:
            raise ModelError(
                f"The weights that come with Photorig are not intact: {problem}",
                "Install Photorig again.",
            )
        return card.path.parent

    def _fetch_anew(self, card: ModelCard, problem: str) -> Path:
        if self.cache.is_present(card):
            self.announce(f"{card.name}: {problem}; fetching it again.")
        self.announce(f"{card.title}. Licence: {card.licence}.")
        if card.notice:
            self.announce(card.notice)
        if card.source.type == "url" and not self.accepts(card):
            raise ModelError(
                f"The licence of {card.name} has to be accepted before it is fetched",
                f"Run 'photorig models fetch {card.name}' and accept it.",
            )
        self.announce(f"Fetching {card.name} ({card.size / 1e6:.1f} MB): {card.source} …")

        def fill(work: Path, result: Path) -> None:
            sources.extract(sources.download(card, work), card, result)

        folder = self.cache.store(card, fill)
        self.announce(f"{card.name} is ready.")
        return folder

    def _offline_error(self, card: ModelCard) -> ModelError:
        state = "is damaged" if self.cache.is_present(card) else "is not in the cache"
        return ModelError(
            f"The model {card.name} {state} and the network is off limits (offline mode)",
            f"Run 'photorig models fetch {card.name}' once with a network.",
        )


def _only_by_hand(card: ModelCard) -> ModelError:
    return ModelError(
        f"{card.name} is not fetched by Photorig. {card.title}. Licence: {card.licence}",
        f"If its licence allows what you do, get {card.files[0].name} from {card.source.location} "
        "and run 'photorig models import FILE'.",
    )


_now_fetched: list[str] = []


@contextlib.contextmanager
def _being_fetched(name: str) -> Iterator[None]:
    _now_fetched.append(name)
    try:
        yield
    finally:
        _now_fetched.remove(name)


def fetching() -> str:
    """What this process is fetching, for a person, "" where it is nothing; from any thread."""
    names = list(_now_fetched)
    return f"Fetching the model {names[0]}" if names else ""


def _disk_error(card: ModelCard, cache: ModelCache, error: OSError) -> ModelError:
    hint = "Set PHOTORIG_CACHE to a folder on another disk."
    if error.errno == errno.ENOSPC:
        return ModelError(f"The disk is full; {card.name} cannot be kept in {cache.folder}", hint)
    reason = error.strerror or str(error)
    return ModelError(f"{card.name} cannot be kept in {cache.folder}: {reason}", hint)


@lru_cache(maxsize=1)
def _own_cards() -> Mapping[str, ModelCard]:
    return read_cards(MODELS_FOLDER)


def _imported_cards() -> dict[str, ModelCard]:
    """One that cannot be read is left out: it must not keep the others from being used."""
    cards = {}
    for path in sorted(imported_models_folder().glob("[a-z0-9]*/*.toml")):
        if path.stem == path.parent.name:
            try:
                cards[path.stem] = read_card(path)
            except ModelError as error:
                logger.warning("%s", error)
    return cards


def open_registry() -> Registry:
    """The registry as the environment describes it.

    Cards come from photorig.models, from the models that the user imported, and from the folders in
    ``PHOTORIG_CARDS`` (separated as PATH is); a later card replaces an earlier one of the same
    name, but no imported model takes the place of another.
    """
    cards = {**_imported_cards(), **_own_cards()}
    for folder in filter(None, os.environ.get("PHOTORIG_CARDS", "").split(os.pathsep)):
        cards.update(read_cards(Path(folder)))
    return Registry(cards, ModelCache(default_cache_folder()), offline=is_offline())


@lru_cache(maxsize=64)
def _fetched(name: str, environment: tuple[str | None, ...]) -> Path:
    return open_registry().fetch(name)


def fetch(name: str) -> Path:
    """Folder with the verified files of the model ``name``; checked once in a process.

    Raises:
        ModelError: see Registry.fetch.
    """
    settings = ("PHOTORIG_CACHE", "PHOTORIG_CARDS", "PHOTORIG_DATA", "PHOTORIG_OFFLINE")
    return _fetched(name, tuple(os.environ.get(setting) for setting in settings))


def card(name: str) -> ModelCard:
    """The card of a model. Raises ModelError if there is none."""
    return open_registry().card(name)


def own_weights(file_name: str) -> Path:
    """One of the project's own weight files, for example ``directions.safetensors``.

    Raises:
        ModelError: see Registry.own_weights.
    """
    return open_registry().own_weights(file_name)
