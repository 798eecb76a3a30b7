"""A photo to a portrait, at few steps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from photorig.shared.errors import Cancelled, InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FitProgress
from photorig.worker.cli.main import main
from photorig.worker.faces.net3d import FaceMeasurement, Net3D
from photorig.worker.fitting.fit import fit_portrait
from photorig.worker.fitting.models import FitModels, FitRun, load_fit_models
from photorig.worker.fitting.pipeline import PortraitMaker
from photorig.worker.fitting.settings import QUICK as QUICK_FIT
from photorig.worker.fitting.settings import FitSettings
from photorig.worker.generators.tuned_networks import tuned_network
from photorig.worker.generators.tuning import is_tunable
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"
QUICK = FitSettings(steps=3, tuning_steps=0, refine_steps=0)

pytestmark = pytest.mark.weights(
    "face-landmarker", "faceres", "person-matte", "random-face", "sface"
)


@pytest.fixture(scope="module")
def models() -> FitModels:
    return load_fit_models()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.array(Image.open(ASTRONAUT))


@pytest.fixture(scope="module")
def face(photo) -> FaceMeasurement:
    return Net3D().analyze_one(photo)


def image_of(models: FitModels, portrait: Portrait) -> np.ndarray:
    """(256, 256, 3) in [0, 1]"""
    with torch.no_grad():
        image = models.network(torch.from_numpy(portrait.latents)[None], 256)
    return (image[0].permute(1, 2, 0).numpy() * 0.5 + 0.5).clip(0, 1)


@pytest.mark.slow
def test_a_few_steps_bring_the_image_close_to_the_photo(models, photo, face):
    portrait = fit_portrait(photo, face, "Eileen", FitRun(models, replace(QUICK, steps=16)))
    target = portrait.alignment.crop(photo, 256) / 255
    mean = replace(portrait, latents=np.tile(models.network.mean_latent.numpy(), (16, 1)))
    face_only = slice(64, 208)  # what lies behind the person is not looked for
    error, at_first = (
        np.abs(image_of(models, one) - target)[face_only, face_only].mean()
        for one in (portrait, mean)
    )
    assert error < 0.7 * at_first


def test_a_portrait_holds_what_driving_needs(models, photo, face):
    portrait = fit_portrait(photo, face, "Eileen", FitRun(models, QUICK))
    assert portrait.latents.shape == (16, 512) and portrait.latents.dtype == np.float32
    assert np.array_equal(portrait.photo, photo)
    assert np.array_equal(portrait.alignment, Alignment.of_face(face.landmarks))
    assert np.array_equal(portrait.parameters, face.parameters)
    assert (portrait.name, portrait.parameter_ids) == ("Eileen", FACE_SCHEMA.ids)
    assert portrait.model_id == models.network.model_id
    assert Portrait.from_bytes(portrait.to_bytes()).id == portrait.id


def test_the_same_photo_gives_the_same_portrait(models, photo, face):
    one, other = (fit_portrait(photo, face, "a", FitRun(models, QUICK)) for _ in range(2))
    assert np.array_equal(one.latents, other.latents)


def test_tuning_leaves_the_code_and_the_models_alone(models, photo, face):
    before = {name: value.clone() for name, value in models.network.state_dict().items()}
    plain = fit_portrait(photo, face, "a", FitRun(models, QUICK))
    tuned = fit_portrait(
        photo, face, "a", FitRun(models, replace(QUICK, tuning_steps=1, refine_steps=1))
    )
    assert np.array_equal(plain.latents, tuned.latents)
    assert plain.tuning is None and tuned.tuning is not None
    assert all(is_tunable(name) for name in tuned.tuning.deltas)
    after = models.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_finishing_leaves_the_small_picture_alone(models, photo, face):
    steps = replace(QUICK, steps=1, tuning_steps=1)
    without, finished = (
        fit_portrait(photo, face, "a", FitRun(models, replace(steps, refine_steps=n))).tuning
        for n in (0, 2)
    )
    moved = {
        name
        for name, delta in finished.deltas.items()
        if not np.array_equal(delta, without.deltas[name])
    }
    assert moved
    assert all(name.startswith(("blocks.5", "blocks.6", "image_head", "pre")) for name in moved)
    assert not any(name.startswith("preview_heads.256") for name in moved)


@pytest.mark.slow
def test_the_quick_way_moves_the_weights_and_comes_closer_than_a_code_can(models, photo, face):
    settings = replace(QUICK_FIT, steps=6)
    quick = fit_portrait(photo, face, "a", FitRun(models, settings))
    code = fit_portrait(
        photo, face, "a", FitRun(models, replace(settings, learning_rate_with_code=0.0))
    )
    assert quick.tuning is not None and code.tuning is None
    target = quick.alignment.crop(photo, 256) / 255
    generator = tuned_network(models.network, quick.tuning)
    errors = [
        np.abs(image_of(replace(models, network=one), portrait) - target)[64:208, 64:208].mean()
        for one, portrait in ((generator, quick), (models.network, code))
    ]
    assert errors[0] < errors[1]


def test_every_step_is_told_with_its_loss(models, photo, face):
    losses: list[float] = []
    fit_portrait(photo, face, "a", FitRun(models, QUICK, losses.append))
    assert len(losses) == QUICK.total == 3
    assert losses[-1] < losses[0]


def test_progress_goes_from_loading_to_the_end(photo):
    seen: list[FitProgress] = []
    maker = PortraitMaker(seen.append)
    maker.make(maker.look(photo), 0, "a", replace(QUICK, measures_response=False))
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] <= 1
    assert sum("loss" in progress.note for progress in seen) == 3


def test_a_fit_can_be_stopped(photo):
    seen: list[FitProgress] = []
    maker = PortraitMaker(seen.append, lambda: bool(seen) and "loss" in seen[-1].note)
    with pytest.raises(Cancelled):
        maker.make(maker.look(photo), 0, "a", QUICK)
    assert sum("loss" in progress.note for progress in seen) == 1


def test_a_head_of_few_pixels_is_refused_with_its_size(models, photo, face):
    small = replace(face, landmarks=face.landmarks * 0.3)
    with pytest.raises(InputError, match="only 50 pixels"):
        fit_portrait(photo, small, "a", FitRun(models, QUICK))


def test_the_command_writes_a_portrait_that_loads(tmp_path, capsys):
    out = tmp_path / "eileen.portrait"
    words = ["fit", str(ASTRONAUT), "--out", str(out), "--quick", "--steps", "1", "--json"]
    assert main(words) == 0
    summary = json.loads(capsys.readouterr().out)
    portrait = Portrait.load(out)
    assert (summary["id"], len(summary["faces"])) == (portrait.id, 1)
    assert portrait.name == "astronaut"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nothing.jpg"], "There is no file"),
        ([str(ASTRONAUT), "--face", "1"], "There is no face number 1"),
        ([str(Path(__file__))], "is not a picture"),
        ([str(ASTRONAUT), "--quick", "--tune", "3"], "not for a quick fit"),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence(tmp_path, capsys, words, complaint):
    assert main(["fit", *words, "--out", str(tmp_path / "a.portrait")]) == 1
    message = capsys.readouterr().err.strip()
    assert complaint in message
    assert "\n" not in message
    assert not (tmp_path / "a.portrait").exists()
