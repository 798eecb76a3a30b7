"""HTML of reports, by Jinja2's templates: everything that is not markup already is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

Content = str | Markup

_FOLDER = Path(__file__).parent / "templates"
_VOID = frozenset({"img", "meta", "br"})


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def _part(name: str, *values: object) -> Markup:
    """One of the macros of parts.html, filled in."""
    filled: Any = getattr(_templates().get_template("parts.html").module, name)
    return Markup(filled(*values).strip())


def tag(name: str, /, *children: Content, **attributes: str) -> Markup:
    """An element; ``class_`` stands for ``class``."""
    pairs = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_"), value) for key, value in attributes.items()
    )
    end = "" if name in _VOID else Markup("{}</{}>").format(Markup("").join(children), name)
    return Markup("<{}{}>{}").format(name, pairs, end)


def whole_page(title: str, parts: Sequence[Content]) -> str:
    """A page with a title."""
    return _templates().get_template("page.html").render(title=title, parts=parts) + "\n"


def table(
    header: Sequence[Content], rows: Iterable[Sequence[Content]], caption: str = ""
) -> Markup:
    """A table whose first column names its rows."""
    return _part("table", header, list(rows), caption)


def picture(source: str, caption: Content) -> Markup:
    """A picture beside the page, with what it shows."""
    return _part("picture", source, caption)


def definitions(entries: Mapping[str, str]) -> Markup:
    """What the figures mean."""
    return _part("definitions", entries)


def number(value: float | None, digits: int = 2, unit: str = "") -> str:
    """A number for people; a dash where nothing was measured."""
    return "–" if value is None else f"{value:.{digits}f}{unit}"


def mark(reached: bool | None) -> Markup:
    """✔, ✘, or a dash where it could not be measured."""
    return _part("mark", reached)
