"""The registry of methods, and the pictures that methods are driven by."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.reenactment import methods as registry
from photorig.worker.reenactment.method import MethodEntry
from photorig.worker.reenactment.renderer import FaceRenderer
from photorig.worker.reenactment.target import Drive, DrivingPictures, FacePicture

from ..fakes import TinyGenerator, tiny_bundle, tiny_portrait
from ..stage_fakes import tiny_stage

TOY = Path(__file__).resolve().parents[2] / "data" / "toy_method"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch):
    """A package beside Photorig that brings a method, as one that pip installed would."""
    monkeypatch.syspath_prepend(str(TOY))
    registry.methods.cache_clear()
    yield
    registry.methods.cache_clear()


class Seen:
    """A method that keeps what it was asked for."""

    def __init__(self) -> None:
        self.target = None

    def drive(self, portrait, target):
        self.target = target
        return Drive(portrait.latents + np.float32(0.1))


def renderer_with(
    monkeypatch: pytest.MonkeyPatch, needs_picture: bool
) -> tuple[FaceRenderer, Seen]:
    seen = Seen()
    entry = MethodEntry("seen", "Looks.", lambda *_: seen, needs_picture=needs_picture)
    monkeypatch.setattr(registry, "methods", lambda: {"seen": entry})
    return FaceRenderer(tiny_bundle(), TinyGenerator(), tiny_stage()), seen


def request(mode: str = "relative", **values: float) -> FrameRequest:
    vector = FACE_SCHEMA.vector(values, tiny_portrait().shown if mode == "absolute" else None)
    return FrameRequest(tiny_portrait().id, vector, 8, mode, "seen")


def picture(value: float) -> FacePicture:
    code = np.full((16, 512), value, np.float32)
    return FacePicture(lambda: np.zeros((256, 256, 3), np.uint8), lambda: code)


def test_every_method_says_in_a_sentence_what_it_is_good_for() -> None:
    assert next(iter(registry.methods())) == registry.DEFAULT == "regional"
    for name, entry in registry.methods().items():
        assert entry.name == name
        assert entry.sentence.endswith(".") and len(entry.sentence) < 120


def test_a_method_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no method 'magic'") as error:
        registry.method_entry("magic")
    assert "'regional'" in error.value.hint


def test_a_package_may_bring_a_method(toy: None) -> None:
    assert registry.method_entry("toy").sentence.startswith("Adds")
    renderer = FaceRenderer(tiny_bundle(), TinyGenerator(), tiny_stage())
    portrait, values = tiny_portrait(), FACE_SCHEMA.vector({"jawOpen": 0.3})
    still, moved = (
        renderer.render(portrait, FrameRequest(portrait.id, vector, 8, method="toy"))
        for vector in (FACE_SCHEMA.rest, values)
    )
    assert np.abs(still.astype(int) - moved).max() > 0


def test_a_package_whose_method_is_broken_costs_that_method_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(TOY, tmp_path, dirs_exist_ok=True)
    (tmp_path / "toy_method.py").write_text("raise RuntimeError('broken')")
    monkeypatch.delitem(sys.modules, "toy_method", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.methods.cache_clear()
    assert list(registry.methods())[:2] == ["regional", "calibrated"]
    assert "toy" not in registry.methods()
    registry.methods.cache_clear()


def test_parameters_alone_are_played_by_the_mean_face(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer, seen = renderer_with(monkeypatch, needs_picture=True)
    renderer.render(tiny_portrait(), request(jawOpen=0.3))
    bundle, mean = renderer.bundle, np.zeros((16, 512), np.float32)
    np.testing.assert_array_equal(seen.target.rest.code, mean)
    row = bundle.directions[FACE_SCHEMA.index["jawOpen"]]
    moved = seen.target.picture.code[: len(row)]
    cosine = (moved * row).sum() / np.linalg.norm(moved) / np.linalg.norm(row)
    assert cosine == pytest.approx(1, abs=1e-4)


def test_a_picture_goes_to_the_method_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer, seen = renderer_with(monkeypatch, needs_picture=True)
    pictures = DrivingPictures(picture(1.0), picture(2.0))
    renderer.render(tiny_portrait(), request(jawOpen=0.3), pictures)
    assert seen.target.picture is pictures.picture and seen.target.rest is pictures.rest


def test_a_picture_without_a_rest_is_measured_against_the_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    renderer, seen = renderer_with(monkeypatch, needs_picture=True)
    renderer.render(tiny_portrait(), request("absolute"), DrivingPictures(picture(1.0)))
    np.testing.assert_array_equal(seen.target.rest.code, tiny_portrait().latents)
    assert seen.target.rest.crop.shape == (256, 256, 3)


def test_a_method_of_parameters_gets_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer, seen = renderer_with(monkeypatch, needs_picture=False)
    renderer.render(tiny_portrait(), request(jawOpen=0.3))
    assert seen.target.picture is None
