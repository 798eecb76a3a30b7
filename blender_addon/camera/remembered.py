# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that a .blend file remembers as JSON, and that anybody may have written into it. No bpy."""

from __future__ import annotations

from typing import Any

from ..shared.files.strict_json import parse_json

_LONGEST = 1 << 20


def json_object(text: str) -> dict[str, Any]:
    """What such a text says.

    Raises:
        ValueError: it is no JSON object, or none that may come from outside: nested too deeply,
            with numbers that no float holds, or too long.
    """
    value = parse_json(text, _LONGEST)
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value
