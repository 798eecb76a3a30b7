"""The generator's parts that need no downloaded weights."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import openvino
import openvino.opset13 as opset
import pytest
import torch

from photorig.shared.errors import InputError, ModelError
from photorig.worker.cli.main import main
from photorig.worker.generators import benchmark, load_generator, load_network
from photorig.worker.generators.arithmetic import products, products_per_second
from photorig.worker.generators.benchmark import measure
from photorig.worker.generators.latents import checked_latents
from photorig.worker.generators.layers import haar, inverse_haar
from photorig.worker.generators.preview_head import (
    HEAD_SHAPES,
    PreviewHead,
    heads_from_tensors,
    heads_to_tensors,
)
from photorig.worker.generators.weights import band_order, blocks_for, split_by_size
from photorig.worker.importers.openvino_ir import read_constants
from photorig.worker.threads import thread_count


def write_network(folder: Path) -> Path:
    """y = (x · weight + 1): two float constants and an integer that is none of ours."""
    x = opset.parameter([1, 2], np.float32, name="x")
    weight = opset.constant(np.arange(6, dtype=np.float32).reshape(2, 3))
    weight.output(0).get_tensor().set_names({"m.weight"})
    product = opset.matmul(x, weight, False, False)
    axis = opset.constant(np.array([0], np.int64))
    last = opset.constant(np.array([1, 2, 3], np.float16), name="last")
    last.set_friendly_name("last")
    total = opset.add(product, opset.unsqueeze(opset.convert(last, "f32"), axis))
    openvino.save_model(openvino.Model([total], [x]), folder / "small.xml", compress_to_fp16=False)
    return folder / "small.xml"


def test_float_constants_are_read_by_name_in_the_order_in_which_they_are_needed(tmp_path: Path):
    first, second = read_constants(write_network(tmp_path))
    assert first.name == "m.weight"
    np.testing.assert_array_equal(first.values, np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(second.values.reshape(-1), [1, 2, 3])
    assert first.values.dtype == second.values.dtype == np.float32


def test_a_data_file_that_is_too_short_is_an_error(tmp_path: Path):
    path = write_network(tmp_path)
    path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be read"):
        read_constants(path)


def test_a_missing_data_file_is_an_error_that_names_the_network(tmp_path: Path):
    path = write_network(tmp_path)
    path.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"small\.xml"):
        read_constants(path)


def test_the_inverse_haar_transform_undoes_the_haar_transform():
    image = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(inverse_haar(haar(image)), image)


def test_a_low_band_alone_gives_an_even_image():
    bands = torch.zeros(1, 4, 2, 2)
    bands[:, 0] = 0.5
    torch.testing.assert_close(inverse_haar(bands), torch.full((1, 1, 4, 4), 0.5))


def test_band_order_names_every_channel_once():
    order = band_order(12)
    assert sorted(order) == list(range(12))
    assert order[:3].tolist() == [0, 1, 2]
    assert order[3:6].tolist() == [3, 6, 9]


def test_an_unknown_size_is_refused_with_the_sizes_there_are():
    with pytest.raises(InputError, match="256, 512, 1024"):
        blocks_for(300)


def test_an_unknown_device_is_refused_with_the_devices_there_are():
    with pytest.raises(InputError, match="torch-cpu"):
        load_generator("quantum")


def test_an_unknown_precision_is_refused_in_the_environment_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PHOTORIG_PRECISION", "f8")
    with pytest.raises(InputError, match="no precision 'f8'"):
        load_generator("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="no cuda device"):
        load_generator("cuda")


@pytest.mark.parametrize("shape", [(16, 512), (1, 18, 512), (1, 16, 256)])
def test_latents_of_another_shape_are_refused(shape: tuple[int, ...]):
    with pytest.raises(InputError, match="latents must be"):
        checked_latents(np.zeros(shape, np.float32))


def test_latents_that_are_no_numbers_are_refused():
    latents = np.zeros((1, 16, 512), np.float32)
    latents[0, 3, 5] = np.nan
    with pytest.raises(InputError, match="not a finite number"):
        checked_latents(latents)


def test_the_number_of_threads_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PHOTORIG_THREADS", "3")
    assert thread_count() == 3


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_a_senseless_number_of_threads_is_refused(value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PHOTORIG_THREADS", value)
    with pytest.raises(InputError, match="PHOTORIG_THREADS"):
        thread_count()


def test_preview_heads_survive_being_saved():
    torch.manual_seed(0)
    head = PreviewHead(HEAD_SHAPES[0])
    tensors = {name: tensor.numpy() for name, tensor in heads_to_tensors({256: head}).items()}
    read = heads_from_tensors(split_by_size(tensors))
    assert list(read) == [256]
    for expected, value in zip(head.parameters(), read[256].parameters(), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-6)


def test_a_preview_head_of_another_form_is_refused():
    tensors = {
        name: tensor.numpy()
        for name, tensor in heads_to_tensors({256: PreviewHead(HEAD_SHAPES[1])}).items()
    }
    with pytest.raises(ModelError, match="preview head for 256"):
        heads_from_tensors(split_by_size(tensors))


class SleepyGenerator:
    """Takes a fixed time for an image, and much longer for its first, as one that compiles does."""

    device, w_dim, name = "cpu", 4, "default"
    mean_latent = latent_std = np.ones(4, np.float32)

    def __init__(self, backend: str, seconds: float) -> None:
        self.backend, self._seconds, self._first = backend, seconds, 0.2
        self.asked: list[int] = []

    def expand(self, w: np.ndarray) -> np.ndarray:
        return w

    def synthesize(self, latents: np.ndarray, size: int) -> None:
        self.asked.append(len(latents))
        time.sleep(self._first + self._seconds)
        self._first = 0.0


@pytest.fixture
def a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that makes a thousand products a millisecond, for an image that needs 5000."""
    monkeypatch.setattr(benchmark, "products_per_second", lambda device, precision: 1e6)
    monkeypatch.setattr(benchmark, "products", lambda network, size: 5000.0)
    monkeypatch.setattr(benchmark, "load_network", lambda name: None)


