"""Bad input over the real port: each is refused with reason and field path, nothing is half stored, all goes on."""

from __future__ import annotations

import contextlib
import socket
import ssl

import grpc
import pytest
from e2e.port import (
    AUDITOR,
    CALL_SECONDS,
    DECLARATIONS,
    INSPECTORS,
    MINUTE,
    PARENT,
    PLANNERS,
    ROSTER_OFFICER,
    SECURITY_OFFICER,
    SUPERVISOR,
    Client,
    Duty,
    Site,
    container,
    open_request,
    person,
    refusal,
    reveal_request,
    roster_entry,
    site,
    terminal,
)

from assign.log.entries import Kind
from assign.names import ShiftId, ShiftName
from assign.v1 import (
    log_service_pb2,
    order_service_pb2,
    person_service_pb2,
    resources_pb2,
    roster_service_pb2,
    slot_service_pb2,
)
from server.auth.certificate_files import CertificateDirectory
from server.demo.clients import Refusal
from server.demo.messages import duration, timestamp

__all__ = ["site"]  # the fixture

_ROWS = 10_000
_OVERSIZED_BYTES = 100 * 2**20


def _invalid(answer: Refusal, reason: str, *fields: str) -> None:
    assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", reason), answer
    assert tuple(path for path, _ in answer.fields) == fields


def _wrong_digit(order: resources_pb2.Order) -> resources_pb2.Order:
    digit = int(order.container_number[-1])
    order.container_number = f"{order.container_number[:-1]}{(digit + 1) % 10}"
    return order


def _require_alive(site: Site) -> None:
    assert site.size() > 0
    assert site.pid()


def test_the_same_request_is_carried_out_once(site: Site) -> None:
    """Sent three times, stored once, answered alike; the log has one entry."""
    orders = site.client(DECLARATIONS).orders
    request = site.import_orders([site.order(), site.order()])
    size, count = site.size(), site.count("inspection_order")
    answers = [orders.BatchImportOrders(request, timeout=CALL_SECONDS) for _ in range(3)]
    assert [answer.imported_count for answer in answers] == [2, 2, 2]
    assert (site.size(), site.count("inspection_order")) == (size + 1, count + 2)


def test_twenty_at_the_same_time_are_carried_out_once(site: Site) -> None:
    """The same request on many calls in flight is one action."""
    orders = site.client(DECLARATIONS).orders
    request = site.import_orders([site.order()])
    size = site.size()
    calls = [orders.BatchImportOrders.future(request, timeout=CALL_SECONDS) for _ in range(20)]
    assert {call.result().imported_count for call in calls} == {1}
    assert site.size() == size + 1


