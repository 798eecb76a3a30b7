"""One tuning of the generator for several photos of a person at once.

The tuning of the portrait's own photo (pivotal_tuning.py) is taken further until the code of each
photo gives that photo. What it has learned about its own photo, at rest and under edits, it has to
keep.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from photorig.worker.generators.tuned_networks import tunable, tuned_network, tuning_between
from photorig.worker.generators.tuning import WeightTuning

from .edit_preservation import Edit
from .fine_tuning import fine_tune
from .losses import SMALL, View, change_distance, picture
from .models import FitRun
from .optimizer import Adam


def tune_together(
    views: Sequence[View], tuning: WeightTuning, edits: Sequence[Edit], run: FitRun
) -> WeightTuning:
    """The tuning of the first view, taken further to fit all of them; the run's network stays.

    Args:
        edits: of the first view, which is looked at in each step.
    """
    settings, (first, *others) = run.settings.tuning, views
    network, before = (tuned_network(run.models.network, tuning) for _ in range(2))
    moved = [edit.applied(first.latents) for edit in edits]

    def loss_of(step: int) -> Tensor:
        """The first photo, one of the others and an edit, at 256²."""
        loss = at_rest(first) + at_rest(others[step % len(others)])
        return loss + kept(moved[step % len(moved)]) if moved else loss

    def at_rest(view: View) -> Tensor:
        return view.losses.at_rest(picture(network, view.latents), settings.identity)

    def kept(latents: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = before(latents, SMALL)
        difference = (network(latents, SMALL) - wanted) * 0.5
        return settings.kept * change_distance(difference)

    weights = tunable(network)
    for weight in weights:
        weight.requires_grad_(True)
    Adam({settings.joint_learning_rate: weights}).run(
        run.settings.tuning_steps, loss_of, run.on_step
    )
    fine_tune(network, views, moved, run)
    return tuning_between(run.models.network, network)
