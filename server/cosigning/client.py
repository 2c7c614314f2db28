"""Asks one witness for cosignatures (C2SP tlog-witness, `add-checkpoint`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx2

from assign.errors import AssignError, Conflict, Corrupt, Unavailable
from assign.log.checkpoint import parse_checkpoint
from assign.log.cosignature import Witness
from assign.log.lines import parse_decimal
from assign.log.note import Note, Signature, parse_signatures
from server.witness.request import SIZE_TYPE, AddCheckpoint

__all__ = ["Prove", "WitnessClient"]

Prove = Callable[[int], Awaitable[tuple[bytes, ...]]]
"""The consistency proof from the given size (1 or more) to that of the checkpoint."""

# A hundred post-quantum signature lines would be less.
_MAX_ANSWER_BYTES = 512 * 1024
_STALE, _INCONSISTENT = 409, 422


class WitnessClient:
    """One witness.

    Args:
        url: its submission prefix. deadline_seconds: for one `cosign` as a whole.

    Attributes:
        size: of the checkpoint it cosigned last, as far as is known here.
    """

    def __init__(self, witness: Witness, url: str, *, client: httpx2.AsyncClient, deadline_seconds: float) -> None:
        self.witness = witness
        self.size = 0
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        self._client = client
        self._deadline_seconds = deadline_seconds

    @property
    def name(self) -> str:
        """The witness's name."""
        return self.witness.name

    async def cosign(self, note: Note, prove: Prove) -> Signature:
        """The witness's verified cosignature on the checkpoint `note`.

        Raises:
            Conflict: WITNESS_AHEAD, it has cosigned a larger tree of this log than `note`.
            Corrupt: WITNESS_FORK, it says that `note` does not append to what it saw; WITNESS_FORGED, its answer
                has no signature of its own that holds.
            Unavailable: WITNESS_SILENT, no answer in time; WITNESS_REFUSED, any other refusal.
        """
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._cosign(note, prove)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Unavailable("WITNESS_SILENT", f"No answer: {type(error).__name__}.") from None

    async def _cosign(self, note: Note, prove: Prove) -> Signature:
        target = parse_checkpoint(note.text).size
        if self.size > target:
            raise self._ahead(target)
        status, kind, body = await self._send(note, prove)
        if status == _STALE:
            self.size = _parse_size(kind, body)
            if self.size > target:
                raise self._ahead(target)
            status, kind, body = await self._send(note, prove)
        if status == _INCONSISTENT:
            raise Corrupt(
                "WITNESS_FORK", f"It saw another log of {self.size} entries: this one does not append to that."
            )
        if status != httpx2.codes.OK:
            raise Unavailable("WITNESS_REFUSED", f"It answered with HTTP status {status}.")
        signature = self._find_signature(note.text, body)
        self.size = target
        return signature

    async def _send(self, note: Note, prove: Prove) -> tuple[int, str, bytes]:
        """Status, media type and body of its answer, the body cut right after the largest size that is read."""
        proof = await prove(self.size) if self.size else ()
        body = AddCheckpoint(self.size, proof, note).encode()
        async with self._client.stream("POST", self._url, content=body, follow_redirects=False) as response:
            answer = bytearray()
            async for part in response.aiter_bytes():
                answer += part
                if len(answer) > _MAX_ANSWER_BYTES:
                    break
            return response.status_code, response.headers.get("content-type", ""), bytes(answer)

    def _find_signature(self, text: bytes, body: bytes) -> Signature:
        """The first line of this witness, among any of keys that are not known here."""
        try:
            lines = parse_signatures(body)
        except AssignError:
            lines = ()
        for line in lines:
            if (line.name, line.key_id) == (self.witness.name, self.witness.key_id):
                if not self.witness.verify(text, line.value):
                    break
                return line
        raise Corrupt("WITNESS_FORGED", "Its answer has no cosignature of its own that holds.")

    def _ahead(self, target: int) -> Conflict:
        return Conflict("WITNESS_AHEAD", f"It has cosigned {self.size} entries of this log, more than these {target}.")


def _parse_size(kind: str, body: bytes) -> int:
    text = body.decode("ascii", "replace")
    try:
        if kind.partition(";")[0].strip().lower() != SIZE_TYPE or not text.endswith("\n"):
            raise Corrupt("WITNESS_REFUSED", "no size")
        return parse_decimal(text.removesuffix("\n"))
    except Corrupt:
        raise Unavailable(
            "WITNESS_REFUSED", "It refused with HTTP status 409 and did not say which size it has."
        ) from None
