"""Who is not the operator: witnesses of his log, and custodians of his secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["NOBODY", "OF_THE_DAY", "Outsiders"]

# Much longer than a witness needs: a busy machine is no reason to give a wave up.
_DEADLINE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Outsiders:
    """Organisations beside the operator; in a demonstration their programs and files are here as well.

    Attributes:
        witnesses: all of them must have cosigned a freeze before its draw.
        custodians: any `threshold` of them together open what the server keeps sealed.
    """

    witnesses: tuple[str, ...] = ()
    custodians: tuple[str, ...] = ()
    threshold: int = 2

    def key_commands(self) -> dict[str, list[str]]:
        """The commands that make everybody's keys, by name; each says the public half."""
        witnesses = {name: ["witness", "keys", f"{name}.key", "--name", witness_name(name)] for name in self.witnesses}
        return witnesses | {name: ["escrow", "custodian", f"{name}.age"] for name in self.custodians}

    def config_toml(self, public: Mapping[str, str], urls: Mapping[str, str]) -> list[str]:
        """The sections of the server's configuration, given the public keys and where the witnesses answer."""
        lines = []
        if self.witnesses:
            quorum = len(self.witnesses)
            lines += ["[witnesses]", f"quorum = {quorum}", "strict = true", f"deadline_seconds = {_DEADLINE_SECONDS}"]
        for name in self.witnesses:
            lines += ["[[witnesses.members]]", f"vkey = {json.dumps(public[name])}", f"url = {json.dumps(urls[name])}"]
        if self.custodians:
            recipients = json.dumps([public[name] for name in self.custodians])
            lines += ["[escrow]", f"threshold = {self.threshold}", f"recipients = {recipients}"]
        return lines


def witness_name(name: str) -> str:
    """What a witness calls itself in its cosignatures."""
    return f"witness.example/{name}"


NOBODY = Outsiders()
OF_THE_DAY = Outsiders(("university", "customs-union"), ("control-room", "auditor", "notary"))
