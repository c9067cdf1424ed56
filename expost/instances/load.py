"""The one way from what a user names to an instance: a name of the catalogue, a path, or the instance itself."""

from __future__ import annotations

import os
from pathlib import Path

from expost.errors import InputError
from expost.instances import catalogue
from expost.instances.environment import Instance
from expost.instances.toml_file import read_instance
from expost.instances.words import nearest


def load(instance: str | os.PathLike[str] | Instance, **parameters: float) -> Instance:
    """The catalogue's instance of that name, the one in the TOML file at that path, or the instance given.

    A name of the catalogue comes before a file of the same name (``./jmmz`` is always a file).
    parameters: values in place of the instance's own: ``load("mine.toml", k=1.5)``.
    Raises InputError when there is neither, when the file is unusable, and for a parameter that it does not have.
    """
    if isinstance(instance, Instance):
        return instance.with_parameters(**parameters) if parameters else instance
    if not isinstance(instance, str | os.PathLike):
        raise InputError(
            f"an instance of type {type(instance).__name__}",
            where="instance",
            expected="an Instance, a name of the catalogue, or the path of a TOML file",
        )
    given = os.fspath(instance)
    known = catalogue.names()
    if isinstance(instance, str) and given in known:
        return catalogue.load(given, **parameters)
    if isinstance(instance, str) and not _looks_like_path(given):
        raise InputError(
            f"no instance {_short(given)} in the catalogue and no such file",
            where="instance",
            expected=f"one of {', '.join(known)}, or the path of a TOML file",
            remedy=nearest(given, list(known)),
        )
    return read_instance(instance, **parameters)


def _short(text: str) -> str:
    return f"{text!a}" if len(text) <= 60 else f"{text[:57] + '...'!a}"


def _looks_like_path(given: str) -> bool:
    return given.endswith(".toml") or "/" in given or os.sep in given or _exists(given)


def _exists(given: str) -> bool:
    try:
        return Path(given).exists()
    except (OSError, ValueError):  # too long for a name, null bytes
        return False
