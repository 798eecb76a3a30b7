"""An imported StyleGAN2 on OpenVINO, for processors: the torch module as a graph.

In f32 alone: where OpenVINO rounds by itself it rounds styles too, and a slow move goes in jumps.
"""

from __future__ import annotations

import warnings

import numpy as np
import openvino
import torch

from ..openvino_backend import CompiledGraphs
from ..style_space import Styles, difference_arrays
from .backends import Drawing, StyleGan2Generator
from .network import StyleGan2
from .weights import StyleGan2Weights


class OpenVinoStyleGan2(StyleGan2Generator):
    """One graph for each size, compiled on first use; one image at a time."""

    device, backend = "cpu", "openvino f32"

    def __init__(self, weights: StyleGan2Weights, graphs: CompiledGraphs, name: str = "") -> None:
        super().__init__(weights)
        self._graphs, self._name = graphs, name or weights.model_id

    def _images(self, latents: np.ndarray, size: int, styles: Styles | None) -> np.ndarray:
        extra = difference_arrays(styles, self.w_dim)

        def graph() -> openvino.Model:
            drawing = Drawing(StyleGan2(self._weights), size)
            latent = torch.zeros(1, self.n_rows, self.w_dim)
            examples = (latent, *(torch.from_numpy(values) for values in extra))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", torch.jit.TracerWarning)  # shapes are constants
                traced = torch.jit.trace(drawing, examples, check_trace=False)
            return openvino.convert_model(traced, input=[list(one.shape) for one in examples])

        kind = None if styles is None else type(styles)
        return self._graphs.infer((self._name, size, kind), graph, latents, extra)

    def _with(self, weights: StyleGan2Weights, tuning_id: str) -> OpenVinoStyleGan2:
        return OpenVinoStyleGan2(weights, self._graphs, f"{self._name}{tuning_id}")