@pytest.mark.usefixtures("a_limit")
def test_backends_are_timed_against_the_first_without_the_first_image():
    contenders = [SleepyGenerator("slow f32", 0.04), SleepyGenerator("quick f32", 0.01)]
    slow, quick = measure(contenders, [256], rounds=3)
    assert (slow.backend, slow.speedup) == ("slow f32", 1.0)
    assert 40 <= slow.milliseconds < 200
    assert quick.speedup > 1.5
    assert slow.limit == 5.0
    assert slow.of_limit == pytest.approx(5.0 / slow.milliseconds)


@pytest.mark.usefixtures("a_limit")
def test_batches_are_timed_by_the_image():
    generator = SleepyGenerator("quick f32", 0.04)
    (timing,) = measure([generator], [256], rounds=2, batch=8)
    assert generator.asked.count(8) == 3
    assert timing.batched < timing.milliseconds / 4
    assert timing.of_limit == 5.0 / timing.batched


def test_bench_of_torch_on_a_processor_tells_its_share_of_the_limit(capsys):
    words = ["bench", "--device", "torch-cpu", "--sizes", "256", "--rounds", "1", "--json"]
    assert main(words) == 0
    (timing,) = {t["backend"]: t for t in json.loads(capsys.readouterr().out)["timings"]}.values()
    assert (timing["backend"], timing["device"], timing["batch"]) == ("torch f32", "cpu", 1)
    assert 0 < timing["limit"] < timing["milliseconds"]


@pytest.mark.usefixtures("a_limit")
def test_without_a_number_batches_are_what_the_device_makes_in_one_call():
    generator = SleepyGenerator("quick f32", 0.01)
    generator.torch_device, generator.at_once = torch.device("cpu"), 4
    generator.drawn = generator.synthesize
    (timing,) = measure([generator], [256], rounds=1)
    assert timing.batch == 4
    assert generator.asked.count(4) == 2


def test_products_are_counted_on_the_network_and_made_by_the_device():
    network = load_network()
    needed = [products(network, size) for size in network.sizes]
    assert 3e9 < needed[0] < needed[1] < needed[2] < 9e9  # docs/measurements.md
    assert products_per_second("cpu", "f32") > 1e8
