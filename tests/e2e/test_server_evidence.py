"""What auditors check from outside: pages, proofs, checkpoints, the bundle; health and the contract by reflection."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from e2e.port import (
    AUDITOR,
    CALL_SECONDS,
    INSPECTORS,
    ORIGIN,
    PARENT,
    PLANNERS,
    ROSTER_OFFICER,
    SELECTORS,
    SUPERVISOR,
    Duty,
    Site,
    refusal,
    running_site,
    terminal,
)
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from assign.log.checkpoint import verify_checkpoint
from assign.log.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from assign.log.note import NoteVerifier
from assign.v1 import (
    log_service_pb2,
    order_service_pb2,
    reveal_service_pb2,
    roster_service_pb2,
    slot_service_pb2,
    verification_service_pb2,
    wave_service_pb2,
)
from server.demo.processes import run_assign

_SERVICES = {
    f"assign.v1.{name}Service"
    for name in ("Log", "Order", "Person", "Reveal", "Roster", "Slot", "Verification", "Wave")
}


class _Kept:
    """A site after one shift of four waves with seven slots."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.duty: Duty = site.open_shift(waves=4)
        self.slots = site.book_orders([self.duty.start(3)] * 7)
        site.advance(self.duty.start(3))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Kept]:
    """One site, with something in every list."""
    for site in running_site(tmp_path_factory.mktemp("evidence")):
        yield _Kept(site)


def _lists(kept: _Kept) -> dict[str, tuple[Callable[..., Message], Message, str, int]]:
    """Every list of the contract: method, first request, field of the items, how many there are."""
    site = kept.site
    return {
        "orders": (
            site.client(SUPERVISOR).orders.ListOrders,
            order_service_pb2.ListOrdersRequest(parent=PARENT),
            "orders",
            7,
        ),
        "own orders": (
            site.client(SELECTORS[0]).orders.ListOrders,
            order_service_pb2.ListOrdersRequest(parent=PARENT),
            "orders",
            7,
        ),
        "slots": (
            site.client(PLANNERS["RWG"]).slots.ListSlots,
            slot_service_pb2.ListSlotsRequest(parent=terminal("RWG")),
            "slots",
            7,
        ),
        "roster": (
            site.client(ROSTER_OFFICER).rosters.ListRosterEntries,
            roster_service_pb2.ListRosterEntriesRequest(parent=str(kept.duty.name)),
            "roster_entries",
            len(INSPECTORS),
        ),
        "waves": (
            site.client(SUPERVISOR).waves.ListWaves,
            wave_service_pb2.ListWavesRequest(parent=str(kept.duty.name)),
            "waves",
            4,
        ),
        "assignments": (
            site.client(SUPERVISOR).reveals.ListAssignments,
            reveal_service_pb2.ListAssignmentsRequest(parent=kept.duty.wave(3)),
            "assignments",
            7,
        ),
    }


