"""The contract keeps Google's API Improvement Proposals, read from its descriptors: no server is needed."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api import annotations_pb2, field_behavior_pb2, http_pb2, resource_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor, ServiceDescriptor

import assign.v1

PROTO = Path(__file__).parents[2] / "proto/assign/v1"
READS = ("Get", "List", "Export")
# Reading one's own assignment changes nothing but the log, and each look is a log entry of its own (AIP-155).
WITHOUT_REQUEST_ID = {"RevealAssignment"}
REQUIRED = field_behavior_pb2.REQUIRED


def _files() -> list[FileDescriptor]:
    names = [module.name for module in pkgutil.iter_modules(assign.v1.__path__, "assign.v1.")]
    return [importlib.import_module(name).DESCRIPTOR for name in names if name.endswith("_pb2")]


FILES = _files()
SERVICES: list[ServiceDescriptor] = [service for file in FILES for service in file.services_by_name.values()]
METHODS: list[MethodDescriptor] = [method for service in SERVICES for method in service.methods]
MUTATING = [method for method in METHODS if not method.name.startswith(READS) and method.name not in WITHOUT_REQUEST_ID]


def _messages(descriptors: Iterator[Descriptor]) -> Iterator[Descriptor]:
    for descriptor in descriptors:
        yield descriptor
        yield from _messages(iter(descriptor.nested_types))


MESSAGES = [one for file in FILES for one in _messages(iter(file.message_types_by_name.values()))]
RESOURCES = [one for one in MESSAGES if one.GetOptions().HasExtension(resource_pb2.resource)]


def _behaviour(field: FieldDescriptor) -> set[int]:
    return set(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def _named(items: list[MethodDescriptor]) -> list[str]:
    return [item.full_name for item in items]


def test_contract_is_not_empty() -> None:
    """The tests below did look at something."""
    assert len(SERVICES) == 11
    assert len(MUTATING) >= 9
    assert {method.name for method in METHODS} >= WITHOUT_REQUEST_ID


@pytest.mark.parametrize("method", METHODS, ids=_named(METHODS))
def test_method_has_a_url(method: MethodDescriptor) -> None:
    """google.api.http (AIP-127): reads are GET without a body, all else is POST with the whole message."""
    assert method.GetOptions().HasExtension(annotations_pb2.http)
    rule: http_pb2.HttpRule = method.GetOptions().Extensions[annotations_pb2.http]
    if method.name.startswith(READS):
        assert rule.get.startswith("/v1/{")
        assert rule.body == ""
    else:
        assert rule.post.startswith("/v1/{")
        assert rule.body == "*"
    variable = re.match(r"/v1/\{(\w+)=", rule.get or rule.post)
    assert variable is not None
    assert REQUIRED in _behaviour(method.input_type.fields_by_name[variable[1]])


@pytest.mark.parametrize("method", MUTATING, ids=_named(MUTATING))
def test_change_can_be_repeated_safely(method: MethodDescriptor) -> None:
    """A request that changes something has a required string `request_id` (AIP-155)."""
    field = method.input_type.fields_by_name.get("request_id")
    assert field is not None
    assert field.type == FieldDescriptor.TYPE_STRING
    assert REQUIRED in _behaviour(field)


@pytest.mark.parametrize("method", METHODS, ids=_named(METHODS))
def test_method_names_what_it_works_on(method: MethodDescriptor) -> None:
    """`name` for one resource, `parent` for a collection (AIP-131, 132, 136), required and first."""
    first = method.input_type.fields[0]
    assert first.name in {"name", "parent"}
    assert first.number == 1
    assert REQUIRED in _behaviour(first)
    assert method.input_type.name == f"{method.name}Request"


@pytest.mark.parametrize(
    "method",
    lists := [method for method in METHODS if method.name.startswith("List")],
    ids=_named(lists),
)
def test_list_is_paged(method: MethodDescriptor) -> None:
    """AIP-158: page_size and page_token in, one repeated field and next_page_token out."""
    assert {"parent", "page_size", "page_token"} <= set(method.input_type.fields_by_name)
    repeated = [field for field in method.output_type.fields if field.is_repeated]
    assert len(repeated) == 1
    assert set(method.output_type.fields_by_name) == {repeated[0].name, "next_page_token"}
    assert method.output_type.name == f"{method.name}Response"


@pytest.mark.parametrize(
    "method",
    batches := [method for method in METHODS if method.name.startswith("Batch")],
    ids=_named(batches),
)
def test_batch_takes_many_and_counts(method: MethodDescriptor) -> None:
    """AIP-231 in spirit: a required repeated field of resources in, a count out."""
    repeated = [field for field in method.input_type.fields if field.is_repeated]
    assert len(repeated) == 1
    assert REQUIRED in _behaviour(repeated[0])
    assert [field.name.endswith("_count") for field in method.output_type.fields] == [True]


@pytest.mark.parametrize("resource", RESOURCES, ids=[resource.name for resource in RESOURCES])
def test_resource_has_patterns_and_a_name(resource: Descriptor) -> None:
    """AIP-122, 123: a type, patterns below `ports/{port}`, singular and plural, and `name` as identifier."""
    options: resource_pb2.ResourceDescriptor = resource.GetOptions().Extensions[resource_pb2.resource]
    assert options.type == f"assign.example/{resource.name}"
    assert all(pattern.startswith("ports/{port}/") for pattern in options.pattern)
    assert options.pattern
    assert options.singular
    assert options.plural
    name = resource.fields_by_name["name"]
    assert name.number == 1
    assert field_behavior_pb2.IDENTIFIER in _behaviour(name)


def test_time_fields_are_named_as_such() -> None:
    """AIP-142: a Timestamp ends in `_time` (or says until when), a Duration is none."""
    for message in MESSAGES:
        for field in message.fields:
            is_time = field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp"
            assert is_time == field.name.endswith(("_time", "_valid_until")), field.full_name


def test_zero_of_an_enumeration_means_nothing() -> None:
    """AIP-126: the first value is `…_UNSPECIFIED`."""
    for message in MESSAGES:
        for enumeration in message.enum_types:
            assert enumeration.values_by_number[0].name.endswith("_UNSPECIFIED"), enumeration.full_name


def _comment_above(lines: list[str], index: int) -> bool:
    return index > 0 and lines[index - 1].strip().startswith("//")


def _lines() -> Iterator[tuple[str, str, str]]:
    """Every line of the contract: where it is, what stands above it, the line."""
    for path in sorted(PROTO.glob("*.proto")):
        above = ""
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            yield f"{path.name}:{number}", above, line.strip()
            above = line.strip()


def test_services_are_documented() -> None:
    """Each says what it is for, and for whom."""
    assert [
        where for where, above, line in _lines() if line.startswith("service ") and not above.startswith("//")
    ] == []


def test_resource_names_show_their_form() -> None:
    """`name` and `parent` have an example above them: a caller need not guess."""
    named = re.compile(r"string (name|parent) = ")
    assert [where for where, above, line in _lines() if named.match(line) and not above.startswith("// `ports/")] == []


def test_no_field_says_who_inspects_before_the_reveal() -> None:
    """Orders, slots, waves and shifts have no field of a person but the selector and the roster itself."""
    hidden = re.compile(r"inspector|assignee|team_members|persons?$|drawn_by")
    for name in ("Order", "Slot", "Wave", "Shift"):
        message = next(one for one in MESSAGES if one.name == name)
        assert not [field.name for field in message.fields if hidden.search(field.name)]
