"""What `photorig bench frames` times is what frames are made of."""

from __future__ import annotations

import pytest

from photorig.worker.evaluation.speed.frames import STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_a_function_that_is_there(stage: str) -> None:
    owner, name = STAGES[stage]
    assert callable(getattr(owner, name))
