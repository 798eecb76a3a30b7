"""A fit computes on one device: nothing that a step makes lies elsewhere.

There is no graphics card where tests run. torch's device ``meta`` stands for one: its tensors have
shapes and no numbers, and refuse to be mixed with those of the processor.
"""

from __future__ import annotations

import copy
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from photorig.worker.faces.net3d import Net3D
from photorig.worker.fitting import pivotal_tuning
from photorig.worker.fitting.edit_preservation import Edit
from photorig.worker.fitting.inversion import invert
from photorig.worker.fitting.joint_tuning import tune_together
from photorig.worker.fitting.losses import FitLosses, LossNetworks, View
from photorig.worker.fitting.models import FitModels, FitRun, load_fit_models
from photorig.worker.fitting.settings import FitSettings
from photorig.worker.media.reading import read_picture
from photorig.worker.portraits.alignment import Alignment

PHOTO = Path(__file__).parents[2] / "data" / "astronaut.jpg"
CARD = torch.device("meta")
FEW = FitSettings(steps=3, tuning_steps=2, refine_steps=3)


@pytest.fixture(scope="module")
def models() -> FitModels:
    return load_fit_models()


@pytest.fixture(scope="module")
def losses(models: FitModels) -> FitLosses:
    photo = read_picture(PHOTO)
    alignment = Alignment.of_face(Net3D().analyze_one(photo).landmarks)
    return FitLosses.of(photo, alignment, models.losses, models.matte)


@pytest.fixture
def start(losses: FitLosses, monkeypatch: pytest.MonkeyPatch) -> View:
    """The losses of a photo and a first code on the card. Single numbers cannot be had from there;
    they count as 1, and the face is where the photo has it."""
    for name, number in (("__int__", 1), ("__float__", 1.0)):
        monkeypatch.setattr(Tensor, name, lambda _, number=number: number)
    networks = copy.deepcopy(losses.networks).placed_on(CARD)
    monkeypatch.setattr(networks.landmarker, "detect", lambda images: losses.regions)
    seen = replace(
        losses.features,
        identity=losses.features.identity.to(CARD),
        maps=tuple(one.to(CARD) for one in losses.features.maps),
    )
    given = {field.name: getattr(losses, field.name) for field in fields(losses)}
    moved = {name: v.to(CARD) for name, v in given.items() if isinstance(v, Tensor)}
    there = FitLosses(**{**given, **moved, "networks": networks, "features": seen})
    return View(torch.empty(1, 16, 512, device=CARD), there)


@pytest.fixture
def run(models: FitModels, start: View) -> FitRun:
    distribution = copy.copy(models.distribution)
    for name, value in vars(distribution).items():
        setattr(distribution, name, value.to(CARD))
    network = copy.deepcopy(models.network).to(CARD)
    there = replace(
        models, network=network, distribution=distribution, losses=start.losses.networks
    )
    return FitRun(there, FEW)


EDITS = [Edit(np.zeros((16, 512), np.float32), part) for part in ("mouth", "head")]


def test_what_is_kept_of_a_photo_lies_where_the_networks_are(losses: FitLosses) -> None:
    given = (getattr(losses, field.name) for field in fields(losses))
    devices = {value.device for value in given if isinstance(value, Tensor)}
    assert devices | {losses.features.identity.device} == {losses.networks.device}


def test_networks_that_are_moved_say_so(losses: FitLosses) -> None:
    moved: LossNetworks = copy.deepcopy(losses.networks).placed_on(CARD)
    assert moved.device == CARD
    assert losses.networks.device == torch.device("cpu")


def test_no_step_of_an_inversion_leaves_the_device(start: View, run: FitRun) -> None:
    view = invert(start, run, EDITS)
    assert view.latents.device == CARD


def test_no_step_of_a_tuning_leaves_the_device(
    start: View, run: FitRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned: list[torch.device] = []

    def between(_before: object, after: torch.nn.Module) -> None:
        tuned.extend({value.device for value in after.parameters()})

    monkeypatch.setattr(pivotal_tuning, "tuning_between", between)
    pivotal_tuning.tune(start, EDITS, run)
    assert tuned == [CARD]


def test_no_step_of_a_tuning_for_several_photos_leaves_the_device(
    start: View, run: FitRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from photorig.worker.fitting import joint_tuning

    monkeypatch.setattr(joint_tuning, "tuned_network", lambda network, _: copy.deepcopy(network))
    monkeypatch.setattr(joint_tuning, "tuning_between", lambda *_: None)
    tune_together([start, start], None, EDITS, run)  # type: ignore[arg-type]
