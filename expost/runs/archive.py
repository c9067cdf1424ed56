"""Arrays to an archive, and from one that somebody else may have written: names, types and shapes before any contents.

An archive says how large its members are, and each member says how large its array is. What these say is compared
with what the run must have, and with each other, before a byte of an array is read; then no more than that is read.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from expost._typing import Array
from expost.errors import InputError
from expost.files import MOST_BYTES, read_regular

HEADER = 1 << 14
"""Bytes of the header of an array, at most; numpy's own reader allows 10,000 characters."""
MOST_MEMBERS = 64
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    SyntaxError,
    OverflowError,
    MemoryError,
    RuntimeError,  # NotImplementedError among them: a damaged archive may claim any method
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise on damaged archives."""


LEVEL = 1
"""Of compression: 8.5 million numbers take 1.8 s so and 4.7 s at numpy's own level, for 2% more bytes."""


def write_archive(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write an ``.npz`` file, compressed. Raises OSError when it cannot be written."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


@dataclass(frozen=True)
class Member:
    """What an archive says of one array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of the array without its header."""
        return math.prod(self.shape) * self.dtype.itemsize


class Archive:
    """An ``.npz`` file, opened. Raises InputError as soon as something in it is not what a run's archive has."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(read_regular(path)))
            self.members = self._announced()
        except UNREADABLE as error:
            raise self._refuse(error) from None

    def _announced(self) -> dict[str, Member]:
        infos = self._zip.infolist()
        names = [info.filename.removesuffix(".npy") for info in infos]
        if len(infos) > MOST_MEMBERS or len(set(names)) < len(names):
            raise ValueError(f"{len(infos)} arrays, some of one name")
        found = {}
        for name, info in zip(names, infos, strict=True):
            with self._zip.open(info) as file:
                member = _header(io.BytesIO(file.read(HEADER)))
            if not 0 <= info.file_size - member.nbytes <= HEADER or member.dtype.kind not in "biuf":
                raise ValueError(f"{name[:60]} says {member.dtype} {member.shape} in {info.file_size} bytes")
            found[name] = member
        return found

    def require(self, shapes: Mapping[str, tuple[int, ...]], optional: Collection[str] = ()) -> None:
        """Raise InputError unless the archive has just these arrays, of these shapes; ``optional`` may be missing."""
        missing = [name for name in shapes if name not in self.members and name not in optional]
        foreign = sorted(set(self.members) - set(shapes))
        if missing or foreign:
            what = f"no array named {missing[0]}" if missing else f"an array named {foreign[0][:60]!a}"
            raise self._refuse(ValueError(what))
        for name, member in self.members.items():
            if member.shape != tuple(shapes[name]):
                raise self._refuse(ValueError(f"{name} has shape {member.shape}, not {tuple(shapes[name])}"))

    def read(self) -> dict[str, Array]:
        """All arrays by name. Raises InputError when they are too large or not what their headers say."""
        try:
            size = sum(member.nbytes for member in self.members.values())
            if size > MOST_BYTES * 8:
                raise ValueError(f"{size} bytes of arrays")
            found = {}
            for name, member in self.members.items():
                with self._zip.open(f"{name}.npy") as file:
                    content = file.read()
                array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
                if array.shape != member.shape or array.dtype != member.dtype:
                    raise ValueError(f"{name[:60]} is not what it says")
                found[name] = array
        except UNREADABLE as error:
            raise self._refuse(error) from None
        return found

    def _refuse(self, error: Exception) -> InputError:
        found = f"{type(error).__name__}: {ascii(str(error))[1:-1]}"[:200]
        return InputError(found, where=self.name, expected="the arrays that expost wrote")


def _header(file: io.BytesIO) -> Member:
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"an array of format {version}")
    shape, _, dtype = readers[version](file)
    if (
        any(isinstance(size, bool) or not isinstance(size, int) or size < 0 for size in shape)
        or dtype.hasobject
    ):
        raise ValueError("a header that is none")
    return Member(tuple(shape), dtype)
