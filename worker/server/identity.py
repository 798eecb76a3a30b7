"""The key pair by which clients of other computers know this worker from one launch to the next."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from photorig.shared.errors import InputError
from photorig.shared.files.reading import read_file
from photorig.shared.files.strict_json import parse_json
from photorig.shared.files.writing import make_private_folder, write_atomically

from .allow_list import is_key
from .endpoint import KeyPair

_MAX_BYTES = 4096
_HINT = "Remove it, and pair the clients anew."


def load_identity(path: Path) -> KeyPair:
    """The worker's key pair, made at the first call.

    Raises:
        InputError: others may have read the file, it is damaged, or it cannot be written.
    """
    try:
        content = read_file(path, _MAX_BYTES, lambda status: _refuse_shared(path, status.st_mode))
        secret = parse_json(content, _MAX_BYTES)["secret_key"]
    except FileNotFoundError:
        return _new_identity(path)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}", _HINT) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged", _HINT) from error
    if not isinstance(secret, str) or not is_key(secret):
        raise InputError(f"{path} is damaged", _HINT)
    return KeyPair.of_secret(secret)


def _new_identity(path: Path) -> KeyPair:
    keys = KeyPair.new()
    try:
        make_private_folder(path.parent)
    except OSError as error:
        raise InputError(f"Cannot make the folder {path.parent}: {error.strerror}") from error
    write_atomically(path, json.dumps({"secret_key": keys.secret}).encode(), private=True)
    return keys


def _refuse_shared(path: Path, mode: int) -> None:
    # On Windows a user's folder is private by its access list.
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise InputError(f"Other users may have read {path}", _HINT)