def test_a_request_id_with_other_content_is_refused(site: Site) -> None:
    """Other rows, or another method, under a used id: refused, nothing stored."""
    orders = site.client(DECLARATIONS).orders
    first = site.import_orders([site.order()])
    orders.BatchImportOrders(first, timeout=CALL_SECONDS)
    count = site.count("inspection_order")
    second = site.import_orders([site.order()], request_id=first.request_id)
    answer = refusal(orders.BatchImportOrders, second)
    assert (answer.code, answer.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")
    assert answer.fields[0][0] == "request_id"
    assert site.count("inspection_order") == count
    orders.BatchImportOrders(first, timeout=CALL_SECONDS)


def test_a_request_id_belongs_to_its_caller(site: Site) -> None:
    """Two terminals' systems may use the same id for their own requests."""
    duty = site.open_shift()
    orders = [site.order(terminal=terminal(code)) for code in PLANNERS]
    site.client(DECLARATIONS).orders.BatchImportOrders(site.import_orders(orders), timeout=CALL_SECONDS)
    request_id = site.fresh("shared")
    for planner, order in zip(PLANNERS.values(), orders, strict=True):
        request = site.book([site.slot(order, duty.start())])
        request.request_id = request_id
        assert site.client(planner).slots.BatchBookSlots(request, timeout=CALL_SECONDS).booked_count == 1


def test_a_refused_request_may_be_mended_under_its_id(site: Site) -> None:
    """A refusal carries nothing out, so the id is still free."""
    orders = site.client(DECLARATIONS).orders
    order = site.order()
    bad = site.import_orders([_wrong_digit(resources_pb2.Order.FromString(order.SerializeToString()))])
    _invalid(refusal(orders.BatchImportOrders, bad), "CONTAINER_CHECK_DIGIT", "orders[0].container_number")
    good = site.import_orders([order], request_id=bad.request_id)
    assert orders.BatchImportOrders(good, timeout=CALL_SECONDS).imported_count == 1


def test_one_wrong_row_of_ten_thousand(site: Site) -> None:
    """The row is named, and of the other 9,999 none is stored; mended, all are."""
    orders = site.client(DECLARATIONS).orders
    rows = [site.order() for _ in range(_ROWS)]
    right = rows[7_311].container_number
    _wrong_digit(rows[7_311])
    count = site.count("inspection_order")
    answer = refusal(orders.BatchImportOrders, site.import_orders(rows))
    _invalid(answer, "CONTAINER_CHECK_DIGIT", "orders[7311].container_number")
    assert "ISO 6346" in answer.fields[0][1]
    assert site.count("inspection_order") == count
    rows[7_311].container_number = right
    assert orders.BatchImportOrders(site.import_orders(rows), timeout=CALL_SECONDS).imported_count == _ROWS
    assert site.count("inspection_order") == count + _ROWS


def test_a_page_of_the_log_fits_a_client_with_default_limits(site: Site) -> None:
    """However long the entries are, no page is larger than the 4 MiB that gRPC clients take; all are read."""
    long = "x" * 50
    for _ in range(2):
        rows = [site.order(name=f"{PARENT}/orders/{site.fresh(long)}") for _ in range(15_000)]
        site.client(DECLARATIONS).orders.BatchImportOrders(site.import_orders(rows), timeout=CALL_SECONDS)
    channel = grpc.secure_channel(site.address, site.credentials(AUDITOR))
    log = Client(channel).log
    read, request = 0, log_service_pb2.ListEntriesRequest(parent=PARENT, page_size=1000)
    while True:
        page = log.ListEntries(request, timeout=CALL_SECONDS)
        assert page.entries[0].index == read
        read += len(page.entries)
        if not page.next_page_token:
            break
        request = log_service_pb2.ListEntriesRequest(parent=PARENT, page_size=1000, page_token=page.next_page_token)
    channel.close()
    assert read == site.size()


def test_several_wrong_rows_are_all_named(site: Site) -> None:
    """Each wrong row has its own field path, whatever is wrong with it."""
    rows = [site.order() for _ in range(9)]
    _wrong_digit(rows[1])
    rows[3].terminal = "ports/NLRTM/terminals/nowhere"
    rows[4].team_size = 3
    rows[5].selected_by = "somebody"
    rows[6].qualifications.append("Reefer!")
    rows[8].tier = -1
    answer = refusal(site.client(DECLARATIONS).orders.BatchImportOrders, site.import_orders(rows))
    assert [path.partition(".")[0] for path, _ in answer.fields] == [f"orders[{row}]" for row in (1, 3, 4, 5, 6, 8)]
    assert "5 more" in answer.message


def test_rows_that_clash_with_the_store_are_all_named(site: Site) -> None:
    """Known orders, orders twice in the batch and terminals that are not the port's, in one answer."""
    orders = site.client(DECLARATIONS).orders
    known, twice = site.order(), site.order()
    orders.BatchImportOrders(site.import_orders([known]), timeout=CALL_SECONDS)
    nowhere = site.order(terminal=terminal("ATLNT"))
    answer = refusal(orders.BatchImportOrders, site.import_orders([site.order(), known, twice, twice, nowhere]))
    _invalid(answer, "ORDER_EXISTS", *(f"orders[{row}].name" for row in (1, 2, 3)), "orders[4].terminal")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (f"{container(1)[:-1]}{(int(container(1)[-1]) + 5) % 10}", "CONTAINER_CHECK_DIGIT"),
        ("CSQU3054384", "CONTAINER_CHECK_DIGIT"),
        ("CSQ3054383", "CONTAINER_FORM"),
        ("", "CONTAINER_FORM"),
        ("CSQU305438\u0663", "CONTAINER_FORM"),
    ],
)
def test_a_container_number_is_checked(site: Site, number: str, reason: str) -> None:
    """A wrong check digit and every other wrong form, also digits of other scripts."""
    request = site.import_orders([site.order(container_number=number)])
    answer = refusal(site.client(DECLARATIONS).orders.BatchImportOrders, request)
    _invalid(answer, reason, "orders[0].container_number")


