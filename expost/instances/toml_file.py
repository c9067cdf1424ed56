"""Instance files: TOML in and out (the format is in ``docs/instances.md``)."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from expost.errors import InputError
from expost.files import write_whole
from expost.instances.documents import instance_from_document, instance_to_document
from expost.instances.environment import Instance

LARGEST_FILE = 4_000_000
"""Bytes that an instance file may have."""


def read_instance(path: str | os.PathLike[str], **parameters: float) -> Instance:
    """The instance in a TOML file, with the given parameters in place of its own.

    Raises InputError with one line for anything unusable about it.
    """
    file = Path(path)
    return instance_from_toml(read_document(file), where=str(path), folder=file.parent, parameters=parameters)


def instance_from_toml(
    text: str,
    *,
    where: str = "instance",
    folder: Path | None = None,
    parameters: Mapping[str, float] | None = None,
) -> Instance:
    """The instance that TOML text describes; ``where`` names the text in messages.

    folder: where relative paths of data files start. parameters: values in place of the text's own.
    Raises InputError for malformed TOML, unknown or missing keys, refused formulas, impossible priors,
    and names that do not fit together.
    """
    if not text.strip():
        raise InputError("nothing in it", where=where, expected="an instance: name and [[buyers]]")
    document = parse_document(text, where)
    from expost.instances.file_model import check_document

    check_document(document, where=where, parameters=parameters)
    try:
        return instance_from_document(document, parameters, folder)
    except InputError as error:
        place = f"{where}: {error.where}" if error.where else where
        raise InputError(error.found, where=place, expected=error.expected, remedy=error.remedy) from None


def parse_document(text: str, where: str) -> dict[str, Any]:
    """The tables of TOML text. Raises InputError, naming ``where``, for anything else."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError("tables nested too deeply", where=where, expected="an instance file") from None
    except ValueError as error:  # TOMLDecodeError, and what it lets through: dates, integers of 5,000 digits
        raise InputError(f"malformed TOML: {error}"[:300], where=where, expected="a TOML file") from None


def instance_to_toml(instance: Instance | str | os.PathLike[str]) -> str:
    """The TOML text that reads back as ``instance``. Raises InputError when a valuation is a callable."""
    import tomli_w

    from expost.instances.load import load

    text: str = tomli_w.dumps(instance_to_document(load(instance)))
    return text


def write_instance(instance: Instance | str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Write the instance's TOML file, at once: a killed write leaves the old file or none.

    Raises InputError when a valuation is a callable or the file cannot be written.
    """
    write_whole(Path(path), instance_to_toml(instance).encode(), where=str(path))


def read_document(path: Path) -> str:
    """The text of an instance file. Raises InputError unless it is a regular file of UTF-8 text and of a fit size."""
    try:
        if not path.exists():
            raise InputError("no such file", where=str(path), expected="a TOML file")
        if not path.is_file():
            raise InputError("not a file", where=str(path), expected="a TOML file")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {_reason(error)}", where=str(path)) from None
    if len(content) > LARGEST_FILE:
        raise InputError(f"more than {LARGEST_FILE} bytes", where=str(path), expected="an instance file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte {error.start + 1} is not UTF-8 text"
        raise InputError(found, where=str(path), expected="a TOML file") from None


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
