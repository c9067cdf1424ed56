"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
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


def claim_folder(out: Path) -> None:
    """Raise InputError unless ``out`` can become a new folder."""
    try:
        taken = out.exists() or out.is_symlink()
    except OSError as error:  # a name too long, a parent that may not be entered
        raise _unwritable(error) from None
    if taken:
        raise InputError(
            f"{out} exists",
            where="out",
            expected="a folder that does not exist yet",
            remedy="name another, or move it away",
        )
    try:
        tempfile.TemporaryDirectory(dir=nearest_parent(out)).cleanup()
    except OSError as error:
        raise InputError(
            f"cannot write there: {error.strerror}",
            where="out",
            expected="a folder that may be written",
            remedy="name another place",
        ) from None


def nearest_parent(path: Path) -> Path:
    """The closest ancestor of ``path`` that exists."""
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    return parent


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A hidden folder to write into, which becomes ``out`` when the block ends well and vanishes when it does not.

    Raises InputError when ``out`` exists or cannot be written.
    """
    claim_folder(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".expost-", suffix=".partial", dir=out.parent))
    except OSError as error:
        raise _unwritable(error) from None
    try:
        yield work
        work.chmod(0o755)
        work.rename(out)
    except OSError as error:
        raise _unwritable(error) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unwritable(error: OSError) -> InputError:
    return InputError(
        f"{error.strerror}: {str(error.filename)[:60]}",
        where="out",
        expected="room and permission to write",
    )


def is_regular(path: Path) -> bool:
    """Whether there is a regular file at ``path``; a name that no file system takes is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder at ``path``; a name that no file system takes is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