def test_an_unknown_terminal_is_refused_everywhere(site: Site) -> None:
    """In an order, on a roster, in a slot."""
    duty = site.open_shift(people=())
    nowhere = terminal("ATLNT")
    order = refusal(
        site.client(DECLARATIONS).orders.BatchImportOrders, site.import_orders([site.order(terminal=nowhere)])
    )
    _invalid(order, "UNKNOWN_TERMINAL", "orders[0].terminal")
    entry = roster_entry(duty, INSPECTORS[0].id, terminals=[terminal("RWG"), nowhere])
    request = roster_service_pb2.BatchImportRosterRequest(
        parent=str(duty.name), entries=[entry], request_id=site.fresh("roster")
    )
    roster = refusal(site.client(ROSTER_OFFICER).rosters.BatchImportRoster, request)
    _invalid(roster, "UNKNOWN_TERMINAL", "entries[0].terminals")
    slot = site.slot(site.order(terminal=nowhere), duty.start())
    booked = refusal(site.client(PLANNERS["RWG"]).slots.BatchBookSlots, site.book([slot]))
    assert (booked.code, booked.reason) == ("PERMISSION_DENIED", "OTHER_TERMINAL")


def _import_roster(site: Site, duty: Duty, *entries: resources_pb2.RosterEntry) -> Refusal:
    request = roster_service_pb2.BatchImportRosterRequest(
        parent=str(duty.name), entries=entries, request_id=site.fresh("roster")
    )
    return refusal(site.client(ROSTER_OFFICER).rosters.BatchImportRoster, request)


def test_overlapping_duties_are_refused_within_a_batch_and_across_shifts(site: Site) -> None:
    """One person in two places: every row at fault is named, and nobody of the batch is on the roster."""
    first = site.open_shift(people=[INSPECTORS[0].id, INSPECTORS[1].id])
    second = site.open_shift(people=())
    count = site.count("roster_entry")
    entry = roster_entry(second, INSPECTORS[2].id)
    _invalid(_import_roster(site, second, entry, entry), "ROSTER_TWICE", "entries[1].person")
    early = timestamp(first.calendar.start)
    rows = [
        roster_entry(second, INSPECTORS[0].id, start_time=early),
        roster_entry(second, INSPECTORS[3].id, start_time=early),
        roster_entry(second, INSPECTORS[1].id, start_time=early),
    ]
    _invalid(_import_roster(site, second, *rows), "ROSTER_OVERLAP", "entries[0].start_time", "entries[2].start_time")
    again = roster_entry(first, INSPECTORS[0].id)
    _invalid(_import_roster(site, first, again), "ROSTER_TWICE", "entries[0].person")
    outside = roster_entry(second, INSPECTORS[4].id, start_time=early, end_time=timestamp(second.calendar.start))
    _invalid(_import_roster(site, second, outside), "ROSTER_OUTSIDE_SHIFT", "entries[0].start_time")
    assert site.count("roster_entry") == count


