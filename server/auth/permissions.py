"""Which roles may call which method: one table, which is also the documentation (docs/permissions.md).

A role opens a method, not every object behind it: that a terminal sees its own slots only, a selector his own
orders, an inspector his own assignment and only in its window, the actions decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from assign.errors import Denied
from server.auth.access import Role
from server.auth.identity import Caller

__all__ = ["ALLOWED", "ANONYMOUS", "ANY_CALLER", "check_method"]

_PACKAGE: Final = "assign.v1"
_OVERSIGHT: Final = (Role.SUPERVISOR, Role.AUDITOR)
_LIFE_OF_WAVES: Final = (Role.TERMINAL_SYSTEM, Role.ROSTER_OFFICER, Role.INSPECTOR, *_OVERSIGHT)

_SERVICES: Final[Mapping[str, Mapping[str, tuple[Role, ...]]]] = {
    "RosterService": {
        "OpenShift": (Role.ROSTER_OFFICER,),
        "GetShift": _LIFE_OF_WAVES,
        "BatchImportRoster": (Role.ROSTER_OFFICER,),
        "ListRosterEntries": (Role.ROSTER_OFFICER, Role.SUPERVISOR),
        # An inspector reports himself, and nobody else: the action looks at whom he names.
        "ReportAbsence": (Role.ROSTER_OFFICER, Role.SUPERVISOR, Role.INSPECTOR),
    },
    "PersonService": {
        "BatchImportPersons": (Role.SECURITY_OFFICER,),
    },
    "OrderService": {
        "BatchImportOrders": (Role.DECLARATION_SYSTEM,),
        "ListOrders": (Role.SELECTOR, Role.SUPERVISOR),
    },
    "SlotService": {
        "BatchBookSlots": (Role.TERMINAL_SYSTEM,),
        "CancelSlot": (Role.TERMINAL_SYSTEM,),
        "ListSlots": (Role.TERMINAL_SYSTEM, Role.SUPERVISOR),
    },
    "WaveService": {
        "GetWave": _LIFE_OF_WAVES,
        "ListWaves": _LIFE_OF_WAVES,
    },
    "RevealService": {
        "RevealAssignment": (Role.INSPECTOR,),
        "ListAssignments": _OVERSIGHT,
        "RequestReplacement": (Role.ROSTER_OFFICER, Role.SUPERVISOR),
        "ApproveReplacement": (Role.SUPERVISOR,),
    },
    "LogService": {
        "GetCheckpoint": _OVERSIGHT,
        "ListEntries": _OVERSIGHT,
        "GetInclusionProof": _OVERSIGHT,
        "GetConsistencyProof": _OVERSIGHT,
        # An inspector gets the receipts of his own looks, and no other: the query looks at the entry.
        "GetReceipt": (Role.INSPECTOR, *_OVERSIGHT),
    },
    "VerificationService": {
        "ExportBundle": _OVERSIGHT,
    },
    "OutageService": {
        "CommitSheets": (Role.ROSTER_OFFICER, Role.SUPERVISOR),
        "ListSheets": (Role.ROSTER_OFFICER, *_OVERSIGHT),
        # Two supervisors: the action refuses who asked.
        "RequestSheetOpening": (Role.SUPERVISOR,),
        "OpenSheet": (Role.SUPERVISOR,),
        "GetSheetOrder": (Role.SUPERVISOR,),
        "RequestManualWave": (Role.SUPERVISOR,),
        "ConfirmManualWave": (Role.SUPERVISOR,),
        "BatchImportManualAssignments": (Role.SUPERVISOR,),
    },
    "PrivacyService": {
        "RequestErasure": (Role.SECURITY_OFFICER,),
        "ErasePerson": (Role.SUPERVISOR,),
    },
    "ReviewService": {
        "ListReads": _OVERSIGHT,
    },
}

ALLOWED: Final[Mapping[str, frozenset[Role]]] = MappingProxyType(
    {
        f"/{_PACKAGE}.{service}/{method}": frozenset(roles)
        for service, methods in _SERVICES.items()
        for method, roles in methods.items()
    }
)
"""The roles that may call a method, by its full name on the wire: `/assign.v1.RosterService/OpenShift`."""

ANONYMOUS: Final = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"})
"""Methods that need no identity."""

ANY_CALLER: Final = frozenset(
    {
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    }
)
"""Methods that need an identity, of whatever role: the contract is public."""


def check_method(caller: Caller, method: str) -> None:
    """Raise Denied ROLE_NOT_ALLOWED unless `caller` may call `method` (`/assign.v1.WaveService/GetWave`).

    The answer is the same for a method that exists and one that does not.
    """
    if caller.role in ALLOWED.get(method, ()) or method in ANY_CALLER or method in ANONYMOUS:
        return
    raise Denied("ROLE_NOT_ALLOWED", "Your role may not call this method; docs/permissions.md lists who may.")
