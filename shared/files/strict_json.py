"""JSON from outside: everything that other JSON readers do with it, and we must not, is refused.

That is: too much text, deep nesting (which ends in RecursionError), NaN and infinities, numbers
that no float or database holds (which end in OverflowError), and halves of characters that no log
can hold. All of it raises ValueError, before anything large is made and in time that grows with the
text.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

MAX_DEPTH = 12
GREATEST_INTEGER = 2**63
"""Whole numbers are smaller than this, above and below 0."""

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, or what follows the last quote. It matches at every quote and never steps back, so that
its time grows with the text: one that may fail begins anew at each quote."""
_BRACKET = re.compile(rb"[\[\]{}]")
_DIGITS = len(str(GREATEST_INTEGER))


class TooDeep(ValueError):
    """The text is nested too deeply."""


def parse_json(text: bytes | str, limit: int, max_depth: int = MAX_DEPTH) -> Any:
    """What a JSON text says.

    Args:
        text: UTF-8 if bytes.
        limit: most bytes that it may have.
        max_depth: most lists and objects that may lie in each other.

    Raises:
        ValueError: it is no JSON, or none that may come from outside.
    """
    if len(text) > limit:
        raise ValueError(f"the text is larger than {limit} bytes")
    # A str with halves of characters cannot be encoded: UnicodeEncodeError is a ValueError.
    content = text.encode("utf-8") if isinstance(text, str) else bytes(text)
    if len(content) > limit:
        raise ValueError(f"the text is larger than {limit} bytes")
    _check_depth(content, max_depth)
    try:
        value = json.loads(
            content.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
            parse_int=_small_integer,
        )
        # An escape such as \ud800 gives text that no UTF-8 file or log can hold.
        if b"\\u" in content:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise TooDeep("the text is nested too deeply") from error
    return value


def _check_depth(text: bytes, max_depth: int) -> None:
    # Strings may contain brackets. Text that is no JSON is counted somehow and refused later.
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", text)):
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            raise TooDeep("the text is nested too deeply")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _small_integer(text: str) -> int:
    # Long ones take time that grows with the square of their length: not even read.
    if len(text) > _DIGITS + 1 or abs(value := int(text)) >= GREATEST_INTEGER:
        raise ValueError("a number is too large")
    return value
