"""``photorig serve`` with the real generator: the same pixels whichever way they are asked for."""

from __future__ import annotations

import sysconfig
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from waiting import wait_for

from photorig.shared.parameters.responses import BY_LATENTS, Response
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest

SIZE = 256
YAWS = (-12.0, 0.0, 9.0)

pytestmark = [pytest.mark.weights("random-face"), pytest.mark.slow]


@pytest.fixture(scope="module")
def generator() -> Any:
    from photorig.worker.generators import load_generator

    return load_generator("cpu")


@pytest.fixture(scope="module")
def bundle_file(generator: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A matrix that moves the latent code somewhere; what the face does is not tested here."""
    from photorig.worker.reenactment.bundle import ModelBundle

    directions = np.zeros((len(FACE_SCHEMA), generator.n_rows, generator.w_dim), np.float32)
    directions[0, :6] = np.random.default_rng(3).normal(size=(6, generator.w_dim)) * 0.01
    responses = tuple(
        Response(
            BY_LATENTS,
            parameter.minimum,
            parameter.maximum,
            1.0,
            1.0,
            0.0,
            parameter.minimum,
            parameter.maximum,
        )
        for parameter in FACE_SCHEMA.parameters
    )
    file = tmp_path_factory.mktemp("bundle") / "moves.safetensors"
    gram = np.zeros((len(FACE_SCHEMA), len(FACE_SCHEMA)), np.float32)
    curve = np.stack([FACE_SCHEMA.minimum, FACE_SCHEMA.maximum], 1)
    bundle = ModelBundle(
        "moves",
        directions,
        curve,
        curve,
        FACE_SCHEMA,
        generator.model_id,
        responses,
        gram,
        gram[0] + 99,
        {},
        9.0,
    )
    bundle.save(file)
    return file


@pytest.fixture(scope="module")
def portrait(generator: Any) -> Any:
    from photorig.worker.portraits.alignment import Alignment
    from photorig.worker.portraits.portrait import Portrait

    noise = np.random.default_rng(4).normal(size=(1, generator.w_dim)).astype(np.float32)
    latents = generator.expand(generator.map(noise, 0.7))[0]
    return Portrait(
        latents=latents,
        parameters=FACE_SCHEMA.rest,
        photo=generator.synthesize(latents[None], SIZE)[0],
        alignment=Alignment.upright(SIZE),
        model_id=generator.model_id,
        name="Nobody",
    )


@pytest.fixture(scope="module")
def expected(
    generator: Any, bundle_file: Path, portrait: Any, tmp_path_factory: pytest.TempPathFactory
) -> dict[float, bytes]:
    """Pixels by yaw as the command line renders them, without a server. The portrait is of an
    earlier version: its face is measured here, and by the server once more."""
    from photorig.worker.reenactment.bundle import load_bundle
    from photorig.worker.reenactment.known_faces import KnownFaces, measure_on
    from photorig.worker.reenactment.renderer import FaceRenderer

    bundle = load_bundle(str(bundle_file))
    faces = KnownFaces(bundle, measure_on(bundle, generator), tmp_path_factory.mktemp("faces"))
    assert faces.known(portrait).geometry is not None
    renderer = FaceRenderer(bundle, generator, faces=faces)
    return {
        yaw: renderer.render(
            portrait, FrameRequest(portrait.id, FACE_SCHEMA.vector({"headYaw": yaw}), SIZE)
        ).tobytes()
        for yaw in YAWS
    }


@pytest.fixture(scope="module")
def client(
    addon: SimpleNamespace, bundle_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("worker")
    program = Path(sysconfig.get_path("scripts")) / "photorig"
    worker = addon.process.WorkerProcess(
        [addon.process.find_executable(str(program)), "serve"],
        connection_file=folder / "worker.json",
        log_file=folder / "worker.log",
        arguments=["--bundle", str(bundle_file), "--device", "cpu"],
    )
    worker.start()
    client = addon.client.WorkerClient(worker.wait_ready(120))
    client.connect()
    yield client
    client.close()
    worker.stop()


def requests(addon: SimpleNamespace, portrait: Any, yaws: tuple[float, ...]) -> list[Any]:
    return [
        addon.messages.FrameRequest(
            portrait.id, FACE_SCHEMA.vector({"headYaw": yaw}), SIZE, frame=int(yaw)
        )
        for yaw in yaws
    ]


def test_stills_previews_and_jobs_are_the_pixels_of_the_renderer_in_any_order(
    addon: SimpleNamespace, client: Any, portrait: Any, expected: dict[float, bytes]
) -> None:
    assert len(set(expected.values())) == len(YAWS), "the matrix must move the picture"
    client.upload_portrait(portrait.to_bytes())
    backwards = requests(addon, portrait, YAWS[::-1])
    job = client.start_job(backwards, codec="raw")
    frames = []
    while not job.done:
        frames += job.poll()
        time.sleep(0.005)
    assert job.error is None
    assert {float(frame.frame): frame.image for frame in frames} == expected
    (still,) = requests(addon, portrait, YAWS[:1])
    assert client.request_frame(still).image == expected[YAWS[0]]
    client.submit_preview("view", still)
    assert wait_for(lambda: client.poll_preview("view"), 60).image == expected[YAWS[0]]


def test_a_portrait_of_another_generator_is_refused_with_a_sentence(
    addon: SimpleNamespace, client: Any, portrait: Any
) -> None:
    other = replace(portrait, model_id="another")
    client.upload_portrait(other.to_bytes())
    with pytest.raises(addon.errors.InputError, match="another generator"):
        client.request_frame(requests(addon, other, (0.0,))[0])
