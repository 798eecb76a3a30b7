"""Models that the user brought: a folder each, with weights, a card, and what was trained on them.

They lie in the user's data folder, since nobody but the user could get them again. A folder appears
complete or not at all.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from photorig.shared.errors import InputError, ModelError
from photorig.shared.files.writing import explained, make_private_folder, write_atomically
from photorig.worker.places import data_folder

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
Fact = str | int | float | bool


def imported_models_folder() -> Path:
    """Where the folders are, one for each model."""
    return data_folder() / "models"


def imported_folder(name: str) -> Path:
    """Of one model, there or not.

    Raises:
        InputError: no model can have this name.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"A model cannot be named {name[:80]!r}", "Use lower-case letters, digits and hyphens."
        )
    return imported_models_folder() / name


def is_imported(name: str) -> bool:
    """Whether there is an imported model of that name."""
    return _NAME.fullmatch(name) is not None and (imported_folder(name) / f"{name}.toml").is_file()


def trained_file(name: str, file_name: str) -> Path:
    """What was trained for an imported generator.

    Raises:
        ModelError: it is not there yet.
    """
    path = imported_folder(name) / file_name
    if not path.is_file():
        raise ModelError(
            f"The generator {name} has no {file_name.partition('.')[0]} yet",
            f"Run 'photorig train all --generator {name}'.",
        )
    return path


@dataclass(frozen=True)
class CardText:
    """What a card of an imported model says, but for its files.

    Attributes:
        tables: further tables by name, for example measured facts.
    """

    name: str
    title: str
    kind: str
    licence: str
    notice: str
    original: str
    tables: Mapping[str, Mapping[str, Fact]] = field(default_factory=dict)

    def write(self, folder: Path, files: Mapping[str, tuple[str, int]]) -> None:
        """Write the card into its folder.

        Args:
            files: SHA-256 (hex) and bytes by file name.
        """
        top = {key: getattr(self, key) for key in ("name", "title", "kind", "licence", "notice")}
        lines = _lines(top)
        lines += ["", "[source]", *_lines({"type": "imported", "location": self.original})]
        for file_name, (sha256, size) in files.items():
            lines += ["", "[[files]]"]
            lines += _lines({"name": file_name, "sha256": sha256, "size": size})
        for table, facts in self.tables.items():
            lines += ["", f"[{table}]", *_lines(facts)]
        write_atomically(folder / f"{self.name}.toml", ("\n".join(lines) + "\n").encode())


def _lines(facts: Mapping[str, Fact]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in facts.items()]


def _toml(value: Fact) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    escaped = (
        character if character.isprintable() and character not in '"\\' else _escape(character)
        for character in value
    )
    return f'"{"".join(escaped)}"'


def _escape(character: str) -> str:
    return f"\\U{ord(character):08x}" if ord(character) < 0xD800 else "?"


@contextlib.contextmanager
def new_imported_folder(name: str, replace: bool) -> Iterator[Path]:
    """An empty folder, which becomes that of the model ``name`` when the block ends well.

    Raises:
        InputError: there is such a model already and it is not to be replaced, or the place cannot
            be written.
    """
    final = imported_folder(name)
    if final.exists() and not replace:
        raise InputError(
            f"There is a model {name!r} already", "Give another --name, or --replace the old one."
        )
    with explained(final):
        make_private_folder(final.parent)
        work = final.parent / f".{name}-{secrets.token_hex(4)}.partial"
        work.mkdir(mode=0o700)
    try:
        yield work
        with explained(final):
            old = work.with_suffix(".old")
            if final.exists():  # a folder cannot be replaced in one step
                final.rename(old)
            work.rename(final)
            shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
