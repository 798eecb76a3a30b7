"""What was measured is kept, found again, and never taken for those of another model or task."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.worker.evaluation.protocols import stages
from photorig.worker.evaluation.protocols.cached_results import CachedResult, ResultCache, Task

TASK = Task("count", 3, ("jawOpen", 0.5))


def test_a_piece_comes_back_as_it_was(tmp_path: Path) -> None:
    store = ResultCache.of(tmp_path, "model a")
    assert store.read(TASK) is None
    store.write(TASK, {"asked": np.array([0.5, np.nan], np.float32)})
    np.testing.assert_array_equal(store.read(TASK)["asked"], [0.5, np.nan])


@pytest.mark.parametrize(
    ("key", "task"),
    [
        ("model b", TASK),
        ("model a", Task("count", 3, ("jawOpen", 0.25))),
        ("model a", Task("count", 4, TASK.details)),
        ("model a", Task("other", 3, TASK.details)),
    ],
    ids=["model", "details", "person", "stage"],
)
def test_a_piece_of_something_else_is_not_found(tmp_path: Path, key: str, task: Task) -> None:
    ResultCache.of(tmp_path, "model a").write(TASK, {"asked": np.zeros(1)})
    assert not ResultCache.of(tmp_path, key).has(task)


def test_a_damaged_piece_counts_as_missing(tmp_path: Path) -> None:
    store = ResultCache.of(tmp_path, "model a")
    store.write(TASK, {"asked": np.zeros(1)})
    (file,) = store.folder.rglob("*.safetensors")
    file.write_bytes(b"half of it")
    assert store.read(TASK) is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "pieces").write_text("a file is in the way")
    with pytest.raises(InputError, match="Cannot make the folder"):
        ResultCache.of(tmp_path, "model a").write(TASK, {"asked": np.zeros(1)})


def test_a_stopped_run_continues_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []

    def count(context: Any, task: Task) -> CachedResult:
        if task.person == 2 and len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(task.person)
        return {"again": np.array([task.person])}

    monkeypatch.setitem(stages.MEASUREMENTS, "count", count)
    store, tasks = ResultCache.of(tmp_path, "model a"), [Task("count", i) for i in range(4)]
    seen: list[tuple[str, int, int]] = []

    def run() -> list[CachedResult]:
        context: Any = SimpleNamespace(store=store)
        return stages.measure_all(context, tasks, "people", lambda *s: seen.append(s))

    with pytest.raises(KeyboardInterrupt):
        run()
    assert measured == [0, 1]
    measured.append(99)  # from now on nobody stops it
    cached_results = run()
    assert measured == [0, 1, 99, 2, 3]
    assert [int(cached["again"][0]) for cached in cached_results] == [0, 1, 2, 3]
    assert seen[-1] == ("people", 2, 2)
