"""e4e, pSp and ReStyle encoders: published shapes, and the ways in which rows come together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from photorig.shared.errors import ModelError
from photorig.worker.cli import main as command
from photorig.worker.generators.stylegan2.encoder import (
    RESTYLE_LOOKS,
    ImportedEncoder,
    StyleEncoder,
    encoder_from,
    load_imported_encoder,
)
from photorig.worker.registry import card

from ..checkpoint_files import PLAIN, golden, rosinality_state, torch_bytes


def small(**options: object) -> StyleEncoder:
    torch.manual_seed(0)
    encoder = StyleEncoder(**{"n_rows": 10, "width": 4, "row_length": 8, **options})
    for head in encoder.styles:
        torch.nn.init.normal_(head.linear.weight)
    return encoder.eval().requires_grad_(False)


@pytest.mark.parametrize("n_rows, tensors, millions", [(14, 565, 209.45), (18, 621, 267.1)])
def test_published_encoders_have_these_sizes(n_rows: int, tensors: int, millions: float) -> None:
    """algorithms.md 7.1: counted on the modules of the authors' code."""
    with torch.device("meta"):
        encoder = StyleEncoder(n_rows)
    state = encoder.state_dict()
    assert len(state) == tensors
    assert sum(p.numel() for p in encoder.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


IMAGE = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(2))


def test_features_are_of_16_32_and_64() -> None:
    sides = [(x.shape[1], x.shape[-1]) for x in small()._features(IMAGE * 2 - 1)]
    assert sides == [(32, 16), (32, 32), (32, 64)]


def test_rows_of_e4e_are_differences_to_the_first() -> None:
    differences, whole = small()(IMAGE), small(adds_differences=False)(IMAGE)
    assert differences.shape == (2, 10, 8)
    assert torch.equal(differences[:, 0], whole[:, 0])
    torch.testing.assert_close(differences[:, 1:] - differences[:, :1], whole[:, 1:])


def test_restyle_looks_at_the_picture_of_its_last_guess() -> None:
    encoder, drawn = small(n_input=6, pyramid=False), []

    def draw(latents: Tensor) -> Tensor:
        drawn.append(latents)
        return latents.mean((1, 2))[:, None, None, None].expand(-1, 3, 256, 256)

    average = torch.full((10, 8), 0.5)
    latents = ImportedEncoder(encoder, average, draw)(IMAGE)
    assert len(drawn) == RESTYLE_LOOKS
    assert torch.equal(drawn[0], average.expand(2, -1, -1))
    seen = torch.cat((IMAGE * 2 - 1, draw(drawn[-1])), 1)
    torch.testing.assert_close(latents, drawn[-1] + encoder(seen))


def test_a_file_with_generator_and_encoder_becomes_two_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTORIG_DATA", str(tmp_path / "data"))
    encoder = small(row_length=64)
    state = {f"encoder.{name}": values for name, values in encoder.state_dict().items()}
    decoder = rosinality_state(golden(PLAIN))
    state |= {f"decoder.{name}": values for name, values in decoder.items()}
    average = torch.arange(640.0).reshape(10, 64)
    options = {"encoder_type": "Encoder4Editing", "device": torch.device("cpu")}
    content = {"state_dict": state, "latent_avg": average, "opts": options}
    (tmp_path / "mine.pt").write_bytes(torch_bytes(content))
    assert command.main(["models", "import", str(tmp_path / "mine.pt")]) == 0
    assert card("mine").kind == "generator"
    loaded = load_imported_encoder("mine-encoder", lambda latents: latents)
    torch.testing.assert_close(loaded(IMAGE), average + encoder(IMAGE * 2 - 1))


def test_a_bare_encoder_of_stelabou(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTORIG_DATA", str(tmp_path / "data"))
    (tmp_path / "e.pt").write_bytes(torch_bytes({"e": small().state_dict()}))
    assert command.main(["models", "import", str(tmp_path / "e.pt")]) == 0
    loaded = load_imported_encoder("e", lambda latents: latents)
    torch.testing.assert_close(loaded(IMAGE), small()(IMAGE * 2 - 1))


def test_what_does_not_fit_is_named() -> None:
    state = small().state_dict()
    del state["body.7.res_layer.1.weight"]
    with pytest.raises(ModelError, match=r"body\.7\.res_layer\.1\.weight"):
        encoder_from(state, adds_differences=True)
