"""Configured terminals are real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from assign.errors import InvalidInput
from server.config import BeaconConfig, Config, PortConfig, TlsConfig
from server.wiring import check_terminals


def _config(terminals: list[str]) -> Config:
    path = Path("unused")
    return Config(
        store="sqlite:////unused",
        key_file=path,
        log_key_file=path,
        access_file=path,
        tls=TlsConfig(certificate=path, key=path, client_ca=path),
        beacon=BeaconConfig(pin=path, urls={}),
        ports=[PortConfig(port="NLRTM", origin="assign.example/NLRTM", terminals=terminals)],
    )


def test_terminals_of_the_smdg_list_are_taken() -> None:
    """The codes of Rotterdam's terminals are known."""
    check_terminals(_config(["RWG", "EMX"]))


def test_a_terminal_that_the_port_does_not_have_is_named() -> None:
    """A misspelt terminal stops the server before it starts, and the setting is named."""
    with pytest.raises(InvalidInput, match="UNKNOWN_TERMINAL") as caught:
        check_terminals(_config(["RWG", "RGW"]))
    assert caught.value.field == "ports.0.terminals"
