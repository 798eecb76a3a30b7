"""What a worker says about its methods, of whatever age it is."""

from __future__ import annotations

import pytest

from photorig.shared.wire.method_offers import MethodOffer, methods_of, told_methods

OFFERS = (MethodOffer("regional", "By regions."), MethodOffer("mask", "By pictures.", True))


def test_what_is_told_is_read_in_the_same_order() -> None:
    assert methods_of({"methods": told_methods(OFFERS)}) == OFFERS


def test_a_worker_of_before_tells_nothing() -> None:
    assert methods_of({}) == ()


@pytest.mark.parametrize(
    "entry",
    [None, "mask", {}, {"name": "mask"}, {"name": "", "sentence": "x"}, {"name": 3, "sentence": ""}]
    + [{"name": "m" * 33, "sentence": "x"}, {"name": "m", "sentence": "x" * 301}],
    ids=str,
)
def test_what_cannot_be_read_costs_that_entry_only(entry: object) -> None:
    told = [entry, *told_methods(OFFERS), {"name": "mask", "sentence": "again"}]
    assert methods_of({"methods": told}) == OFFERS


def test_a_list_without_end_is_cut() -> None:
    told = [{"name": f"m{number}", "sentence": "x"} for number in range(10_000)]
    assert len(methods_of({"methods": told})) == 64
