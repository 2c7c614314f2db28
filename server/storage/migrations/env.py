"""Alembic's entry: it always runs on the connection that `server.storage.migrate` hands over."""

from __future__ import annotations

from alembic import context

from server.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
