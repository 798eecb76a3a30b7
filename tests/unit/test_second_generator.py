"""A second generator, of another size and with other rows, goes all the way: nothing outside
worker/generators knows which one it is. Its faces are noise, so what looks for faces is told where
they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.faces.attributes import load_attributes
from photorig.worker.faces.landmarker import FaceLandmarker, load_landmarker
from photorig.worker.faces.net3d import FaceMeasurement, Net3D
from photorig.worker.faces.recognition import load_recognition
from photorig.worker.fitting.fit import fit_portrait
from photorig.worker.fitting.losses import LossNetworks
from photorig.worker.fitting.models import FitModels, FitRun
from photorig.worker.fitting.sample import sample_portrait
from photorig.worker.fitting.settings import QUICK, FitSettings
from photorig.worker.generators.latent_distribution import LatentDistribution
from photorig.worker.generators.stylegan2.backends import TorchStyleGan2
from photorig.worker.generators.stylegan2.network import StyleGan2
from photorig.worker.generators.stylegan2.weights import StyleGan2Weights
from photorig.worker.generators.weights import LatentStatistics
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle
from photorig.worker.reenactment.renderer import FaceRenderer
from photorig.worker.training.directions.jacobian import (
    JacobianWeights,
    collect_jacobians,
    solve_directions,
)
from photorig.worker.training.directions.observation import FaceObserver

from .checkpoint_files import PLAIN, golden
from .fakes import tiny_bundle
from .stage_fakes import WholeSquare, tiny_stage

ASTRONAUT = Path(__file__).parents[1] / "data" / "astronaut.jpg"

pytestmark = pytest.mark.weights("face-landmarker", "faceres", "sface")


class SeesAFace:
    """Net3D that sees the same face in every picture."""

    def __init__(self, face: FaceMeasurement) -> None:
        self._face = face

    def analyze_one(self, image: np.ndarray) -> FaceMeasurement:
        return self._face


@pytest.fixture(scope="module")
def weights() -> StyleGan2Weights:
    network = golden(PLAIN)
    mean = network.plain["mapping.w_avg"]
    return StyleGan2Weights(network.plain, network.clamp, LatentStatistics(mean, mean))


@pytest.fixture(scope="module")
def generator(weights: StyleGan2Weights) -> TorchStyleGan2:
    return TorchStyleGan2(weights, torch.device("cpu"), "f32")


@pytest.fixture(scope="module")
def bundle(generator: TorchStyleGan2) -> ModelBundle:
    """Random directions of the generator's first rows."""
    usual = tiny_bundle()
    directions = usual.directions[:, :6, : generator.w_dim]
    return replace(usual, directions=directions, model_id=generator.model_id)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.array(Image.open(ASTRONAUT))


@pytest.fixture(scope="module")
def face(photo: np.ndarray) -> FaceMeasurement:
    return Net3D().analyze_one(photo)


@pytest.fixture(scope="module")
def loss_networks() -> LossNetworks:
    return LossNetworks(load_landmarker(), load_recognition(), load_attributes())


@pytest.fixture(scope="module")
def models(
    weights: StyleGan2Weights, bundle: ModelBundle, loss_networks: LossNetworks
) -> FitModels:
    network = StyleGan2(weights)
    mean = network.expand(network.mean_latent[None])
    return FitModels(
        network,
        LatentDistribution(network),
        lambda images: mean,
        loss_networks,
        WholeSquare(),
        bundle,
    )


def check_driven(portrait: Portrait, bundle: ModelBundle, generator: TorchStyleGan2) -> None:
    """At rest it is the photo, and driven it is not."""
    renderer = FaceRenderer(bundle, generator, tiny_stage())
    for method in ("directions", "calibrated", "regional"):
        asked = FACE_SCHEMA.vector({"jawOpen": 0.4})
        driven = FrameRequest(portrait.id, asked, size=256, method=method)
        at_rest = replace(driven, parameters=FACE_SCHEMA.rest)
        crop = portrait.alignment.crop(portrait.photo, 256)
        np.testing.assert_array_equal(renderer.render(portrait, at_rest), crop)
        assert (renderer.render(portrait, driven) != crop).any()


def test_it_has_other_rows_and_another_size(generator: TorchStyleGan2) -> None:
    assert (generator.n_rows, max(generator._weights.form.sides)) == (10, 64)


def test_a_person_is_sampled_and_driven(
    generator: TorchStyleGan2, bundle: ModelBundle, face: FaceMeasurement
) -> None:
    portrait = sample_portrait(generator, SeesAFace(face), 3)  # type: ignore[arg-type]
    assert portrait.latents.shape == (generator.n_rows, generator.w_dim)
    check_driven(Portrait.from_bytes(portrait.to_bytes()), bundle, generator)


def test_a_photo_is_fitted_quickly_and_driven_with_its_tuning(
    generator: TorchStyleGan2,
    bundle: ModelBundle,
    models: FitModels,
    photo: np.ndarray,
    face: FaceMeasurement,
) -> None:
    losses: list[float] = []
    run = FitRun(models, replace(QUICK, steps=5), losses.append)
    portrait = Portrait.from_bytes(fit_portrait(photo, face, "Eileen", run).to_bytes())
    assert losses[-1] < losses[0]
    assert portrait.tuning is not None and portrait.latents.shape[0] == generator.n_rows
    check_driven(portrait, bundle, generator)


def test_a_photo_is_fitted_with_motions_at_every_size(
    models: FitModels, photo: np.ndarray, face: FaceMeasurement
) -> None:
    run = FitRun(models, FitSettings(steps=2, tuning_steps=1, refine_steps=1))
    portrait = fit_portrait(photo, face, "Eileen", run)
    assert portrait.tuning is not None


def test_directions_are_trained(
    weights: StyleGan2Weights,
    bundle: ModelBundle,
    generator: TorchStyleGan2,
    loss_networks: LossNetworks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, parts = StyleGan2(weights), loss_networks
    found = torch.tensor([[128.0, 128.0, 160.0, 0.0]]), torch.tensor([True])
    monkeypatch.setattr(FaceLandmarker, "detect_regions", lambda self, images: found)
    observer = FaceObserver(network, parts.landmarker, parts.recognition, parts.attributes)
    positions = [FACE_SCHEMA.index[name] for name in ("headYaw", "jawOpen")]
    jacobians = collect_jacobians(observer, positions, tmp_path, n_people=1, seed=0)
    covariance, is_angle = torch.eye(network.w_dim), torch.tensor([True, False])
    rows = solve_directions(jacobians, covariance, is_angle, JacobianWeights())
    directions = np.zeros((len(FACE_SCHEMA), *rows.shape[1:]), np.float32)
    directions[positions] = rows.numpy()
    assert np.isfinite(directions).all() and directions[positions].any()
    trained = replace(bundle, directions=directions)
    portrait = sample_portrait(generator, SeesAFace(face_of(generator)), 3)  # type: ignore[arg-type]
    check_driven(portrait, trained, generator)


def face_of(generator: TorchStyleGan2) -> FaceMeasurement:
    """A face at rest that stands nowhere in particular."""
    side = float(max(generator.sizes))
    nowhere = np.zeros((478, 3), np.float32)
    rest = FACE_SCHEMA.rest.astype(np.float32)
    return FaceMeasurement(rest, nowhere, (0.0, 0.0, side, side), np.eye(4, dtype=np.float32))
