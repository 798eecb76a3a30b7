# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide as pages that travel with the extension: F1 and *Documentation* work without a network.

Knows what docs/guide uses of Markdown: headings, paragraphs, lists, tables, pictures, links, code,
bold and italics.
"""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:46em;margin:2em auto;padding:0 1em;color:#222}"
    "img{max-width:100%}code,pre{background:#eee;padding:.1em .3em}pre{padding:.8em;overflow:auto}"
    "td,th{text-align:left;vertical-align:top;padding:.3em .8em;border-bottom:1px solid #ccc}"
)
_ITEM = re.compile(r"(\s*)(?:[*-]|\d+\.)\s+(.*)")
_CODE = re.compile(r"(`[^`]+`)")


def write_guide(source: Path, target: Path) -> None:
    """Pages of all .md files of a folder, with its pictures."""
    target.mkdir(parents=True)
    for path in sorted(source.glob("*.md")):
        name = "index.html" if path.name == "README.md" else f"{path.stem}.html"
        text = page(path.read_text(encoding="utf-8"))
        (target / name).write_text(text, encoding="utf-8", newline="\n")
    shutil.copytree(source / "pictures", target / "pictures")


def page(markdown: str) -> str:
    """A whole HTML page."""
    title = re.search(r"^# (.*)$", markdown, re.MULTILINE)
    name = html.escape(title[1] if title else "Photorig")
    body = "\n".join(_blocks(markdown.splitlines()))
    head = f'<meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>'
    back = '<p><a href="index.html">Guide</a></p>'
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>{back}\n{body}\n</body></html>\n"


def _blocks(lines: list[str]) -> Iterator[str]:
    while lines:
        line = lines[0]
        if not line.strip():
            lines = lines[1:]
        elif line.startswith("```"):
            end = next(n for n in range(1, len(lines) + 1) if lines[n].startswith("```"))
            yield _preformatted(lines[1:end])
            lines = lines[end + 1 :]
        elif line.startswith("    ") and not _ITEM.fullmatch(line):
            block, lines = _taken(lines, lambda each: each.startswith("    "))
            yield _preformatted([each[4:] for each in block])
        elif heading := re.fullmatch(r"(#+) (.*)", line):
            level = len(heading[1])
            yield f'<h{level} id="{_anchor(heading[2])}">{_inline(heading[2])}</h{level}>'
            lines = lines[1:]
        elif line.startswith("|"):
            block, lines = _taken(lines, lambda each: each.startswith("|"))
            yield _table(block)
        elif _ITEM.fullmatch(line):
            block, lines = _taken(lines, lambda each: each.startswith(" ") or _is_item(each))
            yield _list(block)
        else:
            block, lines = _taken(lines, _is_text)
            yield f"<p>{_inline(' '.join(block))}</p>"


def _is_item(line: str) -> bool:
    return _ITEM.fullmatch(line) is not None


def _is_text(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(("#", "|", "```")) and not _is_item(line)


def _taken(lines: list[str], belongs: object) -> tuple[list[str], list[str]]:
    """The lines that belong together at the beginning, at least one, and the rest."""
    end = 1
    while end < len(lines) and belongs(lines[end]):  # type: ignore[operator]
        end += 1
    return lines[:end], lines[end:]


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        found = _ITEM.fullmatch(line)
        if found:
            items.append(found[2])
        else:
            items[-1] += f" {line.strip()}"
    kind = "ol" if re.match(r"\s*\d", lines[0]) else "ul"
    inside = "".join(f"<li>{_inline(item)}</li>" for item in items)
    return f"<{kind}>{inside}</{kind}>"


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    rows = [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    written = []
    for number, row in enumerate(rows):
        kind = "td" if number else "th"
        written.append("".join(f"<{kind}>{_inline(cell)}</{kind}>" for cell in row))
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in written) + "</table>"


def _preformatted(lines: list[str]) -> str:
    return f"<pre>{html.escape(chr(10).join(lines))}</pre>"


def _inline(text: str) -> str:
    """Code stays as it is; the rest may have links, pictures and emphasis."""
    parts = _CODE.split(text)
    return "".join(
        f"<code>{html.escape(part[1:-1])}</code>" if number % 2 else _emphasised(part)
        for number, part in enumerate(parts)
    )


def _emphasised(text: str) -> str:
    text = html.escape(text, quote=False)
    text = re.sub(r"!\[([^\]]*)\]\(([^)]+)\)", r'<img src="\2" alt="\1">', text)
    text = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", _link, text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)
    return re.sub(r"\*([^*]+)\*", r"<i>\1</i>", text)


def _link(found: re.Match[str]) -> str:
    """To another page of the guide; what lies outside of it did not travel along."""
    text, target = found[1], found[2]
    if target.startswith("../"):
        return text
    path, hash_, anchor = target.partition("#")
    path = path.replace("README.md", "index.html").replace(".md", ".html")
    return f'<a href="{path}{hash_}{anchor}">{text}</a>'


def _anchor(heading: str) -> str:
    """As GitHub names it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
