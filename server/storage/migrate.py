"""Bring a store to this software's schema, or say why it cannot be."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from assign.errors import Conflict
from server.storage.sqlite import begin_immediate, store_errors

__all__ = ["current_revision", "migrate", "newest_revision"]

_SCRIPTS = Path(__file__).parent / "migrations"


def _alembic() -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config


def newest_revision() -> str:
    """The schema revision of this software."""
    return ScriptDirectory.from_config(_alembic()).get_current_head() or ""


def current_revision(engine: Engine) -> str:
    """The schema revision of a store; empty for a new one.

    Raises Unavailable (STORE_UNAVAILABLE), Conflict (STORE_NEWER) for a store of newer software.
    """
    with store_errors(), engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision() or ""
    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    if revision and revision not in known:
        raise Conflict("STORE_NEWER", f"The store has schema {revision} of newer software; use that, or restore.")
    return revision


def migrate(engine: Engine) -> None:
    """Bring the store to `newest_revision`. Raises as `current_revision`."""
    if current_revision(engine) == newest_revision():
        return
    config = _alembic()
    with store_errors(), engine.connect() as connection:
        # All or nothing: a schema made by half would fit neither this software nor its next start.
        begin_immediate(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
