"""Files and folders that are written whole or not at all, and read only when they are regular and of a fit size.

Whoever writes holds a lock on his draft, which ends with his process: a draft that nobody holds is what a killed run
left, and the next one that writes there takes it away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from expost._locks import held, hold, release, waiting
from expost.errors import InputError

PREFIX, SUFFIX = ".expost-", ".partial"
DRAFT = ".draft"
MOST_BYTES = 1 << 30
"""Of any file that is read whole, unless its reader says less."""


def read_regular(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file of at most ``most`` bytes; links are followed.

    Nothing else is opened for reading: a pipe would wait for ever, a device never end. Raises OSError when it cannot
    be read, ValueError when it is no such file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("no regular file")
    except BaseException:
        os.close(descriptor)  # fdopen closes it only where it succeeds
        raise
    with os.fdopen(descriptor, "rb") as file:
        if found.st_size > most:
            raise ValueError(f"{found.st_size} bytes where {most} would be many")
        return file.read(most)


def write_whole(path: Path, content: bytes, *, where: str = "") -> None:
    """Write a file at once: a killed write leaves the old file or none. Links are followed; what is there and no file,
    a device or a pipe, is written to and stays what it is.

    Raises InputError, naming ``where`` (by default the path), when it cannot be written.
    """
    try:
        target = _followed(path)
        mode = target.stat().st_mode if target.exists() else None
        if mode is None or stat.S_ISREG(mode):
            _replace(target, content, mode)
        else:
            _pour(target, content, mode)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be written: {reason}", where=where or str(path)[:200]) from None


def _followed(path: Path) -> Path:
    """Where a link leads in the end. Raises OSError where it leads in a circle."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def _replace(target: Path, content: bytes, mode: int | None) -> None:
    """Write a draft beside ``target``, which then takes its name; ``mode``: of the file that is there already."""
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied")
    if not target.name:
        raise IsADirectoryError(21, "Is a directory")
    head = f".{target.name[:40]}."
    draft = target.with_name(f"{head}{_unique()}{DRAFT}")
    with waiting(target.parent) as alone:
        if alone:
            _sweep(target.parent, head, DRAFT)
        file = draft.open("xb")
        lock = hold(draft)
    try:
        with file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            draft.chmod(stat.S_IMODE(mode))
        draft.replace(target)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        release(lock)


def _unique() -> str:
    return f"{os.getpid()}-{os.urandom(4).hex()}"


def _pour(target: Path, content: bytes, mode: int) -> None:
    """Write to a device or to a pipe that somebody reads. Raises OSError or ValueError for anything else."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, "Is a directory")
    if not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
        raise ValueError("neither a file nor a pipe")
    # a pipe without a reader is refused here instead of waiting for one
    descriptor = os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    with os.fdopen(descriptor, "wb") as file:
        os.set_blocking(file.fileno(), True)
        file.write(content)


def claim_folder(out: Path) -> None:
    """Raise InputError unless ``out`` can become a new folder."""
    try:
        if "\0" in str(out):
            raise ValueError("null byte in the name")
        taken = out.exists() or out.is_symlink()
    except (OSError, ValueError) as error:  # a name too long, a parent that may not be entered, a null byte
        raise _unwritable(error) from None
    if taken:
        raise InputError(
            f"{out} exists",
            where="out",
            expected="a folder that does not exist yet",
            remedy="name another, or move it away",
        )
    try:
        import tempfile  # late, here and below: it brings modules that ``--help`` does not need

        tempfile.TemporaryDirectory(dir=nearest_parent(out)).cleanup()
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot write there: {getattr(error, 'strerror', None) or error}",
            where="out",
            expected="a folder that may be written",
            remedy="name another place",
        ) from None


def claim_file(path: Path, *, where: str = "out", suffixes: tuple[str, ...] = ()) -> None:
    """Raise InputError, naming ``where``, unless ``write_whole`` can write at ``path``: before what is to be written is
    computed, and lost. suffixes: what the name may end in, if not anything."""
    if suffixes and path.suffix not in suffixes:
        raise InputError(
            f"{path.suffix or 'no'} suffix"[:60],
            where=where,
            expected=f"a file ending in {', '.join(suffixes)}",
        )
    try:
        target = _followed(path)
        mode = target.stat().st_mode if target.exists() else None
        if not target.name or (mode is not None and stat.S_ISDIR(mode)):
            raise IsADirectoryError(21, "Is a directory")
        if mode is None or stat.S_ISREG(mode):
            if mode is not None and not os.access(target, os.W_OK):
                raise PermissionError(13, "Permission denied")
            import tempfile

            tempfile.TemporaryFile(dir=target.parent).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be written: {reason}", where=where) from None


def claim_place(folder: Path, *, where: str) -> None:
    """Raise InputError, naming ``where``, unless ``folder`` is a folder, or can become one."""
    if is_folder(folder):
        return
    try:
        claim_folder(folder)
    except InputError as error:
        raise InputError(error.found, where=where, expected=error.expected, remedy=error.remedy) from None


def nearest_parent(path: Path) -> Path:
    """The closest ancestor of ``path`` that exists."""
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    return parent


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A hidden folder to write into, which becomes ``out`` when the block ends well and vanishes when it does not.

    What killed runs left beside ``out`` is taken away. Raises InputError when ``out`` exists or cannot be written.
    """
    claim_folder(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with waiting(out.parent) as alone:
            if alone:
                _sweep(out.parent, PREFIX, SUFFIX)
            work = out.with_name(f"{PREFIX}{_unique()}{SUFFIX}")
            work.mkdir()
            lock = hold(work)
    except OSError as error:
        raise _unwritable(error) from None
    try:
        yield work
        _rename(work, out)
    except OSError as error:
        raise _unwritable(error) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
        release(lock)


def _rename(work: Path, out: Path) -> None:
    """``work`` becomes ``out``; an empty folder that appeared there meanwhile is somebody's too."""
    with waiting(out.parent):
        if out.exists() or out.is_symlink():
            raise FileExistsError(17, "File exists", str(out))
        work.rename(out)


def _sweep(folder: Path, prefix: str, suffix: str) -> None:
    """Take away drafts of processes that are no more: nobody holds them."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if not (entry.name.startswith(prefix) and entry.name.endswith(suffix)) or entry.is_symlink():
                continue
            path = Path(entry.path)
            if held(path):
                continue
            if entry.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif entry.is_file():
                path.unlink(missing_ok=True)


def _unwritable(error: OSError | ValueError) -> InputError:
    found = getattr(error, "strerror", None) or str(error)
    name = getattr(error, "filename", None)
    return InputError(
        f"{found}: {str(name)[:60]}" if name else found,
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
