"""The generator on OpenVINO: the fast way to run it on a processor."""

from __future__ import annotations

import threading

import numpy as np
import openvino

from photorig.shared.errors import InputError

from .latents import checked_latents, expand_latents, map_latents
from .openvino_graph import build_graph
from .threads import thread_count
from .weights import N_ROWS, SIZES, W_DIM, GeneratorWeights, blocks_for, load_weights


class OpenVinoGenerator:
    """Implements `Generator`; one image at a time, since a batch is no faster on a processor.

    A graph is compiled when its size is first asked for, which takes about as long as five images.
    OpenVINO's own cache of compiled graphs is no help: a file is 290 MB and is not found again.
    """

    n_rows, w_dim, sizes = N_ROWS, W_DIM, SIZES
    device = "cpu"

    def __init__(self, weights: GeneratorWeights, precision: str, threads: int) -> None:
        self._weights = weights
        self._core = openvino.Core()
        self._options = _compile_options(precision, threads)
        self._requests: dict[int, openvino.InferRequest] = {}
        self._lock = threading.Lock()
        self.model_id = weights.model_id
        self.pixels_id = weights.pixels_id
        self.mean_latent, self.latent_std = weights.statistics.mean, weights.statistics.std
        self.backend = f"openvino {precision}"

    def map(self, z: np.ndarray, truncation: float = 1.0) -> np.ndarray:
        """See `Generator.map`."""
        return map_latents(self._weights, z, truncation)

    def expand(self, w: np.ndarray) -> np.ndarray:
        """See `Generator.expand`."""
        return expand_latents(w)

    def synthesize(self, latents: np.ndarray, size: int) -> np.ndarray:
        """See `Generator.synthesize`."""
        blocks_for(size)
        latents = checked_latents(latents)
        images = np.empty((len(latents), size, size, 3), np.uint8)
        # An infer request holds one image's buffers: one caller at a time.
        with self._lock:
            request = self._request(size)
            for index, latent in enumerate(latents):
                images[index] = request.infer(latent[None], share_inputs=True)[0][0]
        return images

    def _request(self, size: int) -> openvino.InferRequest:
        if size not in self._requests:
            graph = build_graph(self._weights, size)
            compiled = self._core.compile_model(graph, "CPU", self._options)
            self._requests[size] = compiled.create_infer_request()
        return self._requests[size]


def load_openvino_generator(precision: str = "auto") -> OpenVinoGenerator:
    """The default generator on this processor; ``auto`` is bf16 where it computes in bf16.

    Raises:
        InputError: bf16 was asked for and this processor does not have it.
        ModelError: the weights cannot be had.
    """
    if precision == "auto":
        precision = "bf16" if has_bfloat16() else "f32"
    elif precision == "bf16" and not has_bfloat16():
        raise InputError("this processor does not compute in bf16", "Use the precision 'f32'.")
    return OpenVinoGenerator(load_weights(), precision, thread_count())


def has_bfloat16() -> bool:
    """Whether this processor has bf16 instructions, so that bf16 is faster than f32."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _compile_options(precision: str, threads: int) -> dict[str, object]:
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        # Blender and other programs use the same cores: let the system place the threads.
        "ENABLE_CPU_PINNING": False,
    }
