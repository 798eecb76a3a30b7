"""The generator on OpenVINO: the fast way to run it on a processor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import openvino

from photorig.shared.bounded_cache import BoundedCache
from photorig.shared.errors import InputError
from photorig.worker.threads import frame_threads, thread_count

from .latents import checked_latents, expand_latents, map_latents
from .openvino_graph import build_graph, style_inputs
from .style_space import Styles, row_slices, style_vectors
from .tuning import WeightTuning
from .weights import N_ROWS, SIZES, W_DIM, GeneratorWeights, blocks_for, load_weights

_COMPILED_GRAPHS = 5
"""Of two portraits at two sizes each, and of a sequence. As many are kept at once; one takes
0.2 GB, for 1024² 0.35 GB."""


GraphKey = tuple[str, int, type[Styles] | None]
"""Weights, size, and what pictures differ by from their latents."""


class CompiledGraph:
    """A graph for images on so many threads each; threads may share it.

    Pictures do not depend on how many threads draw one, nor on how many are drawn at once.
    """

    def __init__(self, compiled: openvino.CompiledModel) -> None:
        self._compiled = compiled
        # An infer request holds one image's buffers, which take more than the weights.
        self._free: list[openvino.InferRequest] = []

    def infer(self, inputs: list[np.ndarray]) -> np.ndarray:
        """The picture (size, size, 3) of a graph's inputs."""
        try:
            request = self._free.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        image = request.infer(inputs, share_inputs=True)[0][0].copy()
        self._free.append(request)
        return np.asarray(image)


class CompiledGraphs:
    """The graphs that were asked for last, compiled; threads may share it.

    Args:
        threads: that draw a picture; within `on_threads` fewer, and several pictures at once.
    """

    def __init__(self, threads: int) -> None:
        self._core, self._threads = openvino.Core(), threads
        self._graphs = BoundedCache[tuple[GraphKey, int], CompiledGraph](_COMPILED_GRAPHS)
        self._making: dict[tuple[GraphKey, int], threading.Lock] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._graphs)

    def infer(
        self,
        key: GraphKey,
        graph: Callable[[], openvino.Model],
        latents: np.ndarray,
        more: Sequence[np.ndarray] = (),
    ) -> np.ndarray:
        """Images (b, size, size, 3) of latents (b, 16, 512).

        Args:
            key: names the graph.
            graph: builds it; called where it is not at hand.
            more: what it takes after the latents.
        """
        compiled = self._compiled(key, graph)
        if len(latents) == 1:
            return compiled.infer([latents, *more])[None]
        return np.stack([compiled.infer([latent[None], *more]) for latent in latents])

    def _compiled(self, key: GraphKey, graph: Callable[[], openvino.Model]) -> CompiledGraph:
        threads = frame_threads(self._threads)
        whole_key = key, threads
        with self._lock:
            compiled = self._graphs.get(whole_key)
            if compiled is not None:
                return compiled
            making = self._making.setdefault(whole_key, threading.Lock())
        with making:  # who wants other graphs does not wait for this one
            with self._lock:
                compiled = self._graphs.get(whole_key)
                if compiled is None:
                    self._graphs.make_room(1)
            if compiled is None:
                options = _compile_options(threads, max(self._threads // threads, 1))
                compiled = CompiledGraph(self._core.compile_model(graph(), "CPU", options))
            with self._lock:
                self._graphs.put(whole_key, compiled)
                self._making.pop(whole_key, None)
            return compiled


class OpenVinoGenerator:
    """Implements `Generator`; one image at a time, since a batch is no faster on a processor.

    A graph is compiled when its size is first asked for, which takes about as long as five images.
    OpenVINO's own cache of compiled graphs is no help: a file is 290 MB and is not found again.

    Args:
        graphs: where compiled graphs are kept; a generator and those tuned from it share it.
        tuning_id: names what the weights were tuned by, "" where they were not.
    """

    name = "default"
    n_rows, w_dim, z_dim, sizes = N_ROWS, W_DIM, W_DIM, SIZES
    device = "cpu"

    def __init__(
        self,
        weights: GeneratorWeights,
        precision: str,
        threads: int,
        graphs: CompiledGraphs | None = None,
        tuning_id: str = "",
    ) -> None:
        self._weights = weights
        self._precision, self._threads = precision, threads
        self._graphs = CompiledGraphs(threads) if graphs is None else graphs
        self._tuning_id = tuning_id
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

    @property
    def style_rows(self) -> tuple[slice, ...]:
        """See `Generator.style_rows`."""
        return row_slices(self._weights)

    def styles(self, latents: np.ndarray) -> np.ndarray:
        """See `Generator.styles`."""
        return style_vectors(self._weights, checked_latents(latents))

    def synthesize(
        self, latents: np.ndarray, size: int, styles: Styles | None = None
    ) -> np.ndarray:
        """See `Generator.synthesize`."""
        blocks_for(size)
        latents = checked_latents(latents)
        kind = None if styles is None else type(styles)

        def graph() -> openvino.Model:
            return build_graph(self._weights, size, styled=kind, precision=self._precision)

        key = (self._tuning_id, size, kind)
        return self._graphs.infer(key, graph, latents, style_inputs(styles))

    def tuned(self, tuning: WeightTuning) -> OpenVinoGenerator:
        """See `Generator.tuned`."""
        weights = tuning.applied(self._weights)
        tuning_id = f"{self._tuning_id}{tuning.id}"
        return OpenVinoGenerator(weights, self._precision, self._threads, self._graphs, tuning_id)


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


def _compile_options(threads: int, at_once: int) -> dict[str, object]:
    """For so many pictures at once, each on so many threads."""
    return {
        # Where bf16 is wanted, the graph says so; by itself OpenVINO would round all of it.
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads * at_once,
        "NUM_STREAMS": at_once,
        # Blender and other programs use the same cores: let the system place the threads.
        "ENABLE_CPU_PINNING": False,
    }
