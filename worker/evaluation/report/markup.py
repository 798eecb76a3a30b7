"""Small builder of HTML: everything that is not markup already is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | Markup

_VOID = frozenset({"img", "meta", "br"})


def tag(name: str, /, *children: Content, **attributes: str) -> Markup:
    """An element; ``class_`` stands for ``class``."""
    pairs = "".join(
        f' {key.rstrip("_")}="{html.escape(value, quote=True)}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{pairs}>")
    return Markup(f"<{name}{pairs}>{joined(children)}</{name}>")


def joined(parts: Iterable[Content], between: str = "") -> Markup:
    """Parts one after another, each escaped unless it is markup."""
    return Markup(
        between.join(part if isinstance(part, Markup) else html.escape(part) for part in parts)
    )


def table(
    header: Sequence[Content], rows: Iterable[Sequence[Content]], caption: str = ""
) -> Markup:
    """A table whose first column names its rows."""
    head = tag("thead", tag("tr", *(tag("th", cell) for cell in header)))
    body = tag(
        "tbody",
        *(
            tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:]))
            for row in rows
        ),
    )
    above = [tag("caption", caption)] if caption else []
    return tag("div", tag("table", *above, head, body), class_="wide")


def picture(source: str, caption: Content) -> Markup:
    """A picture beside the page, with what it shows."""
    text = html.unescape(str(caption)) if isinstance(caption, Markup) else caption
    return tag(
        "figure",
        tag("a", tag("img", src=source, alt=text, loading="lazy"), href=source),
        tag("figcaption", caption),
    )


def number(value: float | None, digits: int = 2, unit: str = "") -> str:
    """A number for people; a dash where nothing was measured."""
    return "–" if value is None else f"{value:.{digits}f}{unit}"


def mark(reached: bool | None) -> Markup:
    """✔, ✘, or a dash where it could not be measured."""
    if reached is None:
        return tag("span", "–", class_="unknown")
    return tag("span", "✔" if reached else "✘", class_="yes" if reached else "no")
