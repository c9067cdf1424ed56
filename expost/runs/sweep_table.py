"""The table of a sweep: its file, and the journal beside it to which cases are written as they end."""

from __future__ import annotations

import json
import os
from io import BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expost.errors import InputError
from expost.files import claim_file, claim_place, is_folder, read_regular, write_whole
from expost.runs.sweep_case import Case

if TYPE_CHECKING:
    import pandas as pd

LAST = ("error", "seconds", "case")
"""The last columns of the table."""
SUFFIXES = (".csv", ".parquet")


class Journal:
    """Finished rows by key: those of the output file and of an interrupted sweep, and those of this one."""

    def __init__(self, out: Path | None, keys: set[str]) -> None:
        self.path = None if out is None else out.with_name(f".{out.name}.cases.jsonl")
        self.done: dict[str, dict[str, Any]] = {}
        self.file: FileIO | None = None
        if out is not None and self.path is not None:
            for row in [*_written(out), *_journalled(self.path)]:
                self.done[row["case"]] = row
            strange = set(self.done) - keys
            if strange:
                raise InputError(
                    f"{out} holds {len(strange)} cases of another study",
                    where="out",
                    expected="a new file, or the table of the same study",
                    remedy="name another file, or ask for these cases too",
                )

    def has(self, case: Case) -> bool:
        """Whether there is nothing left to do about a case."""
        row = self.done.get(case.key)
        return row is not None and (bool(row.get("error")) or not case.missing)

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row. Raises InputError when the disk does not take it."""
        self.done[row["case"]] = row
        if self.path is None:
            return
        try:
            if self.file is None:
                self.file = self._opened(self.path)
            _append(self.file, json.dumps(row).encode() + b"\n")
        except OSError as error:
            raise InputError(
                f"cannot be written: {error.strerror}",
                where="out",
                expected="room for the table",
                remedy="what was written is kept: the same sweep goes on from there",
            ) from None

    @staticmethod
    def _opened(path: Path) -> FileIO:
        """The journal, to be appended to without a buffer; a line that a kill or a full disk cut short is ended."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+", buffering=0)
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                _append(file, b"\n")
        return file

    def close(self) -> None:
        """Close the journal; what it holds stays."""
        if self.file is not None:
            self.file.close()

    def remove(self) -> None:
        """The table is written: the journal has served."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """The table with what says how it went behind all figures, also where the first case has none."""
    last = [name for name in LAST if name in table.columns]
    return table[[name for name in table.columns if name not in last] + last]


def _append(file: FileIO, line: bytes) -> None:
    """Write all of a line. Raises OSError when there is no room for it."""
    while line:
        line = line[file.write(line) :]


def _journalled(path: Path) -> list[dict[str, Any]]:
    """The whole rows of a journal; a line that a kill cut short is left out."""
    rows = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
    return [row for row in rows if isinstance(row, dict) and "case" in row]


def _written(out: Path) -> list[dict[str, Any]]:
    """The rows of the table in ``out``, none where there is no such file."""
    if not out.exists():
        return []
    table = read_table(out)
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [
        {str(name): value for name, value in row.items()} | {"error": row.get("error") or ""} for row in rows
    ]


def read_table(path: Path, where: str = "out") -> pd.DataFrame:
    """The table that a sweep wrote, .csv or .parquet. Raises InputError when it is no sweep's."""
    import pandas as pd

    try:
        content = read_regular(path)
        table = pd.read_parquet(BytesIO(content)) if path.suffix == ".parquet" else csv_table(content)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(
            f"{path}: {error}"[:160], where=where, expected="a new file, or a sweep's table"
        ) from None
    if "case" not in table.columns:
        raise InputError(
            f"{path} is no sweep's table", where=where, expected="a new file, or a sweep's table"
        )
    return table


def csv_table(content: bytes) -> pd.DataFrame:
    """A CSV file's table, every digit as it was written: from pandas 3.1 on that is how it reads."""
    import pandas as pd

    new = tuple(int(part) for part in pd.__version__.split(".")[:2]) >= (3, 1)
    return pd.read_csv(BytesIO(content), **({} if new else {"float_precision": "round_trip"}))


def write_table(table: pd.DataFrame, out: Path) -> None:
    """Write a table as .csv or .parquet, at once. Raises InputError for another suffix or an unwritable place."""
    claim_file(out, suffixes=SUFFIXES)
    write_whole(out, _encoded(table, out.suffix), where="out")


def claim_table(out: Path) -> None:
    """Raise InputError unless a table can be written at ``out``, whose folder is made if need be."""
    claim_place(out.parent, where="out")
    if is_folder(out.parent):
        claim_file(out, suffixes=SUFFIXES)


def _encoded(table: pd.DataFrame, suffix: str) -> bytes:
    if suffix == ".csv":
        return table.to_csv(index=False).encode()
    buffer = BytesIO()
    try:
        table.to_parquet(buffer, index=False)
    except ImportError:
        raise InputError(
            "no Parquet library",
            where="out",
            expected="pyarrow",
            remedy="install pyarrow, or name a .csv file",
        ) from None
    return buffer.getvalue()
