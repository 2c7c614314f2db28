"""Files that hold secrets: made readable by their owner alone, and refused when anyone else can read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from assign.errors import AlreadyExists, InvalidInput, NotFound

__all__ = ["read_private", "write_new"]

_PRIVATE_MODE = 0o600
_PUBLIC_MODE = 0o644
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MAX_BYTES = 1 << 16


def write_new(path: Path, data: bytes, *, private: bool = True, durable: bool = True) -> None:
    """Make the file `path` with `data`, mode 0600 (0644 if not `private`); if `durable`, on disk on return.

    Raises AlreadyExists FILE_EXISTS: a key is never overwritten, for it may be the only copy.
    Raises InvalidInput FILE_NOT_WRITABLE where the directory is missing or closed.
    """
    mode = _PRIVATE_MODE if private else _PUBLIC_MODE
    try:
        # The mode is given at creation: there is no moment at which others could open the file.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise AlreadyExists("FILE_EXISTS", f"{path} exists: move it away first, it is not overwritten.") from None
    except OSError as error:
        raise InvalidInput("FILE_NOT_WRITABLE", f"Cannot write {path}: {error.strerror}.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if durable:
            os.fsync(descriptor)
    if durable:
        _sync_directory(path.parent)


def read_private(path: Path) -> bytes:
    """The bytes of `path`.

    Raises NotFound FILE_MISSING, InvalidInput FILE_EXPOSED (its group or the world may read or write it, or
    another user owns it) or FILE_UNREADABLE.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            # Of the open file, not of the path: it cannot be exchanged between the look and the reading.
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
                raise InvalidInput("FILE_UNREADABLE", f"{path} is not a file of at most {_MAX_BYTES} bytes.")
            if status.st_mode & _OTHERS or status.st_uid not in {0, os.geteuid()}:
                raise InvalidInput(
                    "FILE_EXPOSED", f"Others can read {path}: replace what is in it, then `chmod 600` the new file."
                )
            return file.read()
    except FileNotFoundError:
        raise NotFound("FILE_MISSING", f"There is no file {path}.") from None
    except OSError as error:
        raise InvalidInput("FILE_UNREADABLE", f"Cannot read {path}: {error.strerror}.") from None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)  # opening a pipe must not wait for its other end


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
