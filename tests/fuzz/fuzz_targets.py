"""Everything that reads bytes from outside, and good bytes of each kind to begin with."""

from __future__ import annotations

import atexit
import contextlib
import gzip
import importlib
import json
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import tiny_networks
from upload_target import read_uploads, upload_seeds

from photorig.shared.errors import PhotorigError, ProtocolError
from photorig.shared.farm.job import JOB_NAME, WORKER, Face, FarmJob
from photorig.shared.farm.path_mapping import read_rules
from photorig.shared.farm.preflight import Expected, NodeFacts
from photorig.shared.files.frame_index import INDEX_NAME, FrameIndex
from photorig.shared.files.provenance import Provenance, insert_provenance, read_provenance
from photorig.shared.mapping.presets import read_preset, read_presets
from photorig.shared.parameters import file as parameters_file
from photorig.shared.parameters.responses import responses_of
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire import message_forms as forms
from photorig.shared.wire import portrait_forms, upload_forms
from photorig.shared.wire.connection import FORMAT, ConnectionInfo
from photorig.shared.wire.protocol import Message, decode
from photorig.worker.importers.onnx import read_weights
from photorig.worker.importers.untrusted import MOST_FOLD
from photorig.worker.media.reading import read_footage, read_picture
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.registry.cards import read_card
from photorig.worker.server.budget import MiB

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).with_name("corpus")
GOLDEN = ROOT / "tests" / "contract" / "golden"


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        read: one input; a PhotorigError is what it may raise.
        seeds: good inputs.
        fold, most: it may allocate ``fold`` bytes for each byte of its input, and ``most`` beside
            them; None where libraries in C do it, which nobody here can count.
    """

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    fold: int = 0
    most: int | None = None


def saved(name: str) -> list[bytes]:
    """What once broke this reader, or nearly did."""
    files = sorted((CORPUS / name).glob("*"))
    return [gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes() for f in files]


@cache
def _folder() -> Path:
    """For readers of files; in memory where the system has such a place."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="photorig-fuzz-", dir=memory if memory.is_dir() else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _file(name: str, content: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(content)
    path.chmod(0o600)
    return path


# --- messages


def _parts(content: bytes) -> list[bytes]:
    """As the golden files hold them: each part after its length."""
    parts, position = [], 0
    while position + 4 <= len(content) and len(parts) < 12:
        (length,) = struct.unpack_from(">I", content, position)
        parts.append(content[position + 4 : position + 4 + length])
        position += 4 + length
    return parts


def _welcome(message: Message) -> None:
    welcome = forms.read_welcome(message)
    responses_of(welcome.description, welcome.schema.ids)


def _sent_before(content: str) -> NoReturn:
    raise ProtocolError(content)


_FORMS: dict[str, list[Callable[[Message], object]]] = {
    "hello": [forms.read_hello],
    "welcome": [_welcome],
    "pong": [forms.read_heartbeat],
    "error": [forms.read_error],
    "portrait": [portrait_forms.read_portrait_info],
    "portrait_query": [portrait_forms.read_portrait_reference],
    "portrait_upload": [portrait_forms.read_portrait_reference],
    "preview": [forms.read_view, lambda message: forms.read_frame_request(message, FACE_SCHEMA)],
    "render": [lambda message: forms.read_frame_request(message, FACE_SCHEMA)],
    "frame": [forms.read_frame_reply],
    "job": [forms.read_window],
    "fit": [lambda message: portrait_forms.read_fit(message, _sent_before)],
    "fit_progress": [portrait_forms.read_fit_progress],
    "fit_faces": [portrait_forms.read_fit_faces],
    "fitted": [portrait_forms.read_fitted_portrait],
    "head": [portrait_forms.read_head],
    "upload": [upload_forms.read_upload],
    "upload_ready": [upload_forms.read_upload_ready],
    "chunk": [upload_forms.read_content, upload_forms.read_chunk],
    "chunk_taken": [upload_forms.read_chunk_taken],
    "end_upload": [upload_forms.read_content],
    "abort_upload": [upload_forms.read_content],
}
_ALL_FORMS = [read for reads in _FORMS.values() for read in reads]


def read_message(content: bytes) -> None:
    """As its kind, and then as every other: a body may come under any name."""
    message = decode(_parts(content), 1 << 20)
    for read in _FORMS.get(message.header.kind, _ALL_FORMS):
        with contextlib.suppress(PhotorigError):
            read(message)


# --- files


def _portrait_seeds() -> list[bytes]:
    random = np.random.default_rng(0)
    portrait = Portrait(
        latents=random.normal(size=(2, 512)).astype(np.float32),
        parameters=np.zeros(len(FACE_SCHEMA), np.float32),
        photo=random.integers(0, 256, (24, 32, 3), np.uint8),
        alignment=Alignment.upright(24),
        model_id="card",
        name="Nobody",
    )
    return [portrait.to_bytes()]


