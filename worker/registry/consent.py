"""Asking the person at the terminal whether a licence is accepted."""

from __future__ import annotations

import sys

from photorig.shared.errors import ModelError

from .cards import ModelCard


def accepts(card: ModelCard) -> bool:
    """The answer about a licence that was just shown.

    Raises:
        ModelError: nobody is there to be asked.
    """
    if not sys.stdin.isatty():
        raise ModelError(
            f"The licence of {card.name} has to be accepted first",
            "Read it above, then give --accept-licence.",
        )
    print("Do you accept this licence? Type yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"
