"""A job in three rooms: one worker is cut off, one killed, the gateway restarted; nothing is lost.

For many schedules: ``build.py faults --executor ray``.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="Ray is not installed here: build.py test --only ray has an environment with it",
    ),
]


def test_schedules_let_everything_happen() -> None:
    from ray_run import ACTIONS, schedule

    happens = {action for seed in range(len(ACTIONS)) for _, action in schedule(seed)}
    assert happens == set(ACTIONS)
    assert schedule(7) == schedule(7)


def test_one_cut_off_one_killed_and_the_gateway_restarted_and_no_frame_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    from ray_run import FRAMES, Run
    from rooms import Rooms, why_not

    if reason := why_not():
        pytest.skip(reason)
    (tmp_path / "nodes").mkdir()
    (tmp_path / "run").mkdir()
    faults = [(0.0, "cut node"), (0.4, "kill node"), (0.8, "kill gateway")]
    with Rooms(tmp_path / "nodes") as rooms:
        result = Run(1, tmp_path / "run", rooms, faults).run()
    assert result.problems == []
    assert [one.split(" after")[0] for one in result.happened] == [what for _, what in faults]
    ledger = Counter((tmp_path / "run" / "ledger").read_text().split())
    assert ledger == Counter(map(str, FRAMES)), "each frame was stored once"