@pytest.mark.parametrize("name", ["orders", "own orders", "slots", "roster", "waves", "assignments"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_pages_give_every_item_once(kept: _Kept, name: str, size: int) -> None:
    """Walking all pages gives the whole list, in one order, without gaps and without doubles."""
    method, request, field, count = _lists(kept)[name]
    seen: list[str] = []
    while True:
        page = method(_with(request, page_size=size), timeout=CALL_SECONDS)
        items = getattr(page, field)
        assert len(items) <= size
        seen += [item.name for item in items]
        token = page.next_page_token  # type: ignore[attr-defined]
        if not token:
            break
        request = _with(request, page_token=token)
    assert len(seen) == len(set(seen)) == count
    assert seen == sorted(seen)


def _with(request: Message, **values: object) -> Message:
    changed = type(request)()
    changed.CopyFrom(request)
    for field, value in values.items():
        setattr(changed, field, value)
    return changed


def test_the_log_is_read_page_by_page(kept: _Kept) -> None:
    """Pages of three entries give the same log as one page, and its root is the signed one."""
    log = kept.site.client(AUDITOR).log
    whole = kept.site.raw_entries()
    small: list[bytes] = []
    request = log_service_pb2.ListEntriesRequest(parent=PARENT, page_size=3)
    while True:
        page = log.ListEntries(request, timeout=CALL_SECONDS)
        assert [entry.index for entry in page.entries] == list(range(len(small), len(small) + len(page.entries)))
        small += [entry.data for entry in page.entries]
        if not page.next_page_token:
            break
        request = log_service_pb2.ListEntriesRequest(parent=PARENT, page_size=3, page_token=page.next_page_token)
    assert small[: len(whole)] == whole


def test_a_page_token_is_good_for_its_own_list_only(kept: _Kept) -> None:
    """A token of every list is refused by every other list, also where both have the same parent."""
    lists = _lists(kept)
    lists["entries"] = (
        kept.site.client(AUDITOR).log.ListEntries,
        log_service_pb2.ListEntriesRequest(parent=PARENT),
        "entries",
        0,
    )
    tokens = {
        name: method(_with(request, page_size=1), timeout=CALL_SECONDS).next_page_token  # type: ignore[attr-defined]
        for name, (method, request, _, _) in lists.items()
        if name != "own orders"
    }
    assert all(tokens.values())
    for name, (method, request, _, _) in lists.items():
        for other, token in tokens.items():
            if other != name and (name, other) != ("own orders", "orders"):
                answer = refusal(method, _with(request, page_token=token))
                assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN"), (name, other)
                assert answer.fields[0][0] == "page_token"


def test_a_made_up_page_token_is_refused(kept: _Kept) -> None:
    """No token that the server did not give is a token, whatever it contains."""
    made: list[object] = [[PARENT, "x"], [PARENT, "9" * 30], [PARENT], {}, [PARENT, 1], None, ""]
    tokens = [base64.urlsafe_b64encode(json.dumps(value).encode()).decode() for value in made]
    for method, request, _, _ in _lists(kept).values():
        for token in (*tokens, "%", "AAAA", "ÿ", tokens[0][:-1]):
            answer = refusal(method, _with(request, page_token=token))
            assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN"), token
    entries = kept.site.client(AUDITOR).log.ListEntries
    for token in tokens:
        request = log_service_pb2.ListEntriesRequest(parent=PARENT, page_token=token)
        assert refusal(entries, request).reason == "PAGE_TOKEN"


def test_a_negative_page_is_refused(kept: _Kept) -> None:
    """A size below zero, and a place in the log below zero or beyond every number."""
    for method, request, _, _ in _lists(kept).values():
        assert refusal(method, _with(request, page_size=-1)).reason == "PAGE_SIZE"
    log = kept.site.client(AUDITOR).log
    low = log_service_pb2.ListEntriesRequest(parent=PARENT, start_index=-1)
    assert refusal(log.ListEntries, low).reason == "INDEX_RANGE"
    high = log_service_pb2.ListEntriesRequest(parent=PARENT, start_index=2**63 - 1)
    assert not log.ListEntries(high, timeout=CALL_SECONDS).entries


def test_the_checkpoint_is_signed_over_all_entries(kept: _Kept) -> None:
    """The note verifies under the published key, and its root is that of the entries as listed."""
    key = NoteVerifier.from_vkey((kept.site.directory / "log.vkey").read_text())
    found = kept.site.checkpoint()
    checkpoint = verify_checkpoint(found.note, [key])
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, found.tree_size, found.root_hash)
    assert found.verifier_key == key.vkey()
    entries = kept.site.raw_entries()[: checkpoint.size]
    assert root_of([leaf_hash(entry) for entry in entries]) == checkpoint.root


def test_every_entry_is_proved_to_be_in_the_log(kept: _Kept) -> None:
    """The inclusion proof of each position holds at the checkpoint's size, and at earlier ones."""
    log = kept.site.client(AUDITOR).log
    found = kept.site.checkpoint()
    entries = kept.site.raw_entries()
    for index in range(0, found.tree_size, 5):
        for size, root in ((found.tree_size, found.root_hash), (index + 1, None)):
            request = log_service_pb2.GetInclusionProofRequest(parent=PARENT, index=index, tree_size=size)
            proof = log.GetInclusionProof(request, timeout=CALL_SECONDS)
            assert (proof.index, proof.tree_size) == (index, size)
            assert root in (None, proof.root_hash)
            verify_inclusion(
                index=index, size=size, leaf=leaf_hash(entries[index]), proof=[*proof.hashes], root=proof.root_hash
            )


def test_the_log_is_proved_to_have_only_grown(kept: _Kept) -> None:
    """Between every two checkpoints that somebody kept there is a consistency proof that holds."""
    log = kept.site.client(AUDITOR).log
    old = kept.site.checkpoint()
    kept.site.drawn(kept.duty, 3)  # a look is a leaf
    new = kept.site.checkpoint()
    assert new.tree_size > old.tree_size
    for first in (1, 2, 3, old.tree_size - 1, old.tree_size):
        request = log_service_pb2.GetConsistencyProofRequest(parent=PARENT, first_size=first, second_size=new.tree_size)
        proof = log.GetConsistencyProof(request, timeout=CALL_SECONDS)
        first_root = root_of([leaf_hash(entry) for entry in kept.site.raw_entries()[:first]])
        verify_consistency(
            size1=first,
            size2=new.tree_size,
            root1=old.root_hash if first == old.tree_size else first_root,
            root2=new.root_hash,
            proof=[*proof.hashes],
        )


def test_proofs_of_what_is_not_there_are_refused(kept: _Kept) -> None:
    """Positions and sizes outside the log: refused, with the field."""
    log = kept.site.client(AUDITOR).log
    size = kept.site.size()
    inclusion = log_service_pb2.GetInclusionProofRequest
    consistency = log_service_pb2.GetConsistencyProofRequest
    for wanted, reason, field in (
        (inclusion(parent=PARENT, index=10**6), "INDEX_RANGE", "index"),
        (inclusion(parent=PARENT, index=-1), "INDEX_RANGE", "index"),
        (inclusion(parent=PARENT, index=1, tree_size=10**6), "SIZE_RANGE", "tree_size"),
        (inclusion(parent=PARENT, index=3, tree_size=3), "INDEX_RANGE", "index"),
    ):
        answer = refusal(log.GetInclusionProof, wanted)
        assert (answer.code, answer.reason, answer.fields[0][0]) == ("INVALID_ARGUMENT", reason, field)
    for first, second, field in ((0, 0, "first_size"), (3, 2, "first_size"), (1, 10**6 + size, "second_size")):
        answer = refusal(log.GetConsistencyProof, consistency(parent=PARENT, first_size=first, second_size=second))
        assert (answer.code, answer.reason, answer.fields[0][0]) == ("INVALID_ARGUMENT", "SIZE_RANGE", field)
    other = log_service_pb2.GetCheckpointRequest(parent="ports/BEANR")
    answer = refusal(log.GetCheckpoint, other)
    assert (answer.code, answer.reason, answer.fields[0][0]) == ("NOT_FOUND", "PORT_UNKNOWN", "parent")


def test_a_bundle_of_an_open_shift_says_what_is_not_yet_open(kept: _Kept, tmp_path: Path) -> None:
    """Before the close nothing is wrong, but the draws cannot be replayed yet: the status is not 0."""
    bundle = kept.site.export(tmp_path / "open.bundle")
    done = run_assign("verify", str(bundle), "--json", cwd=tmp_path)
    report = json.loads(done.output)
    assert (done.status, report["findings"]) == (1, [])


def test_a_bundle_of_a_port_that_is_not_served_is_refused(kept: _Kept) -> None:
    """The stream ends with the refusal, and nothing was sent."""
    request = verification_service_pb2.ExportBundleRequest(parent="ports/BEANR")
    export = kept.site.client(AUDITOR).verification.ExportBundle
    answer = refusal(lambda asked, timeout: [*export(asked, timeout=timeout)], request)
    assert (answer.code, answer.reason) == ("NOT_FOUND", "PORT_UNKNOWN")


def test_health_is_serving(kept: _Kept) -> None:
    """The standard health service answers for the server and for every service of the contract."""
    stub = health_pb2_grpc.HealthStub(kept.site.client(AUDITOR).channel)
    for name in ("", *_SERVICES):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=CALL_SECONDS)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError):
        stub.Check(health_pb2.HealthCheckRequest(service="nothing"), timeout=CALL_SECONDS)


def test_reflection_tells_the_contract(kept: _Kept) -> None:
    """A reflection client finds every service, its methods and its messages."""
    database = ProtoReflectionDescriptorDatabase(kept.site.client(AUDITOR).channel)
    assert set(database.get_services()) >= _SERVICES
    file = database.FindFileContainingSymbol("assign.v1.RevealService")
    methods = {method.name for service in file.service for method in service.method}
    assert methods == {"RevealAssignment", "ListAssignments", "RequestReplacement", "ApproveReplacement"}
    assert database.FindFileContainingSymbol("assign.v1.Wave").name == "assign/v1/resources.proto"


def test_reflection_of_what_is_not_there(kept: _Kept) -> None:
    """An unknown symbol is answered with an error, not with silence."""
    stub = reflection_pb2_grpc.ServerReflectionStub(kept.site.client(AUDITOR).channel)
    asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol="assign.v1.Nothing")
    [answer] = stub.ServerReflectionInfo(iter([asked]), timeout=CALL_SECONDS)
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
