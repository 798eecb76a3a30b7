"""Readers of what comes from outside, on damaged input: an error of ours, soon, or a value, and no
more memory than they say.

Here a few seconds of it, the same in every run; for hours there is run.py.
"""

from __future__ import annotations

import pytest
from fuzz_targets import TARGETS, saved
from run import Finding, fuzz, traced, try_one


@pytest.mark.parametrize("name", TARGETS)
def test_good_input_is_read(name: str) -> None:
    seeds = TARGETS[name].seeds()
    assert seeds
    for content in seeds:
        TARGETS[name].read(content)


@pytest.mark.parametrize("name", TARGETS)
def test_what_once_broke_a_reader_breaks_it_no_more(name: str) -> None:
    corpus = "portrait" if name == "portrait_in_extension" else name
    with traced(name):
        assert [found for content in saved(corpus) if (found := try_one(name, content))] == []


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_ends_in_a_value_or_an_error_of_ours(name: str) -> None:
    findings: list[Finding] = []
    count = fuzz(name, seed=1, seconds=2.0, inputs=1500, on_finding=findings.append)
    assert findings == []
    assert count > 20
