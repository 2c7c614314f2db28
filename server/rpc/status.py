"""From the error tree to gRPC: status code, machine-readable reason and field paths (google.rpc)."""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from assign.errors import AssignError

__all__ = ["DOMAIN", "to_status"]

DOMAIN = "assign.example"
_MAX_VIOLATIONS = 100


def to_status(error: AssignError) -> grpc.Status:
    """The status to abort a call with: `ErrorInfo`, and `BadRequest` where fields are at fault."""
    details = [_pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN))]
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field=one.field, description=one.message, reason=one.reason)
        for one in (error, *error.also)[:_MAX_VIOLATIONS]
        if one.field
    ]
    if violations:
        details.append(_pack(error_details_pb2.BadRequest(field_violations=violations)))
    if error.status in ("RESOURCE_EXHAUSTED", "UNAVAILABLE"):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(1)
        details.append(_pack(retry))
    where = f" (at {error.field})" if error.field else ""
    more = f" {len(error.also)} more rows are wrong." if error.also else ""
    status = status_pb2.Status(
        code=code_pb2.Code.Value(error.status), message=f"{error.message}{where}{more}", details=details
    )
    mapped: grpc.Status = rpc_status.to_status(status)
    return mapped


def _pack(
    message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
