"""Sequences on a device: several frames in one call, and what is left when the device fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from photorig.shared.errors import ModelError
from photorig.shared.parameters.file import FrameParameters, write
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.cli.main import main
from photorig.worker.generators.batches import Batches
from photorig.worker.generators.style_space import Styles
from photorig.worker.generators.stylegan2.backends import TorchStyleGan2
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment import renderer as renderer_module
from photorig.worker.reenactment.renderer import FaceRenderer
from photorig.worker.reenactment.sequences import AskedFrame, finished_frames

from ..checkpoint_files import PLAIN, golden
from ..fakes import tiny_bundle, tiny_portrait
from ..generators.test_stylegan2 import weights_of
from ..stage_fakes import tiny_stage

N_FRAMES = 6


class Device(TorchStyleGan2):
    """A tiny StyleGAN2 that makes two pictures at once, on a device that may fail.

    Attributes:
        calls: how many pictures were asked for at once, call by call.
        error: is raised from the call of number ``fails_at`` on.
    """

    def __init__(self, error: Exception | None = None, fails_at: int = 0) -> None:
        weights = weights_of(golden(PLAIN))
        super().__init__(weights, torch.device("cpu"), "f32", Batches("cuda", largest=2))
        self.calls: list[int] = []
        self.error, self.fails_at = error, fails_at
        network = self._pictures._make

        def make(latents: torch.Tensor, size: int, *differences: torch.Tensor) -> torch.Tensor:
            if self.error is not None and len(self.calls) >= self.fails_at:
                raise self.error
            self.calls.append(len(latents))
            return network(latents, size, *differences)

        self._pictures._make = make

    def synthesize(
        self, latents: np.ndarray, size: int, styles: Styles | None = None
    ) -> np.ndarray:
        """The picture at rest, asked for once, is not counted."""
        calls, self.calls = self.calls, []
        error, self.error = self.error, None
        try:
            return super().synthesize(latents, size, styles)
        finally:
            self.calls, self.error = calls, error


def portrait_for(generator: TorchStyleGan2) -> Portrait:
    portrait = tiny_portrait()
    photo = np.random.default_rng(2).integers(0, 256, (64, 64, 3), np.uint8)
    latents = generator.expand(generator.mean_latent[None])[0]
    return replace(
        portrait,
        photo=photo,
        alignment=Alignment.upright(64),
        latents=latents,
        model_id=generator.model_id,
    )


def renderer_on(generator: TorchStyleGan2) -> FaceRenderer:
    usual = tiny_bundle()
    directions = usual.directions[:, :6, : generator.w_dim]
    bundle = replace(usual, directions=directions, model_id=generator.model_id)
    return FaceRenderer(bundle, generator, tiny_stage())


def requests(portrait: Portrait) -> list[FrameRequest]:
    """The second one is at rest."""
    values = [0.1, 0.0, 0.2, 0.3, 0.4, 0.5]
    return [
        FrameRequest(portrait.id, FACE_SCHEMA.vector({"jawOpen": value}), 64, frame=n)
        for n, value in enumerate(values, 1)
    ]


def test_frames_of_a_sequence_are_drawn_several_in_a_call() -> None:
    generator = Device()
    renderer, portrait = renderer_on(generator), portrait_for(generator)
    asked = [AskedFrame(request) for request in requests(portrait)]
    made = list(finished_frames(renderer, [portrait], asked, lambda one, frame: (one, frame)))
    assert [one.request.frame for one, _ in made] == [1, 2, 3, 4, 5, 6]
    assert generator.calls == [1, 2, 1, 1, 2], "the first pair proves that no byte changes"
    for one, frame in made:
        np.testing.assert_array_equal(frame, renderer.render(portrait, one.request))


def test_without_frames_nothing_is_made() -> None:
    generator = Device()
    portrait = portrait_for(generator)
    assert not list(finished_frames(renderer_on(generator), [portrait], [], lambda *_: 0))


def test_a_sequence_goes_on_in_smaller_calls_where_memory_ends() -> None:
    generator = Device()
    renderer, portrait = renderer_on(generator), portrait_for(generator)

    full = Device()
    network = full._pictures._make

    def make(latents: torch.Tensor, size: int, *differences: torch.Tensor) -> torch.Tensor:
        if len(latents) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return network(latents, size, *differences)

    full._pictures._make = make
    asked = [AskedFrame(request) for request in requests(portrait)]
    made = list(finished_frames(renderer_on(full), [portrait], asked, lambda _, frame: frame))
    for one, frame in zip(asked, made, strict=True):
        np.testing.assert_array_equal(frame, renderer.render(portrait, one.request))
    assert full.at_once == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "not enough memory for one picture"),
        (RuntimeError("CUDA error: an illegal memory access"), "The device cuda was lost"),
    ],
)
def test_a_device_that_fails_is_a_sentence(error: Exception, sentence: str) -> None:
    generator = Device(error)
    portrait = portrait_for(generator)
    with pytest.raises(ModelError, match=sentence):
        renderer_on(generator).render_several(portrait, requests(portrait)[2:4], [None, None])


def test_after_a_lost_device_a_job_goes_on_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = Device(RuntimeError("CUDA error: unspecified launch failure"), fails_at=4)
    portrait = portrait_for(lost)
    portrait.save(tmp_path / "x.portrait")
    take = [
        FrameParameters(n, {"jawOpen": 0.05 * n, "headX": 0.01}) for n in range(1, N_FRAMES + 1)
    ]
    write(tmp_path / "take.jsonl", take)
    words = ["render", str(tmp_path / "x.portrait"), str(tmp_path / "take.jsonl"), "--size", "64"]
    words += ["--method", "directions", "--out"]

    def render(generator: Device, out: str) -> int:
        monkeypatch.setattr(renderer_module, "load_renderer", lambda *_: renderer_on(generator))
        return main([*words, str(tmp_path / out)])

    assert render(lost, "out") == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "The device cuda was lost" in said
    assert "frames that are finished are kept" in said
    kept = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert 0 < len(kept) < N_FRAMES

    whole, rest = Device(), Device()
    assert render(whole, "whole") == render(rest, "out") == 0
    assert sum(rest.calls) < sum(whole.calls), "what was finished is not made again"
    for path in (tmp_path / "whole").glob("*.png"):
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
