# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's interface says in other languages, from gettext's text files (translations/*.po).

Blender looks labels up by itself. ``said`` is for sentences that are put together.
"""

from __future__ import annotations

import ast
import logging

import bpy

from .extension import FOLDER, PACKAGE
from .shared.errors import InputError

_log = logging.getLogger(__name__)
_FOLDER = FOLDER / "translations"
_CONTEXTS = ("*", "Operator")
"""Blender asks for buttons of operators in a context of their own; a word here means both."""


def read_po(text: str) -> dict[str, str]:
    """Translations by message of one language; those that nobody has made yet are left out.

    Raises:
        InputError: a line that is none of gettext's, with its number.
    """
    entries: list[dict[str, str]] = []
    field = ""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        keyword, _, rest = words.partition(" ")
        if keyword in ("msgid", "msgstr"):
            field = keyword
            if field == "msgid":
                entries.append({"msgid": "", "msgstr": ""})
        else:
            rest = words
        try:
            value = ast.literal_eval(rest)
            entries[-1][field] += value
        except (ValueError, SyntaxError, TypeError, IndexError, KeyError) as error:
            raise InputError(f"line {number} is none of a .po file: {line!r}") from error
    return {each["msgid"]: each["msgstr"] for each in entries if each["msgid"] and each["msgstr"]}


def said(message: str, **parts: object) -> str:
    """A message in the person's language, with its parts put in."""
    return str(bpy.app.translations.pgettext_iface(message)).format(**parts)


def _table() -> dict[str, dict[tuple[str, str], str]]:
    """Translations by language, context and message; a file that cannot be read is left out."""
    table = {}
    for path in sorted(_FOLDER.glob("*.po")):
        try:
            translated = read_po(path.read_text(encoding="utf-8"))
        except (InputError, OSError, UnicodeDecodeError) as error:
            _log.warning("%s: %s", path.name, error)
            continue
        table[path.stem] = {
            (context, message): text
            for message, text in translated.items()
            for context in _CONTEXTS
        }
    return table


def register() -> None:
    bpy.app.translations.register(PACKAGE, _table())


def unregister() -> None:
    bpy.app.translations.unregister(PACKAGE)