def test_wrong_duties_are_refused_row_by_row(site: Site) -> None:
    """No terminals, no time, an end before the start, a capacity that cannot be, another person's name."""
    duty = site.open_shift(people=())
    name = INSPECTORS[0].id
    backwards = timestamp(duty.calendar.start - 600 * MINUTE)
    rows = [
        roster_entry(duty, name, terminals=[]),
        roster_entry(duty, name, end_time=None),
        roster_entry(duty, name, end_time=backwards),
        roster_entry(duty, name, wave_capacity=101),
        roster_entry(duty, name, person="ports/NLRTM/people/x"),
        roster_entry(duty, name, name=duty.entry(INSPECTORS[1].id)),
    ]
    answer = _import_roster(site, duty, *rows)
    assert [path.partition(".")[0] for path, _ in answer.fields] == [f"entries[{row}]" for row in range(6)]
    assert site.count("roster_entry") == len(site.rows("SELECT 1 FROM roster_entry WHERE shift <> ?", duty.name.shift))


def test_wrong_slots_are_refused_row_by_row(site: Site) -> None:
    """Past, outside any shift, unknown order, twice, wrong terminal, no duration: each row for its own reason."""
    duty = site.open_shift()
    orders = [site.order() for _ in range(6)] + [site.order(terminal=terminal("EMX"))]
    site.client(DECLARATIONS).orders.BatchImportOrders(site.import_orders(orders), timeout=CALL_SECONDS)
    start = duty.start()
    slots = [
        site.slot(orders[0], start),
        site.slot(orders[1], site.now - MINUTE),
        site.slot(orders[2], duty.calendar.end),
        site.slot(site.order(), start),
        site.slot(orders[3], start),
        site.slot(orders[3], start),
        site.slot(orders[6], start),
    ]
    slots[6].terminal = terminal("RWG")
    count = site.count("slot")
    planner = site.client(PLANNERS["RWG"]).slots
    answer = refusal(planner.BatchBookSlots, site.book(slots))
    _invalid(
        answer,
        "SLOT_IN_PAST",
        "slots[1].start_time",
        "slots[2].start_time",
        "slots[3].order",
        "slots[4].order",
        "slots[5].order",
        "slots[6].terminal",
    )
    for wrong in (duration(0), duration(25 * 60)):
        slots[0].expected_duration.CopyFrom(wrong)
        one = refusal(planner.BatchBookSlots, site.book(slots[:1]))
        assert (one.reason, one.fields[0][0].partition(".")[0]) == ("SLOT_MINUTES", "slots[0]")
    assert site.count("slot") == count


def test_wrong_shifts_are_refused(site: Site) -> None:
    """Too late, backwards, over another, known already, longer than the beacon, at the end of time."""
    duty = site.open_shift()
    rosters = site.client(ROSTER_OFFICER).rosters
    start, end = duty.calendar.start, duty.calendar.end

    def opened(start_seconds: int, end_seconds: int, shift: str = "") -> Refusal:
        name = ShiftName(duty.name.port, ShiftId(shift or site.fresh("bad")))
        request = open_request(name, start, end)
        request.request_id = site.fresh("bad")
        request.shift.start_time.FromSeconds(start_seconds)
        request.shift.end_time.FromSeconds(end_seconds)
        return refusal(rosters.OpenShift, request)

    at, until = int(start.timestamp()), int(end.timestamp())
    month = 31 * 86_400
    last = 253_402_300_799
    assert opened(at, until, duty.name.shift).reason == "SHIFT_EXISTS"
    assert opened(until - 60, until + 900).reason == "SHIFT_OVERLAP"
    assert opened(int(site.now.timestamp()), int(site.now.timestamp()) + 900).reason == "SHIFT_TOO_LATE"
    assert opened(until + 900, until).reason == "SHIFT_TIMES"
    assert opened(until + month, until + month + 900).reason == "BEACON_TOO_SHORT"
    assert opened(until + 900, last).reason == "SHIFT_WAVES"
    assert opened(last - 900, last).reason in ("BEACON_TOO_SHORT", "SHIFT_TIMES")
    _require_alive(site)


