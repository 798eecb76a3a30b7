"""How long a portrait takes to a gateway and into its store, over its own sockets."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "contract"))

from card_server import RunningServer  # noqa: E402
from record_transcript import client_of  # noqa: E402

from photorig.worker.portraits.portrait import Portrait  # noqa: E402


def uploaded(portrait_file: Path, rounds: int) -> dict[str, Any]:
    """Seconds of the way there with all checks, of a way there that finds it in the store, and of
    reading the file alone."""
    content = portrait_file.read_bytes()
    first, again, reading = [], [], []
    with tempfile.TemporaryDirectory() as package:
        load = client_of(ROOT, Path(package))
        for number in range(rounds):
            with RunningServer(Path(package) / str(number)) as server:
                client = load("client").WorkerClient(server.info, "upload")
                client.connect()
                for times in (first, again):
                    start = time.perf_counter()
                    client.upload_portrait(content)
                    times.append(time.perf_counter() - start)
                client.close()
            start = time.process_time()
            Portrait.from_bytes(content)
            reading.append(time.process_time() - start)
    return {
        "upload_seconds": round(statistics.median(first), 4),
        "known_seconds": round(statistics.median(again), 4),
        "read_processor_seconds": round(statistics.median(reading), 4),
    }
