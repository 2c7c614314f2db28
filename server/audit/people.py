"""Who is who: personal keys, the pseudonyms that follow from them, and the screening register."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.engine import Connection

from assign.errors import AssignError
from assign.names import PersonId
from assign.person import pseudonym
from server.audit.book import Book
from server.audit.findings import Code, Findings
from server.audit.forgotten import Forgotten
from server.audit.rows import read_rows
from server.keyring import Keyring
from server.privacy.key_register import account_for
from server.storage.persons import digest_register, person_key_context
from server.storage.schema import person, person_key
from server.storage.secrets import persons_salt

__all__ = ["People", "check_register"]


class People:
    """Everybody who has a key, and how each appears in a context."""

    def __init__(self, connection: Connection, keyring: Keyring, findings: Findings) -> None:
        self._keys: dict[str, bytes] = {}
        self._contexts: dict[str, dict[str, str]] = {}
        for (name,), row in read_rows(connection, person_key, findings):
            try:
                self._keys[name] = keyring.open(row["sealed"], context=person_key_context(PersonId(name)))
            except AssignError as error:
                findings.add(Code.SEALED_VALUE, error.message, table=person_key.name, row=name)

    def pseudonym(self, person: str, context: str) -> str | None:
        """How the person appears in `context`; None for somebody without a key."""
        key = self._keys.get(person)
        return None if key is None else pseudonym(key, context)

    def person(self, name: str, context: str) -> str | None:
        """Who appears as `name` in `context`; None: nobody who has a key."""
        if context not in self._contexts:
            self._contexts[context] = {pseudonym(key, context): one for one, key in self._keys.items()}
        return self._contexts[context].get(name)

    def is_person(self, stored: str | None, name: str, context: str, forgotten: Forgotten) -> bool:
        """Whether `stored` is who appears as `name`, or stands for somebody who was forgotten."""
        person = self.person(name, context)
        return stored == person if person is not None else forgotten.is_stand_in(stored)

    def actor(self, caller: str, context: str) -> str | None:
        """How the log names a caller, `persons/ID` or `systems/ID`."""
        kind, _, name = caller.partition("/")
        return caller if kind == "systems" else self.pseudonym(name, context)

    def check_actors(self, book: Book, connection: Connection, keyring: Keyring, findings: Findings) -> None:
        """Everybody whom the log names still has the key that the name follows from, or was erased on record."""
        if book.forgotten.erasures:
            account = account_for(connection, keyring, book.port, book.origin)
            if not account.is_balanced:
                message = "More pseudonyms are without a key than were erased: a personal key is gone or another's."
                findings.add(Code.PSEUDONYM_UNKNOWN, message, table=person_key.name, row=book.port)
            return
        for (name, context), position in book.actors.items():
            if self.person(name, context) is None:
                message = "No personal key in the store leads to the pseudonym in this entry."
                findings.add(Code.PSEUDONYM_UNKNOWN, message, table=person_key.name, row=book.port, position=position)


def check_register(connection: Connection, keyring: Keyring, books: Iterable[Book], findings: Findings) -> None:
    """The screening register of every port is the one whose digest is in the log."""
    seen = set()
    for book in books:
        seen.add(book.port)
        _check_port(connection, keyring, book, findings)
    for (port, name), _ in read_rows(connection, person, findings):
        if port not in seen:
            message = "Nothing in a log accounts for this row."
            findings.add(Code.ROW_EXTRA, message, table=person.name, row=f"{port} {name}")


def _check_port(connection: Connection, keyring: Keyring, book: Book, findings: Findings) -> None:
    wrong = Findings()
    count = sum(key[0] == book.port for key, _ in read_rows(connection, person, wrong))
    logged = book.persons_import
    if wrong.count:
        return  # told when all ports' rows are read
    if logged is None:
        if count:
            message = "There are people in the register, and no import in the log."
            findings.add(Code.ROW_EXTRA, message, table=person.name, row=book.port)
        return
    salt = persons_salt(keyring, book.port, logged.entry.time)
    try:
        digest = digest_register(connection, book.port, salt).hex()
    except (AssignError, ValueError, TypeError, OverflowError):
        digest = ""
    if digest != logged.entry.body["digest"]:
        findings.add(
            Code.VALUE_CHANGED,
            "The screening register is not the one that was imported: a row was changed, added or taken out since "
            f"the entry at {logged.position}.",
            table=person.name,
            row=book.port,
            position=logged.position,
        )
