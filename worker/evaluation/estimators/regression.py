"""Ridge regression with a smooth correction: what turns landmarks into angles and coefficients.

A linear map of principal components, which goes on sensibly outside the training data, plus kernel
ridge regression of what it leaves (Gaussian kernel at a subset of the faces: Nyström's method,
Williams and Seeger 2001), which fades out there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Settings:
    """How a map is fitted.

    Attributes:
        components: principal components that are kept.
        linear_ridge: weight of the penalty on the linear map, in faces.
        supports: faces the kernel looks from; 0 for no correction.
        width: of the kernel, in units of the typical distance between two faces.
        kernel_ridge: weight of the penalty on the correction.
    """

    components: int
    linear_ridge: float = 3.0
    supports: int = 0
    width: float = 1.5
    kernel_ridge: float = 0.03


@dataclass(frozen=True, eq=False)
class Regression:
    """A fitted map from d features to t targets.

    Attributes:
        mean: (d,) of the features. basis: (k, d), its products with them have unit variance.
        linear: (k, t). offset: (t,).
        supports: (m, k). weights: (m, t). width: (1,) of the kernel.
    """

    mean: np.ndarray
    basis: np.ndarray
    linear: np.ndarray
    offset: np.ndarray
    supports: np.ndarray
    weights: np.ndarray
    width: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(n, d) to (n, t)."""
        components = (features - self.mean) @ self.basis.T
        kernel = _kernel(components, self.supports, float(self.width[0]))
        return components @ self.linear + self.offset + kernel @ self.weights

    def tensors(self, name: str) -> dict[str, np.ndarray]:
        """Its arrays as float32, named for a file that holds several maps."""
        return {
            f"{name}.{field.name}": np.ascontiguousarray(getattr(self, field.name), np.float32)
            for field in fields(self)
        }

    @staticmethod
    def of(tensors: Mapping[str, np.ndarray], name: str) -> Regression:
        """From a file's arrays. Raises KeyError where one is missing."""
        arrays = {
            field.name: tensors[f"{name}.{field.name}"].astype(np.float64)
            for field in fields(Regression)
        }
        return Regression(**arrays)


def fit(
    features: np.ndarray, targets: np.ndarray, settings: Settings, random: np.random.Generator
) -> Regression:
    """Fit (n, d) features to (n, t) targets."""
    mean, offset = features.mean(0), targets.mean(0)
    _, spread, axes = np.linalg.svd(features - mean, full_matrices=False)
    kept = slice(0, min(settings.components, len(spread)))
    basis = axes[kept] * (np.sqrt(len(features)) / spread[kept])[:, None]
    components = (features - mean) @ basis.T
    residual = targets - offset
    linear = _ridge(components, residual, settings.linear_ridge)
    residual = residual - components @ linear
    chosen = random.permutation(len(features))[: settings.supports]
    supports = components[np.sort(chosen)]
    width = settings.width * np.sqrt(2 * components.shape[1])
    kernel = _kernel(components, supports, width)
    between = _kernel(supports, supports, width)
    weights = np.zeros((len(supports), targets.shape[1]))
    if len(supports):
        normal = kernel.T @ kernel + settings.kernel_ridge * len(features) / len(supports) * between
        normal += 1e-6 * np.trace(normal) / len(supports) * np.eye(len(supports))
        weights = np.linalg.solve(normal, kernel.T @ residual)
    return Regression(mean, basis, linear, offset, supports, weights, np.array([width]))


def _ridge(components: np.ndarray, targets: np.ndarray, weight: float) -> np.ndarray:
    normal = components.T @ components + weight * np.eye(components.shape[1])
    return np.linalg.solve(normal, components.T @ targets)


def _kernel(components: np.ndarray, supports: np.ndarray, width: float) -> np.ndarray:
    """(n, m) Gaussian of the distances."""
    squares = (components**2).sum(1)[:, None] + (supports**2).sum(1)[None]
    distances = np.maximum(squares - 2 * components @ supports.T, 0)
    return np.exp(-distances / (2 * width**2))
