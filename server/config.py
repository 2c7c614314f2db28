"""What an operator configures: one TOML file, checked whole before anything starts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from assign.errors import AssignError, InvalidInput
from assign.names import check_port, check_terminal
from server.cosigning.settings import WitnessesConfig
from server.escrow.custodians import EscrowConfig
from server.mirror.settings import MirrorConfig
from server.privacy.settings import RetentionConfig

__all__ = ["BeaconConfig", "Config", "PortConfig", "TlsConfig", "load_config"]

_Seconds = Annotated[int, Field(ge=1, le=86_400)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsConfig(_Strict):
    """Certificate files (PEM), relative to the configuration file."""

    certificate: Path
    key: Path
    client_ca: Path


class BeaconConfig(_Strict):
    """The pinned beacon and where its parties or relays answer: URLs by party, in order of preference."""

    pin: Path
    urls: dict[str, list[str]]


class PortConfig(_Strict):
    """One port: one log, one calendar rule. Durations are whole seconds unless the name says otherwise.

    Attributes:
        log_key_file: the port's own signing key, where the server has several ports.
    """

    port: str
    origin: Annotated[str, Field(min_length=3, max_length=200)]
    terminals: Annotated[list[str], Field(min_length=1)]
    log_key_file: Path | None = None
    wave_step_seconds: _Seconds = 900
    lead_seconds: _Seconds = 900
    freeze_margin_seconds: _Seconds = 120
    embargo_seconds: Annotated[int, Field(ge=0, le=30 * 86_400)] = 3600
    min_pool: Annotated[int, Field(ge=1, le=1000)] = 3
    cooldown_hours: Annotated[int, Field(ge=0, le=24 * 365)] = 24

    @model_validator(mode="after")
    def _check_codes(self) -> Self:
        try:
            check_port(self.port)
            for terminal in self.terminals:
                check_terminal(terminal)
        except AssignError as error:
            raise ValueError(error.message) from None
        if self.freeze_margin_seconds >= self.wave_step_seconds:
            raise ValueError("freeze_margin_seconds must be shorter than wave_step_seconds")
        return self


class Config(_Strict):
    """The server's whole configuration; see `README.md` for an example."""

    listen: str = "127.0.0.1:8443"
    store: str
    key_file: Path
    log_key_file: Path
    access_file: Path
    clock_file: Path | None = None
    tls: TlsConfig
    beacon: BeaconConfig
    escrow: EscrowConfig | None = None
    mirror: MirrorConfig | None = None
    witnesses: WitnessesConfig | None = None
    retention: RetentionConfig | None = None
    ports: Annotated[list[PortConfig], Field(min_length=1)]
    max_message_bytes: Annotated[int, Field(ge=65_536, le=256 * 2**20)] = 16 * 2**20

    @model_validator(mode="after")
    def _check_ports(self) -> Self:
        for values in ([port.port for port in self.ports], [port.origin for port in self.ports]):
            if len(set(values)) != len(values):
                raise ValueError("each port and each origin is configured once")
        return self

    def port(self, code: str) -> PortConfig | None:
        """The configuration of one port, None where there is none."""
        return next((port for port in self.ports if port.port == code), None)


def load_config(path: Path) -> Config:
    """Read and check a configuration; relative paths are relative to the file.

    Raises InvalidInput (CONFIG_UNREADABLE, CONFIG_INVALID) naming the setting.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput("CONFIG_UNREADABLE", f"{path}: {error}") from None
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput("CONFIG_INVALID", f"{path}: {first['msg']}.", field=where) from None
    return _resolve(config, path.parent)


def _resolve(config: Config, base: Path) -> Config:
    def absolute(path: Path) -> Path:
        return (base / path).absolute()

    tls = TlsConfig(
        certificate=absolute(config.tls.certificate),
        key=absolute(config.tls.key),
        client_ca=absolute(config.tls.client_ca),
    )
    return config.model_copy(
        update={
            "key_file": absolute(config.key_file),
            "log_key_file": absolute(config.log_key_file),
            "access_file": absolute(config.access_file),
            "clock_file": None if config.clock_file is None else absolute(config.clock_file),
            "tls": tls,
            "beacon": config.beacon.model_copy(update={"pin": absolute(config.beacon.pin)}),
            "ports": [
                port.model_copy(update={"log_key_file": absolute(port.log_key_file or config.log_key_file)})
                for port in config.ports
            ],
        }
    )
