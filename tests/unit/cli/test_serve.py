from __future__ import annotations

from pathlib import Path

import pytest

from photorig.shared.errors import InputError
from photorig.worker.cli.main import main
from photorig.worker.cli.serve import read_client_keys
from photorig.worker.server.launch import ServerOptions, bind_addresses, local_address

KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"


def options(bind: str, *keys: str) -> ServerOptions:
    return ServerOptions(Path("unused"), bind, keys)


def test_both_endpoints_are_local_at_ports_of_the_systems_choice_by_default() -> None:
    addresses = bind_addresses(ServerOptions(Path("unused")))
    assert addresses == ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")


def test_the_bulk_endpoint_takes_the_port_after_the_control_endpoint() -> None:
    expected = ("tcp://127.0.0.1:5600", "tcp://127.0.0.1:5601")
    assert bind_addresses(options("tcp://127.0.0.1:5600")) == expected


@pytest.mark.parametrize("bind", ["tcp://0.0.0.0:5600", "tcp://*:5600", "tcp://192.0.2.7:5600"])
def test_an_address_that_others_can_reach_needs_a_list_of_keys(bind: str) -> None:
    with pytest.raises(InputError, match="no client is known yet"):
        bind_addresses(options(bind))
    assert bind_addresses(options(bind, KEY))[0] == bind


@pytest.mark.parametrize(
    "bind",
    ["", "127.0.0.1:5600", "tcp://127.0.0.1", "tcp://:5600", "ipc:///tmp/x", "tcp://[::1:7"],
)
def test_an_address_that_is_none_is_refused(bind: str) -> None:
    with pytest.raises(InputError, match="tcp://127"):
        bind_addresses(options(bind))


@pytest.mark.parametrize("port", ["65535", "70000", "x"])
def test_a_port_that_cannot_be_used_is_refused(port: str) -> None:
    with pytest.raises(InputError):
        bind_addresses(options(f"tcp://127.0.0.1:{port}"))


def test_a_wrong_address_ends_the_command_before_anything_is_loaded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["serve", "--bind", "tcp://0.0.0.0:5600"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "photorig pair --bind tcp://0.0.0.0:5600" in line


def test_client_keys_are_read_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# the render node\n{KEY}\n\n  {KEY} # another\n")
    assert read_client_keys(file) == (KEY, KEY)


@pytest.mark.parametrize("line", ["key", "\u00e4" * 40, "~" * 40, KEY[:-1], KEY + KEY])
def test_a_line_that_is_no_key_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2"):
        read_client_keys(file)


def test_a_missing_list_of_keys_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read"):
        read_client_keys(tmp_path / "none")


def test_clients_of_this_computer_are_sent_to_an_address_they_can_reach() -> None:
    assert local_address("tcp://0.0.0.0:5600") == "tcp://127.0.0.1:5600"
    assert local_address("tcp://[::]:5600") == "tcp://[::1]:5600"
    assert local_address("tcp://192.0.2.7:5600") == "tcp://192.0.2.7:5600"
