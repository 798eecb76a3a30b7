"""Words that several commands say."""

from __future__ import annotations

from collections.abc import Sequence


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
