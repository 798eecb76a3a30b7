"""Writing checksum and size of freshly trained weights into their card.

Training commands call this after they have written a file into photorig.models; a person who runs
``photorig models seal`` says the same: these are the weights that belong to the card.
"""

from __future__ import annotations

import re
from pathlib import Path

from photorig.shared.errors import ModelError

from .cache import file_sha256
from .cards import read_card


def seal(card_path: Path) -> None:
    """Set ``sha256`` and ``size`` of every file of a card from the files beside it.

    Comments and everything else in the card stay as they are.

    Raises:
        ModelError: the card is not one of own weights, or a file is missing.
    """
    card = read_card(card_path)
    if card.source.type != "own":
        raise ModelError(f"{card.name} does not come with Photorig, so its checksums are given")
    text = card_path.read_text(encoding="utf-8")
    for file in card.files:
        path = card_path.parent / file.name
        if not path.is_file():
            raise ModelError(f"There is no {path} to seal the card {card.name} with")
        text = _with_file(text, file.name, file_sha256(path), path.stat().st_size)
    card_path.write_text(text, encoding="utf-8")


def _with_file(text: str, name: str, sha256: str, size: int) -> str:
    """The card's text with new figures in the [[files]] table that names ``name``."""
    tables = re.split(r"(?m)^(?=\[)", text)
    for position, table in enumerate(tables):
        if table.startswith("[[files]]") and f'name = "{name}"' in table:
            table = re.sub(r'(?m)^sha256 = ".*"$', f'sha256 = "{sha256}"', table)
            tables[position] = re.sub(r"(?m)^size = \d+$", f"size = {size}", table)
    return "".join(tables)
