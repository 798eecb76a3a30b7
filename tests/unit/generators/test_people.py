"""Groups of people: none shares a person with another, and the old ones stay who they were."""

from __future__ import annotations

import pytest

from photorig.shared.errors import InputError
from photorig.worker.generators.people import EVALUATION, HELD_OUT, TRAINING, person_seed


def test_no_two_groups_seeds_or_people_share_a_number() -> None:
    indices = (0, 1, 199, 20_000, 2**24 - 1)
    groups = (TRAINING, HELD_OUT, EVALUATION)
    numbers = [person_seed(i, s, g) for i in indices for s in range(40) for g in groups]
    assert len(set(numbers)) == len(numbers)


def test_people_of_seed_0_are_who_they_were_before_there_was_a_third_group() -> None:
    for group in (TRAINING, HELD_OUT):
        assert person_seed(7, 0, group) == (group << 24) + 7


@pytest.mark.parametrize(
    ("index", "seed", "group"), [(2**24, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0, 16)]
)
def test_what_would_run_into_other_people_is_refused(index: int, seed: int, group: int) -> None:
    with pytest.raises(InputError, match="no person"):
        person_seed(index, seed, group)
