"""Ridge regression with a smooth correction."""

from __future__ import annotations

import numpy as np
import pytest

from photorig.worker.evaluation.estimators.regression import Regression, Settings, fit


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_linear_map_is_found_and_goes_on_outside_the_data(random):
    features = random.normal(size=(500, 8))
    truth = random.normal(size=(8, 2))
    found = fit(features, features @ truth + 3, Settings(components=8, linear_ridge=1e-6), random)
    far = 10 * random.normal(size=(20, 8))
    assert np.allclose(found(far), far @ truth + 3, atol=1e-3)


def test_the_correction_finds_what_no_line_can(random):
    features = random.uniform(-2, 2, size=(800, 2))
    targets = features[:, :1] + np.cos(2 * features[:, 1:])
    line = fit(features, targets, Settings(components=2), random)
    bent = fit(features, targets, Settings(2, supports=200, width=0.5, kernel_ridge=0.001), random)
    new = random.uniform(-1.8, 1.8, size=(200, 2))
    truth = new[:, :1] + np.cos(2 * new[:, 1:])
    assert np.abs(line(new) - truth).mean() > 0.3
    assert np.abs(bent(new) - truth).mean() < 0.03


def test_far_from_all_data_the_correction_is_gone(random):
    features = random.normal(size=(300, 3))
    targets = features @ np.ones((3, 1)) + np.sin(features[:, :1])
    found = fit(features, targets, Settings(3, supports=100), random)
    far = np.array([[1e3, 0, 0]])
    components = (far - found.mean) @ found.basis.T
    assert np.allclose(found(far), components @ found.linear + found.offset)


def test_a_regression_survives_its_file_form(random):
    features, targets = random.normal(size=(100, 5)), random.normal(size=(100, 2))
    found = fit(features, targets, Settings(4, supports=10), random)
    tensors = found.tensors("a")
    assert all(values.dtype == np.float32 for values in tensors.values())
    assert np.allclose(Regression.of(tensors, "a")(features), found(features), atol=1e-4)
    with pytest.raises(KeyError):
        Regression.of(tensors, "b")