@cache
def _extension() -> Any:
    """The extension's reader, as Blender has it, without Blender."""
    package = _folder() / "fuzz_extension"
    shutil.copytree(ROOT / "shared", package / "shared")
    (package / "camera").mkdir()
    shutil.copy(ROOT / "blender_addon" / "camera" / "portrait_file.py", package / "camera")
    sys.path.insert(0, str(_folder()))
    return importlib.import_module("fuzz_extension.camera.portrait_file")


def read_in_extension(content: bytes) -> None:
    extension = _extension()
    path = _file("x.portrait", content)
    extension._read.cache_clear()
    with contextlib.suppress(extension.InputError):
        extension.read_portrait(path)


def read_journal(content: bytes) -> None:
    _file(INDEX_NAME, content)
    index = FrameIndex(_folder())
    for frame in range(3):
        index.is_finished(frame, "a" * 64)


def _read_presets(content: bytes) -> None:
    folder = _folder() / "presets"
    folder.mkdir(exist_ok=True)
    (folder / "bad.json").write_bytes(content)
    shutil.copy(_PRESETS[0], folder / "good.json")
    # One that is damaged must not take the others away.
    assert len(read_presets(folder)) >= 1
    read_preset(folder / "bad.json")


def _connection_seeds() -> list[bytes]:
    keys = {f"{name}_key": "a" * 40 for name in ("server_public", "client_public", "client_secret")}
    data = {
        "format": FORMAT,
        "control": "tcp://127.0.0.1:1",
        "bulk": "tcp://127.0.0.1:2",
        **keys,
        "pid": os.getpid(),
        "machine": "here",
        "nonce": "0" * 32,
        "version": [1, 3],
    }
    return [json.dumps(data).encode()]


def _read_connection(content: bytes) -> None:
    info = ConnectionInfo.load(_file("worker.json", content))
    info.is_stale  # noqa: B018 - it looks at the process


def _journal_seeds() -> list[bytes]:
    entry = {"file": "frame_0001.png", "request": "a" * 64, "bytes": 100}
    return [b"".join(json.dumps(entry | {"bytes": n}).encode() + b"\n" for n in range(4))]


def _params_seeds() -> list[bytes]:
    values = {"headYaw": 12.5, "jawOpen": 0.4}
    line = {"frame": 1, "time": 0.0, "parameters": values}
    return [b"".join(json.dumps(line | {"frame": n}).encode() + b"\n" for n in range(4))]


def _card_seeds() -> list[bytes]:
    paths = sorted((ROOT / "models").glob("*.toml"))
    return [path.read_bytes() for path in paths if not path.name.endswith(".bundle.toml")]


_PRESETS = sorted((ROOT / "blender_addon" / "presets").glob("*.json"))


def _files(folder: Path, pattern: str) -> Callable[[], list[bytes]]:
    return lambda: [path.read_bytes() for path in sorted(folder.glob(pattern))]


def _picture_seeds() -> list[bytes]:
    import cv2

    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    suffixes = (".png", ".jpg", ".webp", ".tiff", ".bmp")
    return [bytes(cv2.imencode(suffix, image)[1].tobytes()) for suffix in suffixes]


def _read_picture(content: bytes) -> None:
    read_picture(_file("picture", content))


@cache
def _video_seeds() -> list[bytes]:
    """A second of noise, and an animation."""
    from fractions import Fraction

    from photorig.worker.media.movie import write_movie

    frames = list(np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8))
    contents = []
    for suffix in (".mp4", ".webm", ".gif"):
        path = _folder() / f"seed{suffix}"
        write_movie(path, iter(frames), Fraction(24))
        contents.append(path.read_bytes())
    return contents


def _read_video(content: bytes) -> None:
    footage = read_footage(_file("video", content))
    for timed, _ in zip(footage.pictures, range(12), strict=False):
        assert timed.picture.dtype == np.uint8


