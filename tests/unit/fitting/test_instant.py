"""An instant fit: the encoder's guess, and nothing searched for."""

from __future__ import annotations

import argparse

import pytest

from photorig.shared.errors import InputError
from photorig.worker.cli.fit import _settings
from photorig.worker.fitting.settings import INSTANT


def _asked(**given: object) -> argparse.Namespace:
    nothing = {"quick": False, "instant": False, "steps": None, "tune": None, "refine": None}
    return argparse.Namespace(**nothing | given)


def test_it_has_no_step_and_measures_nothing() -> None:
    assert (INSTANT.total, INSTANT.measures_response) == (0, False)
    assert _settings(_asked(instant=True)) == INSTANT


@pytest.mark.parametrize("other", [{"quick": True}, {"steps": 3}, {"tune": 1}, {"refine": 0}])
def test_it_goes_without_the_others(other: dict[str, object]) -> None:
    with pytest.raises(InputError, match="--instant"):
        _settings(_asked(instant=True, **other))
