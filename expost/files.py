"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from expost.errors import InputError


def write_whole(path: Path, content: bytes, *, where: str = "") -> None:
    """Write a file at once: a killed write leaves the old file or none.

    Raises InputError, naming ``where`` (by default the path), when it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft") if path.name else path
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except (OSError, ValueError) as error:
        with contextlib.suppress(OSError, ValueError):
            draft.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be written: {reason}", where=where or str(path)) from None
