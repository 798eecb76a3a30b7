"""`photorig models import`: foreign checkpoints become models, and nothing in them is run."""

from __future__ import annotations

import io
import os
import pickle
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from photorig.shared.errors import InputError, ModelError
from photorig.worker.cli import main as command
from photorig.worker.generators import load_generator
from photorig.worker.generators.stylegan2.files import read_generator
from photorig.worker.registry import ModelCard, open_registry
from photorig.worker.registry.cards import read_cards
from photorig.worker.registry.imported import imported_folder
from photorig.worker.registry.registry import MODELS_FOLDER

from ..checkpoint_files import (
    CLAMPED,
    PLAIN,
    Golden,
    golden,
    nvidia_pickle,
    rosinality_state,
    tensorflow_pickle,
    torch_bytes,
)

Import = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Import:
    """Imports bytes as a file; gives what the command says."""
    monkeypatch.setenv("PHOTORIG_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run(content: bytes, file_name: str = "my.pkl", *options: str, fails: bool = False) -> str:
        Path(file_name).write_bytes(content)
        code = command.main(["models", "import", file_name, *options])
        said = capsys.readouterr()
        assert (code != 0) == fails, said.err
        return said.err if fails else said.out

    return run


@pytest.fixture(params=[PLAIN, CLAMPED])
def network(request: pytest.FixtureRequest) -> Golden:
    return golden(request.param)


def assert_same(name: str, network: Golden, but: tuple[str, ...] = ()) -> None:
    weights = read_generator(imported_folder(name) / "generator.safetensors")
    assert weights.tensors.keys() == network.plain.keys()
    for tensor, values in network.plain.items():
        if tensor not in but:
            np.testing.assert_allclose(weights.tensors[tensor], values, rtol=0, atol=2e-7)
    assert np.isfinite(weights.statistics.std).all()
    assert weights.statistics.std.min() > 0


def test_nvidia_pickle(run: Import, network: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run(nvidia_pickle(network, monkeypatch))
    assert "StyleGAN2" in said and "photorig train all --generator my" in said
    assert_same("my", network)
    weights = read_generator(imported_folder("my") / "generator.safetensors")
    assert weights.clamp == network.clamp
    assert not Path("canary").exists()


def test_tensorflow_pickle(run: Import, network: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tensorflow_pickle(network, monkeypatch))
    assert_same("my", network)
    assert not Path("canary").exists()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before torch 1.6"])
def test_rosinality(run: Import, network: Golden, legacy: bool) -> None:
    average = torch.from_numpy(network.plain["mapping.w_avg"])
    content = {"g_ema": rosinality_state(network), "latent_avg": average, "args": {"size": 64}}
    run(torch_bytes(content, legacy), "my.pt")
    assert_same("my", network)


def test_without_an_average_it_is_measured(run: Import) -> None:
    network = golden(PLAIN)
    run(torch_bytes({"g_ema": rosinality_state(network)}), "my.pt")
    assert_same("my", network, but=("mapping.w_avg",))
    weights = read_generator(imported_folder("my") / "generator.safetensors")
    z = np.random.default_rng(5).standard_normal((4000, 64), np.float32)
    measured = weights.map(z, 1.0)
    error = np.abs(weights.statistics.mean - measured.mean(0)) / measured.std(0)
    assert error.max() < 5 / np.sqrt(4000)


def test_half_precision_and_bfloat16(run: Import) -> None:
    network = golden(PLAIN)
    for kind in (torch.float16, torch.bfloat16):
        state = {k: v.to(kind) for k, v in rosinality_state(network).items()}
        run(torch_bytes({"g_ema": state}), "my.pt", "--replace")
        weights = read_generator(imported_folder("my") / "generator.safetensors")
        wanted = torch.from_numpy(network.plain["synthesis.b8.conv0.weight"]).to(kind).float()
        np.testing.assert_array_equal(weights.tensors["synthesis.b8.conv0.weight"], wanted)


def test_the_card_says_what_it_is(run: Import) -> None:
    run(torch_bytes({"g_ema": rosinality_state(golden(PLAIN))}), "My Faces (2).pt")
    card = open_registry().card("my-faces-2")
    assert (card.kind, card.source.location) == ("generator", "My Faces (2).pt")
    assert card.facts["shapes"]["rows"] == 10
    assert open_registry().problem("my-faces-2") == ""
    tomllib.loads(card.path.read_text())


def test_an_existing_model_stays(run: Import) -> None:
    content = torch_bytes({"g_ema": rosinality_state(golden(PLAIN))})
    run(content, "my.pt")
    before = (imported_folder("my") / "generator.safetensors").stat().st_ino
    assert "already" in run(content, "my.pt", fails=True)
    assert (imported_folder("my") / "generator.safetensors").stat().st_ino == before


def test_a_name_of_our_own_is_not_taken(run: Import) -> None:
    content = torch_bytes({"g_ema": rosinality_state(golden(PLAIN))})
    assert "own" in run(content, "directions.pt", fails=True)


class Canary:
    """Unpickling this makes a folder."""

    def __reduce__(self):
        return os.mkdir, ("canary",)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nothing_is_run(run: Import, protocol: int) -> None:
    run(pickle.dumps({"G_ema": Canary()}, protocol), fails=True)
    run(torch_bytes({"g_ema": Canary(), "latent_avg": Canary()}), "my.pt", fails=True)
    run(torch_bytes({"g_ema": Canary()}, legacy=True), "my.pt", fails=True)
    assert not Path("canary").exists()
    make, arguments = Canary().__reduce__()
    make(*arguments)
    assert Path("canary").exists()  # so the test can fail


FOUND = {
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(50), "a PNG picture"),
    "a web page": (b"<!DOCTYPE html><html>Google Drive", "a web page"),
    "text": (b"hello world, this is no model", "begins with the bytes 68 65 6c"),
    "an empty file": (b"", "0 bytes"),
    "protocol 0": (pickle.dumps({"a": 1}, 0), "begins with the bytes"),
    "a list": (pickle.dumps([1, 2, 3]), "an object of list"),
    "another dictionary": (pickle.dumps({"a": 1, "model": 2}), "a dictionary of a, model"),
    "half a pickle": (pickle.dumps({"a": "b" * 100})[:50], "damaged pickle"),
    "a person": (torch_bytes({"state_dict": {"fc.weight": torch.ones(2)}}), "of state_dict"),
    "half a zip": (torch_bytes({"g_ema": torch.ones(500)})[:900], "damaged zip"),
    "a LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
}


@pytest.mark.parametrize("content, sentence", FOUND.values(), ids=FOUND.keys())
def test_anything_else_is_named(run: Import, content: bytes, sentence: str) -> None:
    said = run(content, fails=True)
    assert sentence in said and len(said.splitlines()) == 1
    assert not imported_folder("my").exists()


def test_other_stylegans_are_named(run: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    network = golden(PLAIN)
    third = {"synthesis.input.freqs": torch.ones(4), "synthesis.L0.weight": torch.ones(4)}
    assert "StyleGAN3" in run(torch_bytes({"G_ema": third}), fails=True)
    several = {**network.tensors, "mapping.embed.weight": np.ones((64, 3), np.float32)}
    state = {name: torch.from_numpy(values) for name, values in several.items()}
    assert "several classes" in run(torch_bytes({"G_ema": state}), fails=True)
    residual = nvidia_pickle(network, monkeypatch, architecture="resnet")
    assert "'resnet', not 'skip'" in run(residual, fails=True)


def test_not_finite_weights_are_refused(run: Import) -> None:
    state = rosinality_state(golden(PLAIN))
    state["convs.3.conv.weight"][0, 0, 0] = float("nan")
    assert "finite" in run(torch_bytes({"g_ema": state}), "my.pt", fails=True)
    assert not imported_folder("my").exists()
    assert list(imported_folder("my").parent.iterdir()) == []


def test_stelabou_matrix(run: Import) -> None:
    linear = {"linear.weight": torch.randn(4096, 15), "linear.bias": torch.randn(4096)}
    content = {"A_matrix": linear, "learned_directions": 15, "shift_scale": 6.0, "w_plus": True,
               "num_layers_shift": 8}  # fmt: skip
    run(torch_bytes(content), "A_matrix.pt")
    card = open_registry().card("a-matrix")
    assert card.facts["layout"] == {
        "directions": 15, "layers": 8, "row_length": 512, "shift_scale": 6.0, "w_plus": True,
    }  # fmt: skip


def test_stylemask_network(run: Import) -> None:
    state = {
        f"network_{i:02}.masknet.{j}.{part}": torch.ones((8, 8) if part == "weight" else (8,))
        for i in range(12)
        for j in (0, 2)
        for part in ("weight", "bias")
    }
    run(torch_bytes({"mask_net": state, "num_layers_control": 12}), "mask_network_1024.pt")
    assert open_registry().card("mask-network-1024").facts["layout"] == {"layers": 12}


def test_a_stream_or_a_missing_file_is_an_error(run: Import, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pkl")
    assert command.main(["models", "import", "pipe.pkl"]) == 1
    assert command.main(["models", "import", "nothing.pkl"]) == 1
    with pytest.raises(InputError):
        imported_folder("../elsewhere")


def test_shared_and_strided_tensors(run: Import) -> None:
    """Views of one storage, as slices and transposed tensors are saved."""
    state = rosinality_state(golden(PLAIN))
    wide = torch.randn(64, 2 * 64)
    state["style.1.weight"], state["style.2.weight"] = wide[:, ::2], wide[:, 64:].T
    run(torch_bytes({"g_ema": state}), "my.pt")
    weights = read_generator(imported_folder("my") / "generator.safetensors")
    np.testing.assert_array_equal(weights.tensors["mapping.fc0.weight"], wide[:, ::2])
    np.testing.assert_array_equal(weights.tensors["mapping.fc1.weight"], wide[:, 64:].T)


def test_a_tensor_that_repeats_a_number_without_end_is_refused(run: Import) -> None:
    state = rosinality_state(golden(PLAIN))
    state["style.1.weight"] = torch.ones(1).expand(1 << 20, 1 << 15)
    stream = io.BytesIO(torch_bytes({"g_ema": state}))
    assert "damaged" in run(stream.getvalue(), "my.pt", fails=True)


PUBLISHED = [card for card in read_cards(MODELS_FOLDER).values() if card.source.type == "manual"]


@pytest.mark.parametrize("card", PUBLISHED, ids=lambda card: card.name)
def test_published_weights_have_a_licence_and_no_invented_checksum(card: ModelCard) -> None:
    assert card.licence and card.notice and card.source.location.startswith("https://")
    assert not any(file.sha256 or file.size for file in card.files)
    with pytest.raises(ModelError, match="not fetched by Photorig"):
        open_registry().fetch(card.name)


def test_the_licence_of_a_published_file_is_shown_and_kept(
    run: Import, capsys: pytest.CaptureFixture
) -> None:
    content = torch_bytes({"g_ema": rosinality_state(golden(PLAIN))})
    Path("stylegan2-ffhq-config-f.pt").write_bytes(content)
    assert command.main(["models", "import", "stylegan2-ffhq-config-f.pt", "--name", "ffhq"]) == 0
    assert "non-commercial" in capsys.readouterr().err
    card = open_registry().card("ffhq")
    assert "NVIDIA" in card.licence and "non-commercial" in card.notice


@pytest.mark.parametrize("device", ["cpu", "torch-cpu"])
def test_an_imported_generator_is_loaded_by_name(run: Import, device: str) -> None:
    network = golden(PLAIN)
    run(torch_bytes({"g_ema": rosinality_state(network)}), "my.pt")
    generator = load_generator(device, name="my")
    wanted = network.values["out.image_noise_const"].transpose(0, 2, 3, 1)
    images = generator.synthesize(network.values["in.w_plus"], 64)
    assert np.abs(images - np.clip((wanted + 1) * 127.5, 0, 255)).max() <= 0.51
    with pytest.raises(ModelError, match="no model 'yours'"):
        load_generator(device, name="yours")
    with pytest.raises(ModelError, match="no generator that was imported"):
        load_generator(device, name="face-landmarker")
