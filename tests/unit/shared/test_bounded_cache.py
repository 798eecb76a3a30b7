"""The one cache keeps what was used last, within its limit."""

from __future__ import annotations

from photorig.shared.bounded_cache import BoundedCache


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = BoundedCache[str, int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert list(cache) == ["a", "c"]
    assert cache.get("b") is None


def test_sizes_count_and_a_value_that_is_replaced_counts_no_more() -> None:
    cache = BoundedCache[str, bytes](10, len)
    cache.put("a", bytes(6))
    cache.put("a", bytes(4))
    cache.put("b", bytes(6))
    assert (cache.size, len(cache)) == (10, 2)
    cache.put("c", bytes(1))
    assert (list(cache), cache.size) == (["b", "c"], 7)


def test_what_is_larger_than_all_of_it_is_not_kept_unless_the_last_one_is() -> None:
    cache, keeping = (BoundedCache[str, bytes](3, len, keeps_last=keeps) for keeps in (False, True))
    for each in (cache, keeping):
        each.put("small", bytes(2))
        each.put("large", bytes(9))
    assert (list(cache), cache.size) == ([], 0)
    assert (list(keeping), keeping.size) == (["large"], 9)


def test_a_smaller_limit_counts_at_once_and_none_keeps_nothing() -> None:
    cache = BoundedCache[int, int](3)
    for number in range(3):
        cache.put(number, number)
    cache.limit = 1
    assert list(cache) == [2]
    cache.limit = 0
    assert not len(cache)


def test_what_is_forgotten_is_given_back_once() -> None:
    cache = BoundedCache[str, int](2)
    cache.put("a", 1)
    assert (cache.pop("a"), cache.pop("a"), "a" in cache, cache.size) == (1, None, False, 0)
