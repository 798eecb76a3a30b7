"""Records what the extension's client and the worker of one version say to each other.

    python tests/contract/record_transcript.py [--tree FOLDER]

To be run once for each minor version of the protocol, with the last sources that speak it; the
transcript goes to transcripts/MAJOR.MINOR.jsonl.xz and stays as it is for ever. FOLDER is a tree of
those sources, this one if none is given.

A line is one message: who said it, on which connection and endpoint, and its parts in base64. Key
pairs, which are new at each launch, are not in it: it is noted before it is encrypted.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import importlib
import itertools
import json
import lzma
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).with_name("transcripts")
SIZE = 64
"""Edge of the test cards."""
_ROOMS = ("worker", "shared", "models")
_SECONDS = 60.0


def client_of(tree: Path, folder: Path) -> Callable[..., ModuleType]:
    """The client of a tree of sources: a function that imports the first module that there is.

    Args:
        folder: where a package of its own is made of it.
    """
    package = folder / "recorded_client"
    package.mkdir()
    (package / "__init__.py").touch()
    sources = tree / "blender_addon"
    has_room = (sources / "client").is_dir()  # once its files stood among the others
    if has_room:
        (package / "client").symlink_to(sources / "client")
    else:
        for path in sources.glob("*.py"):
            if path.name != "__init__.py":
                (package / path.name).symlink_to(path)
    (package / "shared").symlink_to(tree / "shared")
    sys.path.insert(0, str(folder))

    def load(*names: str) -> ModuleType:
        for name in names:
            room = "" if name.startswith("shared.") or not has_room else "client."
            with contextlib.suppress(ModuleNotFoundError):
                return importlib.import_module(f"recorded_client.{room}{name}")
        raise ModuleNotFoundError(" or ".join(names))

    return load


def server_of(tree: Path, folder: Path) -> ModuleType:
    """The module card_server of a tree of sources, with the worker of that tree."""
    (folder / "photorig").mkdir()
    for room in _ROOMS:
        (folder / "photorig" / room).symlink_to(tree / room)
    sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in repr(finder)]
    sys.path[:0] = [str(folder), str(tree / "tests" / "contract")]
    return importlib.import_module("card_server")


class Tap:
    """Stands before a client's socket and notes what goes through."""

    def __init__(self, socket: Any, note: Callable[[str, list[bytes]], None]) -> None:
        self._socket, self._note = socket, note

    def send_multipart(self, parts: list[Any], *arguments: Any, **options: Any) -> Any:
        sent = self._socket.send_multipart(parts, *arguments, **options)
        self._note("client", [bytes(part) for part in parts])
        return sent

    def recv_multipart(self, *arguments: Any, **options: Any) -> Any:
        frames = self._socket.recv_multipart(*arguments, **options)
        self._note("worker", [bytes(frame.buffer) for frame in frames])
        return frames

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


def tap_channels(channel: ModuleType, lines: list[dict[str, object]]) -> None:
    """Let every Channel of that client be noted."""
    numbers, original = itertools.count(), channel.Channel.__init__

    def initialise(self: Any, context: Any, connection: Any, address: str, *rest: Any) -> None:
        original(self, context, connection, address, *rest)
        number = next(numbers)
        endpoint = "control" if address == connection.control else "bulk"

        def note(who: str, parts: list[bytes]) -> None:
            encoded = [base64.b64encode(part).decode("ascii") for part in parts]
            lines.append({"from": who, "at": endpoint, "on": number, "parts": encoded})

        self._socket = Tap(self._socket, note)

    channel.Channel.__init__ = initialise


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + _SECONDS
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError("the recorded conversation came to a halt")
        time.sleep(0.005)
    return value


