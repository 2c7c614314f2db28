"""The register of port terminals: the SMDG list that ships with the project."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Self

from assign.errors import AssignError, Corrupt, InvalidInput
from assign.names import Port, TerminalCode, check_port, check_terminal

__all__ = ["Terminal", "TerminalRegister"]

_SHIPPED = "smdg-terminals.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """One terminal facility of the SMDG list.

    Attributes:
        valid_from: the first day of the code.
        valid_until: its last day; None: it has no end.
    """

    port: Port
    code: TerminalCode
    name: str
    company: str
    valid_from: date
    valid_until: date | None

    def is_valid_on(self, day: date) -> bool:
        """Whether the code was in force on `day`, both ends included."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


class TerminalRegister:
    """Which terminals a port has. A code that ended stays known, for what was booked while it was valid."""

    def __init__(self, terminals: Iterable[Terminal]) -> None:
        self._terminals: dict[tuple[str, str], Terminal] = {}
        for terminal in terminals:
            key = (terminal.port, terminal.code)
            other = self._terminals.get(key)
            # The list holds a code twice where it was handed over: what is valid longer counts.
            if other is None or _last_day(other) <= _last_day(terminal):
                self._terminals[key] = terminal

    @classmethod
    def shipped(cls) -> Self:
        """The register made of the list that ships with the project."""
        data = resources.files("server").joinpath("data", _SHIPPED).read_text(encoding="utf-8-sig")
        return cls.from_csv(data)

    @classmethod
    def from_csv(cls, text: str) -> Self:
        """The register in an SMDG list. Raises Corrupt (TERMINAL_LIST) naming the line that is wrong."""
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        terminals = []
        try:
            for row in reader:
                terminals.append(_terminal(row))  # noqa: PERF401 - the error below names the line
        except (AssignError, ValueError, KeyError, TypeError, AttributeError, csv.Error):
            message = f"Line {reader.line_num} of the terminal list is not an SMDG terminal."
            raise Corrupt("TERMINAL_LIST", message) from None
        return cls(terminals)

    def __len__(self) -> int:
        return len(self._terminals)

    def get(self, port: str, code: str) -> Terminal | None:
        """The terminal, whether or not its code is still valid; None if the list has none such."""
        return self._terminals.get((port, code))

    def of_port(self, port: str) -> list[Terminal]:
        """The terminals of a port by code, ended ones included."""
        return sorted((one for one in self._terminals.values() if one.port == port), key=lambda one: one.code)

    def check(self, port: str, terminal: str, *, field: str = "", on: date | None = None) -> Terminal:
        """The terminal `terminal` of `port`, valid on the day `on` where one is given.

        Raises InvalidInput naming `field`: PORT_FORM, TERMINAL_FORM, UNKNOWN_TERMINAL, TERMINAL_ENDED.
        """
        check_port(port, field=field)
        check_terminal(terminal, field=field)
        found = self.get(port, terminal)
        if found is None:
            message = f"{port} has no terminal {terminal} in the SMDG list; use one of its SMDG codes."
            raise InvalidInput("UNKNOWN_TERMINAL", message, field=field)
        if on is not None and not found.is_valid_on(on):
            message = f"The SMDG code {terminal} of {port} is not valid on {on.isoformat()}."
            raise InvalidInput("TERMINAL_ENDED", message, field=field)
        return found


def _last_day(terminal: Terminal) -> date:
    return terminal.valid_until or date.max


def _terminal(row: dict[str, str]) -> Terminal:
    until = row["Valid Until"].strip()
    return Terminal(
        port=check_port(row["UNLOCODE"]),
        code=check_terminal(row["Terminal Code"]),
        name=row["Terminal Facility Name"].strip(),
        company=row["Terminal Company Name"].strip(),
        valid_from=date.fromisoformat(row["Valid From"].strip()),
        valid_until=date.fromisoformat(until) if until else None,
    )
