"""Takes bundles apart and puts them together again with every digest repaired, as a forger would."""

from __future__ import annotations

import json

from assign.encoding import canonical_json, sha256, u64be
from assign.verify.bundle_format import MAGIC

MANIFEST_AT = 0

Records = list[tuple[str, bytes]]


def split(bundle: bytes) -> Records:
    """The records of a bundle, by name."""
    records: Records = []
    position, end = len(MAGIC), len(bundle) - 32
    while position < end:
        name_end = position + 4 + int.from_bytes(bundle[position : position + 4], "big")
        body = name_end + 8
        body_end = body + int.from_bytes(bundle[name_end:body], "big")
        records.append((bundle[position + 4 : name_end].decode(), bundle[body:body_end]))
        position = body_end
    return records


def join(records: Records) -> bytes:
    """The bundle of these records, with the digest at the end."""
    data = MAGIC + b"".join(
        len(name.encode()).to_bytes(4, "big") + name.encode() + u64be(len(body)) + body for name, body in records
    )
    return data + sha256(data)


def repair(bundle: bytes, name: str, body: bytes) -> bytes:
    """`bundle` with another body of one record, and the manifest made to fit."""
    records = [(known, body if known == name else old) for known, old in split(bundle)]
    manifest = json.loads(records[MANIFEST_AT][1])
    for item in manifest["records"]:
        if item["name"] == name:
            item.update(size=len(body), sha256=sha256(body).hex())
    records[MANIFEST_AT] = ("manifest", canonical_json(manifest))
    return join(records)
