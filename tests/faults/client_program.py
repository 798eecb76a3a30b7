"""What Blender does with a worker, without Blender, as a process that can be killed.

    python client_program.py FOLDER CONTROL_PORT BULK_PORT

It uses the extension's own client, worker process and journal of frames: starts a worker, says
hello, uploads a portrait, fits a photo, shows a preview, renders a sequence into FOLDER/frames and
ends the worker. What it is at stands in FOLDER/phase, each stored frame in FOLDER/ledger. It ends
with 0 when all is done, and with 3 and a sentence for a person when something went wrong.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "tests" / "contract"
sys.path.insert(0, str(CONTRACT))

from card_server import SIZE, portrait_bytes  # noqa: E402
from record_transcript import client_of  # noqa: E402

FRAMES = range(1, 1 + int(os.environ.get("PHOTORIG_FAULT_FRAMES", "12")))
_WORKER_OPTIONS = os.environ.get("PHOTORIG_FAULT_WORKER", "").split()
"""Further options of the worker, for example another executor."""
FRAME_SECONDS = 0.06
FAILED = 3
_PATIENCE_SECONDS = float(os.environ.get("PHOTORIG_FAULT_PATIENCE", "30"))


class Program:
    """One attempt."""

    def __init__(self, load: Callable[..., Any], folder: Path, ports: tuple[int, int]) -> None:
        self._load, self._folder, self._ports = load, folder, ports
        self._lost = load("shared.errors").ConnectionLost
        self._portrait = portrait_bytes(1)
        self._worker = load("worker_process", "process").WorkerProcess(
            [sys.executable, str(CONTRACT / "card_server.py"), "serve"],
            folder / "run" / "worker.json",
            folder / "worker.log",
            (
                *("--portraits", str(folder / "portraits")),
                *("--delay", str(FRAME_SECONDS), *_WORKER_OPTIONS),
            ),
        )
        self._client: Any = None

    def run(self) -> None:
        """Raises PhotorigError."""
        self._begin("hello")
        self._connect()
        self._begin("upload")
        portrait = self._client.upload_portrait(self._portrait).id
        self._begin("fit")
        self._fit()
        self._begin("preview")
        self._preview(portrait)
        self._begin("render")
        self._render(portrait)
        self._begin("shutdown")
        self.stop()

    def stop(self) -> None:
        if self._client is not None:
            self._client.close()
        self._worker.stop()

    def _begin(self, phase: str) -> None:
        path = self._folder / "phase"
        path.with_suffix(".new").write_text(phase)
        path.with_suffix(".new").replace(path)

    def _connect(self) -> None:
        """To the worker that runs, or to a new one, through the network that may be cut."""
        if not self._worker.is_running:
            self._worker.start()
        info = self._worker.wait_ready(_PATIENCE_SECONDS)
        if all(self._ports):  # 0 is for straight to the worker
            control, bulk = (f"tcp://127.0.0.1:{port}" for port in self._ports)
            info = replace(info, control=control, bulk=bulk)
        if self._client is not None:
            self._client.close()
        self._client = self._load("client").WorkerClient(info, "faults")
        self._client.connect()

    def _fit(self) -> None:
        request = self._load("shared.messages", "shared.wire.messages").FitRequest
        fit = self._load("fit", "fit_client").start_fit(
            self._client, request((b"portrait",), "Anna")
        )
        self._until(lambda: (fit.poll(), fit.done)[1])
        if fit.error is not None:
            raise fit.error

    def _preview(self, portrait: str) -> None:
        self._client.submit_preview("view", self._request(portrait, 1))
        self._until(lambda: self._client.poll_preview("view"))

    def _request(self, portrait: str, frame: int) -> Any:
        schema = self._load("shared.schema", "shared.parameters.schema").FACE_SCHEMA
        messages = self._load("shared.messages", "shared.wire.messages")
        values = schema.vector({"headYaw": float(frame)})
        return messages.FrameRequest(portrait, values, SIZE, frame=frame)

    def _render(self, portrait: str) -> None:
        """As a sequence: only what is missing, and a lost worker is found or started again unless
        it was lost a second time without having made a frame."""
        frame_index = self._load("shared.frame_index", "shared.files.frame_index")
        requests = [self._request(portrait, frame) for frame in FRAMES]
        keys = {one.frame: frame_index.picture_key(one, "card") for one in requests}
        made_before = -1
        while True:
            index = frame_index.FrameIndex(self._folder / "frames")
            missing = [one for one in requests if not index.is_finished(one.frame, keys[one.frame])]
            try:
                self._make(index, missing, keys)
                return
            except self._lost:
                made = len(requests) - len(missing)
                if made <= made_before:
                    raise
                made_before = made
                self._connect()

    def _make(self, index: Any, missing: list[Any], keys: dict[int, str]) -> None:
        self._client.upload_portrait(self._portrait)  # a new worker may lack it
        job = self._client.start_job(missing, codec="png", window=4)
        while not job.done:
            for reply in job.poll():
                index.store(reply.frame, keys[reply.frame], reply.image)
                self._note(reply.frame)
            time.sleep(0.005)
        if job.error is not None:
            raise job.error

    def _note(self, frame: int) -> None:
        handle = os.open(self._folder / "ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(handle, f"{frame}\n".encode())
        os.close(handle)

    def _until(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise self._lost("The worker takes too long", "Try again.")
            time.sleep(0.005)


def main() -> int:
    folder, ports = Path(sys.argv[1]), (int(sys.argv[2]), int(sys.argv[3]))
    with tempfile.TemporaryDirectory(dir=folder) as package:
        load = client_of(ROOT, Path(package))
        program = Program(load, folder, ports)
        try:
            program.run()
        except load("shared.errors").PhotorigError as error:
            print(error, flush=True)
            program.stop()
            return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
