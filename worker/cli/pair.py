"""``photorig pair``: lets a Blender on another computer use this worker."""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

from photorig.shared.errors import InputError
from photorig.shared.wire import pairing
from photorig.worker.places import state_folder

DEFAULT_BIND = f"tcp://0.0.0.0:{pairing.CONTROL_PORT}"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "pair",
        help="let a Blender on another computer use this worker",
        description="Show a code to type into Blender's preferences on another computer; it is "
        "good once. Afterwards that Blender may come whenever the worker runs.",
    )
    parser.add_argument(
        "--bind",
        default=DEFAULT_BIND,
        metavar="tcp://HOST:PORT",
        help="where 'photorig serve' listens; the pairing is two ports above (%(default)s)",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=pairing.CODE_MINUTES,
        metavar="N",
        help="how long the code is good (%(default)g)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="who may use this worker")
    what.add_argument("--remove", metavar="NAME", help="let somebody use it no longer")


def run(args: argparse.Namespace) -> int:
    from photorig.worker.server.allow_list import AllowList

    allowed = AllowList(clients_file())
    if args.list:
        for client in allowed.clients():
            print(f"{client.name or 'unnamed'}  {pairing.fingerprint(client.key)}")
        return 0
    if args.remove:
        gone = allowed.remove(args.remove)
        print(f"{gone.name or gone.key} may not use this worker any more.")
        return 0
    return _pair(args, allowed)


def _pair(args: argparse.Namespace, allowed: object) -> int:
    from photorig.worker.server.allow_list import AllowList
    from photorig.worker.server.identity import load_identity
    from photorig.worker.server.pairing import Offer, wait_for_client

    assert isinstance(allowed, AllowList)
    if not 0 < args.minutes <= 24 * 60:
        raise InputError("The code must be good for some time", "Give --minutes, for example 10.")
    host, port = host_and_port(args.bind)
    keys = load_identity(identity_file())
    code = pairing.new_code()
    print(f"Fingerprint of this worker: {pairing.fingerprint(keys.public)}")
    print(f"Code, good once and for {args.minutes:g} minutes: {code}")
    print(
        "In Blender on the other computer: Preferences > Add-ons > Photorig > Another Computer > "
        f"Pair, with the address {platform.node()}:{port} and this code.",
        flush=True,
    )
    offer = Offer(platform.node()[:100] or "worker", keys.public, port, port + 1)
    address = f"tcp://{host}:{port + pairing.PAIRING_OFFSET}"
    client = wait_for_client(address, code, offer, allowed, args.minutes * 60)
    if client is None:
        raise InputError("Nobody came with the code in time", "Run photorig pair again.")
    print(
        f"{client.name} may use this worker from now on (fingerprint "
        f"{pairing.fingerprint(client.key)}). Start it with: photorig serve --bind {args.bind}"
    )
    return 0


def host_and_port(bind: str) -> tuple[str, int]:
    """Of ``tcp://host:port``. Raises InputError where it names no port, or one too high."""
    host, _, port = bind.removeprefix("tcp://").rpartition(":")
    if not bind.startswith("tcp://") or not host or not port.isdigit():
        raise InputError(f"The address {bind!r} cannot be used", f"Write it as {DEFAULT_BIND}.")
    if not 0 < int(port) <= 65535 - pairing.PAIRING_OFFSET:
        raise InputError(f"Port {port} leaves none for the others", f"Write {DEFAULT_BIND}.")
    return host, int(port)


def clients_file() -> Path:
    """Who may come from other computers."""
    return state_folder() / "clients.txt"


def identity_file() -> Path:
    """The key pair by which other computers know this worker."""
    return state_folder() / "identity.json"
