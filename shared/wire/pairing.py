"""Pairing: how a client of another computer gets to know a worker, and the worker the client.

``photorig pair`` shows a code that is good once and for a few minutes. Both sides make the same two
temporary key pairs of it, so the connection over which they exchange their real public keys is
encrypted, and neither talks to anybody who does not have the code: who listens learns nothing, and
who stands in between gets nowhere. The code's 100 bits cannot be tried out.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from ..errors import InputError
from .message_body import Body, Form
from .protocol import Message

PAIR, PAIRED = "pair", "paired"
CODE_MINUTES = 10
CONTROL_PORT = 45000
"""Where a worker for other computers listens if nothing else is said; bulk is one above it."""
PAIRING_OFFSET = 2
"""The port of the pairing, above that of the control endpoint."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: letters that look like digits are read as those."""
_LOOK_ALIKES = str.maketrans("OIL", "011")
_LETTERS, _GROUP = 20, 5
_LONGEST_NAME = 100
_KEY = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


def new_code() -> str:
    """A code for a person to type: four groups of five letters."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))
    return "-".join(letters[i : i + _GROUP] for i in range(0, _LETTERS, _GROUP))


def normalized_code(text: str) -> str:
    """The code as it was shown, however it was typed. Raises InputError."""
    letters = re.sub(r"[\s-]", "", text).upper().translate(_LOOK_ALIKES)
    if len(letters) != _LETTERS or set(letters) - set(_ALPHABET):
        raise InputError(
            "This is no pairing code", "Type the four groups that 'photorig pair' shows."
        )
    return letters


def temporary_secrets(code: str) -> tuple[bytes, bytes]:
    """The secret keys (32 bytes) of worker and client while they are paired.

    Raises:
        InputError: this is no code.
    """
    made = hashlib.scrypt(
        normalized_code(code).encode("ascii"),
        salt=b"photorig pairing 1",
        n=1 << 14,
        r=8,
        p=1,
        dklen=64,
    )
    return made[:32], made[32:]


def fingerprint(public_key: str) -> str:
    """A public key for a person to compare: five groups of four hexadecimal digits."""
    digits = hashlib.sha256(public_key.encode()).hexdigest()[:20].upper()
    return " ".join(digits[i : i + 4] for i in range(0, 20, 4))


def pair_form(name: str, public_key: str) -> Form:
    """What the client says: what it is called, and its key."""
    return Form({"name": name, "public_key": public_key})


def read_pair(message: Message) -> tuple[str, str]:
    """Name and public key of a client. Raises MalformedBody."""
    body = Body(message)
    return _name(body.text("name", limit=_LONGEST_NAME)), _public_key(body)


def paired_form(machine: str, public_key: str, control: int, bulk: int) -> Form:
    """What the worker answers: what its computer is called, its key, and its ports."""
    return Form({"machine": machine, "public_key": public_key, "ports": [control, bulk]})


def read_paired(message: Message) -> tuple[str, str, int, int]:
    """Machine, public key, control and bulk port of a worker. Raises MalformedBody."""
    body = Body(message)
    machine, ports = _name(body.text("machine", limit=_LONGEST_NAME)), body.integers("ports")
    if len(ports) != 2 or not all(0 < port < 65536 for port in ports):
        body.refuse("ports")
    return machine, _public_key(body), ports[0], ports[1]


def _public_key(body: Body) -> str:
    key = body.text("public_key", limit=40)
    if not _KEY.fullmatch(key):
        body.refuse("public_key")
    return key


def _name(text: str) -> str:
    """Without what a list or a terminal could take for something else."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text).strip()
    return re.sub(r"\s+", " ", plain) or "unnamed"
