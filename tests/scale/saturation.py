"""How many frames a second go through one gateway, whatever makes them.

    python tests/scale/saturation.py --seconds 3

The server is the real one with its sockets and encryption; frames come at once from an executor
that has them ready, and clients are the extension's, in processes of their own. The processor time
of the server's process a frame says what one core could do when nothing else runs on it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "tests" / "contract"
sys.path.insert(0, str(CONTRACT))

import numpy as np  # noqa: E402
from card_server import SIZE, CardRenderer, portrait_bytes  # noqa: E402
from record_transcript import client_of  # noqa: E402

from photorig.shared.wire.connection import ConnectionInfo  # noqa: E402
from photorig.shared.wire.messages import FrameReply, MessageLimits  # noqa: E402
from photorig.worker.portraits.portrait import Portrait  # noqa: E402
from photorig.worker.server.executors.interface import (  # noqa: E402
    Chunk,
    DeviceStatus,
    FrameDone,
    RendererFacts,
    Room,
)
from photorig.worker.server.launch import ServerOptions, StopSignal, serve  # noqa: E402
from photorig.worker.server.portrait_store import PortraitStore  # noqa: E402

FRAME_BYTES = (25_000, 110_000, 450_000, 1_800_000, 6_000_000)
"""About a PNG of 128, 256, 512 and 1024 pixels, and of a photo of four megapixels."""
_CHUNK = 48
_EDGE = 2048
_WINDOW = 512


class ReadyFrames:
    """An executor with endless devices: a frame is done as soon as it is submitted."""

    def __init__(self, n_bytes: int) -> None:
        self.wake = lambda: None
        self.facts = RendererFacts.of(CardRenderer())
        self._image = np.random.default_rng(1).bytes(n_bytes)
        self._done: list[FrameDone] = []
        self.frames = 0

    def room(self, previews_come: bool) -> Room:
        return Room(True, _CHUNK if not self._done else 0)

    def submit(self, chunk: Chunk) -> None:
        self.frames += len(chunk.frames)
        for frame in chunk.frames:
            reply = FrameReply(frame.request.frame, self._image, _EDGE, _EDGE, "png", 1.0)
            self._done.append(FrameDone(frame.id, reply))
        self.wake()

    def events(self) -> list[FrameDone]:
        done, self._done = self._done, []
        return done

    def cancel(self, task_id: int) -> None: ...

    def status(self) -> DeviceStatus:
        return DeviceStatus(None, 1.0)

    def close(self) -> None: ...


@dataclass(frozen=True)
class Throughput:
    """What went through one gateway.

    Attributes:
        frame_bytes: of each frame.
        clients: at once.
        frames_per_second, megabytes_per_second: by the clock, on a shared computer.
        processor_milliseconds_per_frame: of the server's process.
        frames_per_core_second: one core of it to itself.
    """

    frame_bytes: int
    clients: int
    frames_per_second: float
    megabytes_per_second: float
    processor_milliseconds_per_frame: float
    frames_per_core_second: float


def measured(n_bytes: int, clients: int, seconds: float, folder: Path) -> Throughput:
    """Run the server in this process, its clients in others."""
    folder.mkdir()
    executor, stop, ready = ReadyFrames(n_bytes), StopSignal(), threading.Event()
    portraits = PortraitStore(folder / "portraits", Portrait.from_bytes)
    options = ServerOptions(folder / "worker.json", worker="saturation")
    limits = MessageLimits(window=_WINDOW)
    arguments = (options, executor, portraits, lambda _: ready.set(), stop, limits)
    server = threading.Thread(target=serve, args=arguments, daemon=True)
    server.start()
    assert ready.wait(30), "the server did not start"
    command = [sys.executable, "-P", __file__, "--client", str(options.connection_file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    programs = [
        subprocess.Popen([*command, "--seconds", str(seconds)], **pipes)  # type: ignore[call-overload]
        for _ in range(clients)
    ]
    for program in programs:
        assert program.stdout.readline() == "ready\n"
    processor, start = time.process_time(), time.perf_counter()
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    got = sum(int(program.stdout.readline()) for program in programs)
    elapsed, used = time.perf_counter() - start, time.process_time() - processor
    for program in programs:
        program.communicate()
    stop.stop("enough")
    server.join(10)
    assert got > 0
    return Throughput(
        n_bytes,
        clients,
        round(got / elapsed, 1),
        round(got * n_bytes / elapsed / 1e6, 1),
        round(used / got * 1000, 4),
        round(got / used, 1),
    )


def client(connection_file: Path, seconds: float) -> None:
    """Takes frames as fast as they come, and says how many."""
    with tempfile.TemporaryDirectory() as package:
        load = client_of(ROOT, Path(package))
        worker = load("client").WorkerClient(ConnectionInfo.load(connection_file), "saturation")
        worker.connect()
        portrait = worker.upload_portrait(portrait_bytes(1)).id
        schema = load("shared.parameters.schema").FACE_SCHEMA
        request = load("shared.wire.messages").FrameRequest
        requests = (request(portrait, schema.rest, SIZE, frame=n) for n in range(1, 200_000))
        requests = [next(requests) for _ in range(20_000)]
        print("ready", flush=True)
        sys.stdin.readline()
        got, end = 0, time.monotonic() + seconds
        job = worker.start_job(requests)
        while time.monotonic() < end:
            frames = job.poll()
            got += len(frames)
            if not frames:
                time.sleep(0.0005)
        print(got, flush=True)
        assert job.error is None, job.error
        worker.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--client", type=Path)
    args = parser.parse_args()
    if args.client:
        client(args.client, args.seconds)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = [
            asdict(measured(size, clients, args.seconds, Path(folder) / f"{size}-{clients}"))
            for size in FRAME_BYTES
            for clients in (1, 2)
        ]
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
