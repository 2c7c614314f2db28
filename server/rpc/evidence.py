"""LogService and VerificationService: what supervisors and auditors check."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import AsyncIterator, Mapping

from sqlalchemy.engine import Connection

from assign.errors import InvalidInput, NotFound
from assign.log.checkpoint import verify_checkpoint
from assign.log.note import NoteVerifier
from assign.log.tiles import prove_consistency, prove_inclusion, root_at
from assign.names import PersonId, Port, parse_port_name
from assign.v1 import log_service_pb2 as log_pb2
from assign.v1 import verification_service_pb2 as verification_pb2
from server.auth.access import Role
from server.auth.identity import Caller
from server.queries.export_bundle import write_port_bundle
from server.queries.read_receipt import Receipted, read_own_receipt, read_receipt
from server.rpc.door import Door, Handlers, handler_of, stream_handler_of
from server.rpc.paging import next_token, page_of
from server.storage.ledger import read_entries, read_head, tile_reader
from server.storage.unit import Services

__all__ = ["Evidence"]

_LOG = "/assign.v1.LogService/"
_VERIFICATION = "/assign.v1.VerificationService/"
_CHUNK_BYTES = 256 * 1024
_PAGE_BYTES = 2 * 2**20


class Evidence:
    """The log, its proofs and the bundle."""

    def __init__(self, door: Door, services: Services, verifiers: Mapping[str, NoteVerifier]) -> None:
        self._door = door
        self._services = services
        self._verifiers = verifiers

    def handlers(self) -> dict[str, Handlers]:
        """Handlers by service and method."""
        door = self._door
        return {
            "assign.v1.LogService": {
                "GetCheckpoint": handler_of(
                    door, _LOG + "GetCheckpoint", log_pb2.GetCheckpointRequest, self.get_checkpoint
                ),
                "ListEntries": handler_of(door, _LOG + "ListEntries", log_pb2.ListEntriesRequest, self.list_entries),
                "GetInclusionProof": handler_of(
                    door, _LOG + "GetInclusionProof", log_pb2.GetInclusionProofRequest, self.get_inclusion_proof
                ),
                "GetConsistencyProof": handler_of(
                    door, _LOG + "GetConsistencyProof", log_pb2.GetConsistencyProofRequest, self.get_consistency_proof
                ),
                "GetReceipt": handler_of(door, _LOG + "GetReceipt", log_pb2.GetReceiptRequest, self.get_receipt),
            },
            "assign.v1.VerificationService": {
                "ExportBundle": stream_handler_of(
                    door, _VERIFICATION + "ExportBundle", verification_pb2.ExportBundleRequest, self.export_bundle
                )
            },
        }

    def _port(self, parent: str) -> Port:
        port = parse_port_name(parent, field="parent")
        if port not in self._services.ports:
            raise NotFound("PORT_UNKNOWN", f"This server does not serve the port {port}.", field="parent")
        return port

    async def get_checkpoint(self, _caller: Caller, request: log_pb2.GetCheckpointRequest) -> log_pb2.Checkpoint:
        """GetCheckpoint."""
        port = self._port(request.parent)
        _, note = await self._door.reader.run(lambda connection: read_head(connection, port))
        verifier = self._verifiers[port]
        checkpoint = verify_checkpoint(note, [verifier])
        return log_pb2.Checkpoint(
            note=note, tree_size=checkpoint.size, root_hash=checkpoint.root, verifier_key=verifier.vkey()
        )

    async def list_entries(self, _caller: Caller, request: log_pb2.ListEntriesRequest) -> log_pb2.ListEntriesResponse:
        """ListEntries."""
        port = self._port(request.parent)
        listed = f"entries of {request.parent}"
        page = page_of(listed, request.page_size, request.page_token)
        last = page.position()
        start = request.start_index if last is None else last + 1
        if start < 0:
            raise InvalidInput("INDEX_RANGE", "A position in the log is not negative.", field="start_index")

        def query(connection: Connection) -> list[bytes]:
            edge, _ = read_head(connection, port)
            return read_entries(connection, port, min(start, edge.size), min(start + page.size, edge.size))

        found = await self._door.reader.run(query)
        entries = _that_fit(found)
        # A page that was cut short is not the last one.
        count = len(entries) if len(entries) == len(found) else page.size
        return log_pb2.ListEntriesResponse(
            entries=[log_pb2.LogEntry(index=start + at, data=data) for at, data in enumerate(entries)],
            next_page_token=next_token(listed, page, count, str(start + len(entries) - 1)),
        )

    async def get_inclusion_proof(
        self, _caller: Caller, request: log_pb2.GetInclusionProofRequest
    ) -> log_pb2.InclusionProof:
        """GetInclusionProof."""
        port = self._port(request.parent)

        def query(connection: Connection) -> log_pb2.InclusionProof:
            size = _size(connection, port, request.tree_size, "tree_size")
            if not 0 <= request.index < size:
                raise InvalidInput("INDEX_RANGE", f"The log has entries 0 to {size - 1} at this size.", field="index")
            read = tile_reader(connection, port)
            return log_pb2.InclusionProof(
                index=request.index,
                tree_size=size,
                root_hash=root_at(size, read),
                hashes=prove_inclusion(request.index, size, read),
            )

        return await self._door.reader.run(query)

    async def get_consistency_proof(
        self, _caller: Caller, request: log_pb2.GetConsistencyProofRequest
    ) -> log_pb2.ConsistencyProof:
        """GetConsistencyProof."""
        port = self._port(request.parent)

        def query(connection: Connection) -> log_pb2.ConsistencyProof:
            second = _size(connection, port, request.second_size, "second_size")
            if not 0 < request.first_size <= second:
                raise InvalidInput("SIZE_RANGE", f"The first size is 1 to {second}.", field="first_size")
            hashes = prove_consistency(request.first_size, second, tile_reader(connection, port))
            return log_pb2.ConsistencyProof(first_size=request.first_size, second_size=second, hashes=hashes)

        return await self._door.reader.run(query)

    async def get_receipt(self, caller: Caller, request: log_pb2.GetReceiptRequest) -> log_pb2.Receipt:
        """GetReceipt: an inspector gets those of his own looks."""
        port = self._port(request.parent)

        def query(connection: Connection) -> Receipted:
            if caller.role is Role.INSPECTOR:
                keyring = self._services.keyring
                return read_own_receipt(connection, keyring, port, request.index, PersonId(caller.id))
            return read_receipt(connection, port, request.index)

        found = await self._door.reader.run(query)
        return log_pb2.Receipt(index=found.index, entry=found.entry, proof=found.proof, tree_size=found.tree_size)

    async def export_bundle(
        self, _caller: Caller, request: verification_pb2.ExportBundleRequest
    ) -> AsyncIterator[verification_pb2.ExportBundleResponse]:
        """ExportBundle."""
        port = self._port(request.parent)
        with tempfile.TemporaryFile() as file:
            await self._door.reader.run(
                lambda connection: write_port_bundle(
                    connection, self._services.keyring, port, self._verifiers[port].vkey(), file
                )
            )
            file.seek(0)
            while chunk := file.read(_CHUNK_BYTES):
                yield verification_pb2.ExportBundleResponse(chunk=chunk)


def _that_fit(entries: list[bytes]) -> list[bytes]:
    """As many of the first entries as a client with gRPC's default limit of 4 MiB takes; one is never too large."""
    sizes = itertools.accumulate(len(entry) for entry in entries)
    return entries[: max(1, sum(size <= _PAGE_BYTES for size in sizes))]


def _size(connection: Connection, port: Port, wanted: int, field: str) -> int:
    edge, _ = read_head(connection, port)
    if not 0 <= wanted <= edge.size or edge.size == 0:
        raise InvalidInput("SIZE_RANGE", f"The log has {edge.size} entries.", field=field)
    return wanted or edge.size