def test_wrong_persons_are_refused_row_by_row(site: Site) -> None:
    """A name that is none, a time with a fraction of a second, and the same person twice."""
    good = person("p-1")
    fraction = person("p-2")
    fraction.certificate_valid_until.nanos = 1
    persons = site.client(SECURITY_OFFICER).persons

    def sent(*rows: resources_pb2.Person) -> Refusal:
        request = person_service_pb2.BatchImportPersonsRequest(
            parent=PARENT, persons=rows, request_id=site.fresh("persons")
        )
        return refusal(persons.BatchImportPersons, request)

    nameless = resources_pb2.Person(name="ports/NLRTM/persons/")
    _invalid(sent(good, nameless, fraction), "ID_FORM", "persons[1].name", "persons[2].certificate_valid_until")
    _invalid(sent(good, person("p-3"), good), "PERSON_TWICE", "persons[2].name")
    _invalid(sent(), "BATCH_EMPTY", "persons")


def test_a_batch_has_a_limit(site: Site) -> None:
    """More rows than one batch may have are refused before they are looked at."""
    rows = [resources_pb2.Order()] * 20_001
    answer = refusal(site.client(DECLARATIONS).orders.BatchImportOrders, site.import_orders(rows))
    _invalid(answer, "BATCH_TOO_LARGE", "orders")


def test_a_request_id_is_needed(site: Site) -> None:
    """Nothing is stored without one, nor with one that is no id."""
    for request_id in ("", "a b", "x" * 64):
        request = site.import_orders([site.order()], request_id="x")
        request.request_id = request_id
        answer = refusal(site.client(DECLARATIONS).orders.BatchImportOrders, request)
        _invalid(answer, "ID_FORM", "request_id")


def test_another_port_is_not_served(site: Site) -> None:
    """A port that is not configured is not found, and one that is no port is refused as such."""
    order = site.order()
    for text in ("name", "terminal", "selected_by"):
        setattr(order, text, getattr(order, text).replace("NLRTM", "BEANR"))
    request = order_service_pb2.BatchImportOrdersRequest(parent="ports/BEANR", orders=[order], request_id="other")
    answer = refusal(site.client(DECLARATIONS).orders.BatchImportOrders, request)
    assert (answer.code, answer.reason) == ("NOT_FOUND", "PORT_UNKNOWN")
    request.parent = "ports/nowhere"
    _invalid(refusal(site.client(DECLARATIONS).orders.BatchImportOrders, request), "PORT_FORM", "parent")


def test_garbage_instead_of_a_message(site: Site) -> None:
    """Bytes that are no protobuf: refused with a reason, in the log, for every method alike."""
    size = site.size()
    junk = b"\x0a\xff\xff\xff\xff\xff garbage"
    for who, method in (
        (DECLARATIONS, "OrderService/BatchImportOrders"),
        (PLANNERS["RWG"], "SlotService/BatchBookSlots"),
        (INSPECTORS[0], "RevealService/RevealAssignment"),
        (AUDITOR, "LogService/GetCheckpoint"),
    ):
        answer = refusal(site.client(who).raw(f"/assign.v1.{method}"), junk)
        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "MESSAGE_MALFORMED")
    assert sum(site.refusals(size).values()) == 4


def test_names_that_are_none(site: Site) -> None:
    """Every resource name is checked, with the field it stands in."""
    for name in ("", "x", "ports/NLRTM/shifts/a/waves/now/assignments/i-01", "ports/NLRTM/shifts//waves//assignments/"):
        answer = refusal(site.client(INSPECTORS[0]).reveals.RevealAssignment, reveal_request(name))
        assert (answer.code, answer.fields[0][0]) == ("INVALID_ARGUMENT", "name"), answer
    cancel = slot_service_pb2.CancelSlotRequest(name="ports/NLRTM/slots/none", reason="late", request_id="none")
    unknown = refusal(site.client(PLANNERS["RWG"]).slots.CancelSlot, cancel)
    assert (unknown.code, unknown.reason) == ("NOT_FOUND", "SLOT_UNKNOWN")
    cancel.reason = "not one word"
    _invalid(refusal(site.client(PLANNERS["RWG"]).slots.CancelSlot, cancel), "REASON_FORM", "reason")


