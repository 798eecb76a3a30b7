"""Words that several commands say."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fractions import Fraction

from photorig.shared.parameters.timeline import parse_rate


def ranges(numbers: Sequence[int], most: int = 8) -> str:
    """``1-3, 7``: consecutive numbers joined, cut short where there are many groups."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and groups[-1][-1] == number - 1:
            groups[-1][1:] = [number]
        else:
            groups.append([number])
    texts = ["-".join(map(str, group)) for group in groups[:most]]
    return ", ".join(texts) + (", …" if len(groups) > most else "")


def rate_of(text: str) -> Fraction:
    """A frame rate that was typed, for argparse."""
    try:
        return parse_rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no frame rate; write 24, 23.976 or 30000/1001"
        ) from error