def _onnx_seeds() -> list[bytes]:
    """A network of two tensors, as protobuf has it."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    def tensor(name: bytes, values: np.ndarray) -> bytes:
        sizes = b"".join(bytes([1 << 3, size]) for size in values.shape)
        return sizes + b"\x10\x01" + field(8, name) + field(9, values.astype("<f4").tobytes())

    tensors = (tensor(b"a", np.ones((2, 3))), tensor(b"b", np.arange(4)))
    return [field(7, b"".join(field(5, one) for one in tensors))]


# --- checkpoints of others


class _Canary:
    """Where this is unpickled it makes a folder."""

    def __reduce__(self) -> tuple[Callable, tuple]:
        return os.mkdir, (str(_folder() / "canary"),)


@cache
def _checkpoint_seeds() -> list[bytes]:
    sys.path.insert(0, str(ROOT))
    import pytest

    from tests.unit import checkpoint_files as made

    network = made.tiny()
    state = {**made.rosinality_state(network), "canary": _Canary()}
    matrix = {"linear.weight": made.torch.ones(16, 3), "linear.bias": made.torch.ones(16)}
    with pytest.MonkeyPatch.context() as patch:
        return [
            made.nvidia_pickle(network, patch),
            made.tensorflow_pickle(network, patch),
            made.torch_bytes({"g_ema": state}),
            made.torch_bytes({"g_ema": state}, legacy=True),
            made.torch_bytes({"A_matrix": matrix, "opts": _Canary()}),
        ]


def _read_checkpoint(content: bytes) -> None:
    from photorig.worker.cli.models_import import parts_of
    from photorig.worker.generators.stylegan2.files import write_generator
    from photorig.worker.importers.stylegan2 import ForeignGenerator
    from photorig.worker.importers.torch_file import opened

    try:
        with opened(_file("model.pkl", content)) as file:
            for part in parts_of(file):
                if isinstance(part, ForeignGenerator):
                    write_generator(_folder() / "model.safetensors", part)
    finally:
        if (_folder() / "canary").exists():
            raise AssertionError("a checkpoint was executed")


def _read_job(content: bytes) -> None:
    job = FarmJob.load(_file(JOB_NAME, content).parent)
    for face in job.faces:
        assert not {"..", ""} & set(face.portrait.split("/"))


def _job_seeds() -> list[bytes]:
    faces = (Face("portraits/a.portrait", "performance.jsonl"),)
    FarmJob("shot", WORKER, (1, 2, 5), 2, faces=faces).save(_file("x", b"").parent, _EXPECTED)
    return [_file("x", b"").with_name(JOB_NAME).read_bytes()]


def _expected_seeds() -> list[bytes]:
    path = _file("expected.json", b"")
    _EXPECTED.save(path)
    return [path.read_bytes()]


_EXPECTED = Expected(
    NodeFacts("0.1.0", "photorig 0.1.0", "a" * 32, "b" * 64, "cpu", "openvino f32", {"c": "Anna"})
)
_RULES = (
    b'{"version": "pathmapping-1.0", "path_mapping_rules": [{"source_path_format": "POSIX",'
    b' "source_path": "/a/b", "destination_path": "/c"}]}'
)

# --- networks


def _pair(parts: Sequence[bytes]) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def _two_files(content: bytes, names: tuple[str, str]) -> tuple[Path, Path]:
    first, second = (*_parts(content), b"", b"")[:2]
    return _file(names[0], first), _file(names[1], second)


def _read_tflite(content: bytes) -> None:
    from photorig.worker.importers.tflite import TFLiteModule

    TFLiteModule(content)


def _read_tfjs(content: bytes) -> None:
    from photorig.worker.importers.tfjs import TFJSModule, read_graph

    TFJSModule(read_graph(*_two_files(content, ("m.json", "m.bin"))), ["out"])


def _read_openvino(content: bytes) -> None:
    from photorig.worker.importers.openvino_ir import read_constants

    read_constants(_two_files(content, ("m.xml", "m.bin"))[0])


TARGETS: dict[str, Target] = {
    "checkpoint": Target(_read_checkpoint, _checkpoint_seeds),
    "onnx": Target(read_weights, _onnx_seeds),
    "tflite": Target(_read_tflite, lambda: [tiny_networks.tflite()], 2 * MOST_FOLD, MiB),
    "tfjs": Target(_read_tfjs, lambda: [_pair(tiny_networks.tfjs())], 2 * MOST_FOLD, MiB),
    "openvino": Target(_read_openvino, lambda: [_pair(tiny_networks.openvino_ir(_folder()))]),
    "upload": Target(
        lambda content: read_uploads(content, _folder() / "uploads"), upload_seeds, 64, MiB
    ),
    "video": Target(_read_video, _video_seeds),
    "message": Target(read_message, _files(GOLDEN, "*.bin"), 16, MiB),
    "portrait": Target(Portrait.from_bytes, _portrait_seeds, 8, 4 * MiB),
    "portrait_in_extension": Target(read_in_extension, _portrait_seeds),
    "journal": Target(read_journal, _journal_seeds),
    "preset": Target(_read_presets, lambda: [path.read_bytes() for path in _PRESETS]),
    "connection": Target(_read_connection, _connection_seeds),
    "params": Target(
        lambda content: parameters_file.read(_file("params.jsonl", content)), _params_seeds
    ),
    "card": Target(lambda content: read_card(_file("card.toml", content)), _card_seeds),
    "farm_job": Target(_read_job, _job_seeds),
    "farm_expected": Target(
        lambda content: Expected.load(_file("expected.json", content)), _expected_seeds
    ),
    "farm_rules": Target(
        lambda content: read_rules.__wrapped__(_file("rules.json", content)), lambda: [_RULES]
    ),
    "provenance": Target(read_provenance, lambda: _picture_seeds()[:1]),
    "provenance_put_in": Target(
        lambda content: insert_provenance(content, Provenance("1", "m")), _picture_seeds
    ),
    "picture": Target(_read_picture, _picture_seeds),
}