def converse(
    load: Callable[..., ModuleType], file: Path, minor: int, portraits: Sequence[bytes]
) -> list[Any]:
    """Everything that a minor version can say, each once; returns the frames that came.

    Args:
        load: as ``client_of`` gives it.
        file: the worker's connection file.
        portraits: files, one until 1.3 and two from 1.4 on.
    """
    messages = load("shared.messages", "shared.wire.messages")
    errors = load("shared.errors")
    schemas = load("shared.schema", "shared.parameters.schema")
    schema = getattr(schemas, "FACE_SCHEMA", None) or schemas.ARKIT_52  # its name until 1.4
    connection = load("shared.connection", "shared.wire.connection").ConnectionInfo.load(file)
    client = load("client").WorkerClient(connection, "recorded")
    client.connect()
    portrait_id, frames = client.upload_portrait(portraits[0]).id, []

    def request(frame: int, **options: Any) -> Any:
        values = schema.vector({"headYaw": float(frame), "jawOpen": 0.25})
        options = {"method": "directions", **options}
        return messages.FrameRequest(portrait_id, values, SIZE, frame=frame, **options)

    def finish(job: Any) -> Any:
        until(lambda: (frames.extend(job.poll() or ()), job.done)[1])
        return job

    frames.append(client.request_frame(request(1)))
    client.submit_preview("view", request(2))
    frames.append(until(lambda: client.poll_preview("view")))
    finish(client.start_job([request(frame) for frame in range(3, 6)], codec="png", window=2))
    cancelled = client.start_job([request(frame) for frame in range(6, 9)], codec="raw", window=1)
    until(cancelled.poll)
    cancelled.cancel()
    with contextlib.suppress(errors.InputError):
        client.request_frame(messages.FrameRequest("0" * 64, schema.vector({}), SIZE))
    until(lambda: client.poll() or client.heartbeat)
    if minor >= 1:
        start_fit = load("fit", "fit_client").start_fit
        made = finish(start_fit(client, messages.FitRequest((b"portrait",), "Anna")))
        assert made.portrait is not None
        assert finish(start_fit(client, messages.FitRequest((b"faces",), "Anna"))).faces
        assert finish(start_fit(client, messages.FitRequest((b"refuse",), "Anna"))).error
        finish(load("head", "head_query").HeadQuery(client, portrait_id, portraits[0]))
    if minor >= 2:
        frames.append(client.request_frame(request(9, passes=("face", "matte"))))
        assert len(frames[-1].passes) == 2
        forms = load("shared.picture_format", "shared.wire.picture_format").PictureFormat
        for form in (forms("tiff", 16, "RGBA", transparent=True), forms("exr", 16, "RGB")):
            frames.append(client.request_frame(request(10), form))
    if minor >= 3:
        frames.append(client.request_frame(request(11, neutral=0.5)))
    if minor >= 4:
        other = client.upload_portrait(portraits[1]).id
        others = (messages.FrameRequest(other, schema.vector({"jawOpen": 0.5})),)
        frames.append(client.request_frame(request(12, others=others)))
    client.close()
    return frames


def two_faces(card_server: ModuleType) -> list[bytes]:
    """Files of two portraits of one photo."""
    read, content = card_server.Portrait.from_bytes, card_server.portrait_bytes(1)
    first, second = read(content), read(card_server.portrait_bytes(2))
    return [content, replace(first, latents=second.latents, name=second.name).to_bytes()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=Path, default=Path(__file__).resolve().parents[2])
    tree = parser.parse_args().tree.resolve()
    lines: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        imports = folder / "imports"
        imports.mkdir()
        card_server, load = server_of(tree, imports), client_of(tree, imports)
        tap_channels(load("channel"), lines)
        version = load("shared.protocol", "shared.wire.protocol").VERSION
        with card_server.RunningServer(folder) as server:
            converse(load, server.file, version[1], two_faces(card_server))
    path = FOLDER / f"{version[0]}.{version[1]}.jsonl.xz"
    FOLDER.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_bytes(lzma.compress(text.encode("ascii"), preset=9))
    print(f"{path.name}: {len(lines)} messages, {path.stat().st_size >> 10} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
