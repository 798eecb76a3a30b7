"""The real fitting program with real models, over the wire; few steps, since the way is tested."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from card_server import RunningServer
from PIL import Image

from photorig.worker.cli.serve import FIT_PROGRAM
from photorig.worker.portraits.portrait import Portrait

pytestmark = [pytest.mark.weights("random-face", "face-landmarker"), pytest.mark.slow]

SECONDS = 240


@pytest.fixture(scope="module")
def face() -> Image.Image:
    """A person who does not exist, 512 × 512."""
    from photorig.worker.generators import load_generator

    generator = load_generator("cpu")
    z = np.random.default_rng(5).normal(size=(1, generator.w_dim)).astype(np.float32)
    picture = generator.synthesize(generator.expand(generator.map(z, 0.7)), 512)[0]
    return Image.fromarray(picture)


@pytest.fixture
def client(tmp_path: Path, connect: Callable[..., Any]) -> Any:
    program = [sys.executable, "-m", FIT_PROGRAM, "--steps", "2"]
    with RunningServer(tmp_path, fit_program=program) as running:
        yield connect(running.file)


def fit(addon: SimpleNamespace, client: Any, picture: Image.Image, face: int | None = None) -> Any:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95)
    request = addon.messages.FitRequest((file.getvalue(),), "Nobody", face)
    job = addon.fit.start_fit(client, request)
    deadline, job.seen = time.monotonic() + SECONDS, []
    while not job.done and time.monotonic() < deadline:
        job.poll()
        job.seen.append((job.progress.stage, job.progress.fraction))
        time.sleep(0.01)
    assert job.done, job.progress
    return job


def test_a_photo_becomes_a_portrait_of_that_photo(
    addon: SimpleNamespace, client: Any, face: Image.Image
) -> None:
    job = fit(addon, client, face)
    assert job.error is None
    portrait = Portrait.from_bytes(job.portrait.content)
    assert (portrait.name, portrait.photo.shape) == ("Nobody", (512, 512, 3))
    assert portrait.response is not None, "its answers were measured, too"
    fractions = [fraction for _, fraction in dict.fromkeys(job.seen)]
    assert fractions == sorted(fractions), "progress never goes back"
    assert len(set(fractions)) > 10
    assert len({stage for stage, _ in job.seen}) >= 3


def test_a_group_is_asked_about_and_a_landscape_is_refused(
    addon: SimpleNamespace, client: Any, face: Image.Image
) -> None:
    group = Image.new("RGB", (1024, 512), "grey")
    group.paste(face, (0, 0))
    group.paste(face.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (512, 0))
    job = fit(addon, client, group)
    assert job.error is None
    assert len(job.faces.faces) == 2
    centres = sorted((f.box[0] + f.box[2]) / 2 for f in job.faces.faces)
    assert centres[0] < 512 < centres[1]
    assert job.faces.faces[0].thumbnail.std() > 10, "the face can be recognised"
    assert not any(f.problem for f in job.faces.faces)
    empty = fit(addon, client, Image.new("RGB", (640, 480), "skyblue"))
    assert isinstance(empty.error, addon.errors.InputError)
    assert "\n" not in str(empty.error)
    assert "photo-1" not in str(empty.error), "the person knows the photo by its name"
