"""Ray Core behind the gateway: an actor a device, on this computer or on all of a cluster.

Ray knows machines, graphics cards, restarts and the way of large values; which frame goes where is
the pool's business. Ray comes with the extra ``ray`` and is imported when it is chosen.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import socket
from types import ModuleType
from typing import Any

from photorig.shared.errors import InputError, PhotorigError

from ..portrait_store import PortraitStore
from .entry import ExecutorEntry, ExecutorOptions
from .pool import Patience, Pool
from .ray_device import PortraitShelf, RayDevice, RenderActor
from .workshop import Workshop

log = logging.getLogger(__name__)

_SETTINGS = {
    # Nothing is told to anybody, and nobody without the token is let in.
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
}
_ONLY_THIS_COMPUTER = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray's name for: listen at 127.0.0.1, on every system, and nowhere else."""
_STORE_BYTES = 512 << 20
_CALLS_AT_ONCE = 4  # a chunk, and what must be heard meanwhile
_WINDOW = 4096
_KNOCK_SECONDS = 10.0


def start_ray(workshop: Workshop, portraits: PortraitStore, options: ExecutorOptions) -> Pool:
    """Join or begin a cluster, and wait for its first device.

    Raises:
        InputError: Ray is not installed, or there is no cluster at that address.
        PhotorigError: no device can be made ready.
    """
    ray = connect(options)
    has_cards = ray.cluster_resources().get("GPU", 0) > 0
    uses_cards = workshop.device == "cuda" or (workshop.device == "auto" and has_cards)
    actor = ray.remote(max_restarts=0, max_concurrency=_CALLS_AT_ONCE)(RenderActor)
    processors = int(ray.cluster_resources().get("CPU", 1))
    threads = 0 if uses_cards or not options.actors else max(1, processors // options.actors)
    needs = {"num_gpus": 1, "num_cpus": 0} if uses_cards else {"num_cpus": 1}
    actor = actor.options(scheduling_strategy="SPREAD", **needs)
    shelf = PortraitShelf(ray.put, portraits)

    def new_device(number: int) -> RayDevice:
        make = functools.partial(actor.remote, workshop, threads)
        end = functools.partial(ray.kill, no_restart=True)
        return RayDevice(make, end, shelf, (ray.exceptions.RayError,))

    async def wanted() -> int:
        return options.actors or await asyncio.to_thread(devices, ray, uses_cards)

    pool = _RayPool(ray, new_device, wanted, Patience(frame=options.patience_seconds))
    pool.start()
    return pool


class _RayPool(Pool):
    """A pool that leaves Ray when it is closed."""

    def __init__(self, ray: ModuleType, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._ray = ray

    def close(self) -> None:
        super().close()
        self._ray.shutdown()


def connect(options: ExecutorOptions) -> ModuleType:
    """Ray, connected. Raises InputError."""
    if not options.address:
        os.environ.update(_ONLY_THIS_COMPUTER)
    os.environ.update(_SETTINGS)
    ray = imported()
    if options.address:
        _knock(options.address)  # Ray itself would try for most of a minute
    where: dict[str, Any] = {"address": options.address}
    if not options.address:
        processors = max(options.actors, os.cpu_count() or 1)
        # Else Ray would join whatever cluster it finds traces of on this computer.
        where = {"address": "local", "num_cpus": processors, "include_dashboard": False}
        where |= {"object_store_memory": _STORE_BYTES, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(**where, log_to_driver=False, configure_logging=False, namespace="photorig")
    except Exception as error:  # Ray says the same thing in many ways
        log.info("cannot join Ray", exc_info=error)
        raise _refused(options.address, error) from error
    return ray


def _knock(address: str) -> None:
    """Raises InputError where nobody listens."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"The address {address!r} cannot be used", "Write it as HOST:6379.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()
    except OSError as error:
        raise _refused(address, error) from error


def imported() -> ModuleType:
    """Ray itself. Raises InputError where it is not installed."""
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise InputError(
            "Several devices need Ray, which is not installed here",
            'Install it with: pip install "photorig[ray]"',
        ) from error
    return ray


def devices(ray: ModuleType, uses_cards: bool) -> int:
    """Devices of the cluster now: its graphics cards, or else its computers' processors."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if uses_cards:
        return int(sum(one.get("GPU", 0) for one in alive))
    return sum(one.get("CPU", 0) >= 1 for one in alive)


def _refused(address: str, error: Exception) -> PhotorigError:
    if not address:
        return InputError(f"Ray does not start here: {_told(error)}", "See the log.")
    if "token" in str(error).lower() or "auth" in type(error).__name__.lower():
        return InputError(
            f"The cluster at {address} does not take this computer's token",
            "Copy ~/.ray/auth_token of its head node here, and start all nodes with "
            "RAY_AUTH_MODE=token.",
        )
    return InputError(
        f"There is no Ray cluster at {address} that this computer is part of: {_told(error)}",
        "Run 'ray start --address HOST:PORT' here first, with the same token.",
    )


def _told(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__


EXECUTOR = ExecutorEntry(
    "ray", "devices of this computer or of a Ray cluster, an actor each", start_ray, _WINDOW
)