def test_an_unknown_method_is_unimplemented(site: Site) -> None:
    """What does not exist is answered as gRPC does, and the server goes on."""
    assert refusal(site.client(SUPERVISOR).raw("/assign.v1.RevealService/TellAll"), b"").code == "UNIMPLEMENTED"
    assert refusal(site.client(SUPERVISOR).raw("/nothing/At.All"), b"").code == "UNIMPLEMENTED"
    _require_alive(site)


def test_garbage_on_the_bare_port(site: Site) -> None:
    """Bytes that are no TLS: the connection ends, for each kind of bytes, and everybody else is served."""
    host, _, port = site.address.rpartition(":")
    for junk in (b"\x00" * 4096, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\xab" * 70_000, b"\xff"):
        with socket.create_connection((host, int(port)), timeout=10) as connection, contextlib.suppress(OSError):
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
    _require_alive(site)


def test_garbage_inside_tls(site: Site) -> None:
    """A client with a valid certificate who speaks no HTTP/2 is cut off, and everybody else is served."""
    host, _, port = site.address.rpartition(":")
    certificates = CertificateDirectory.open(site.directory / "certs")
    files = certificates.client_files(AUDITOR.kind, AUDITOR.id)
    context = ssl.create_default_context(cafile=str(certificates.authority_certificate))
    context.load_cert_chain(files.certificate, files.key)
    context.set_alpn_protocols(["h2"])
    for junk in (b"\x00" * 4096, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096):
        with (
            socket.create_connection((host, int(port)), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
            contextlib.suppress(OSError),
        ):
            connection.sendall(junk)
            while connection.recv(65_536):
                pass
    _require_alive(site)


def test_a_hundred_mebibytes_are_too_much(site: Site) -> None:
    """The message is refused for its size, without being read, and the server's memory stays as it was."""
    before = _memory_bytes(site)
    client = site.connect(DECLARATIONS)
    answer = refusal(client.raw("/assign.v1.OrderService/BatchImportOrders"), bytes(_OVERSIZED_BYTES))
    client.channel.close()
    assert answer.code == "RESOURCE_EXHAUSTED"
    assert _memory_bytes(site) - before < _OVERSIZED_BYTES
    _require_alive(site)


def _memory_bytes(site: Site) -> int:
    with open(f"/proc/{site.pid()}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def test_without_a_certificate_there_is_no_connection(site: Site) -> None:
    """No call reaches the server."""
    certificates = CertificateDirectory.open(site.directory / "certs")
    credentials = grpc.ssl_channel_credentials(certificates.authority_certificate.read_bytes())
    channel = grpc.secure_channel(site.address, credentials)
    request = log_service_pb2.GetCheckpointRequest(parent=PARENT)
    assert refusal(Client(channel).log.GetCheckpoint, request).code == "UNAVAILABLE"
    channel.close()
    _require_alive(site)


def test_an_acknowledged_action_is_in_the_file(site: Site) -> None:
    """When the answer arrives, another process finds the rows, the leaf and the checkpoint that covers it."""
    orders = site.client(DECLARATIONS).orders
    for _ in range(20):
        request = site.import_orders([site.order()])
        orders.BatchImportOrders(request, timeout=CALL_SECONDS)
        [(size, position)] = site.rows("SELECT size, (SELECT max(position) FROM log_entry) FROM port_log")
        assert size == position + 1
        assert site.rows("SELECT 1 FROM request WHERE request_id = ?", request.request_id) == [(1,)]
        name = request.orders[0].name.rpartition("/")[2]
        [(data,)] = site.rows("SELECT data FROM log_entry WHERE position = ?", position)
        assert name.encode() in data


def test_a_refusal_is_in_the_file_as_well(site: Site) -> None:
    """The refused caller cannot have heard of it before the log did."""
    for _ in range(5):
        answer = refusal(site.client(SUPERVISOR).raw("/assign.v1.RevealService/RevealAssignment"), b"")
        [(data,)] = site.rows("SELECT data FROM log_entry ORDER BY position DESC LIMIT 1")
        assert answer.reason.encode() in data
        assert Kind.REFUSAL.encode() in data
