"""The shape of an instance file, as pydantic models: every error of a file with its place.

Imported only when a file is read: pydantic costs a tenth of a second and more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from expost.errors import InputError
from expost.instances.priors import nearest
from expost.instances.valuations import as_valuation

_OUR_ERROR = "expost"
_EXPECTED = {
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "string_type": "text",
    "too_short": "at least one",
}


def _formula(value: Any) -> Any:
    """Formula text or a number, checked by the compiler of formulas itself."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _custom(f"{_shown(value)}", "formula text or a number")
    try:
        as_valuation(value, where="")
    except InputError as error:
        raise _custom(error.found, error.expected, error.remedy) from None
    return value


def _name(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise _custom(_shown(value), "a name to print")
    return value


def _custom(found: str, expected: str, remedy: str = "") -> PydanticCustomError:
    return PydanticCustomError(
        _OUR_ERROR, "refused", {"found": found, "expected": expected, "remedy": remedy}
    )


FormulaText = Annotated[Any, BeforeValidator(_formula)]
Name = Annotated[Any, BeforeValidator(_name)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SellerTable(_Strict):
    """``[seller]``."""

    value: FormulaText = "0"


class BuyerTable(_Strict):
    """One ``[[buyers]]``."""

    name: Name
    signals: list[Name] = Field(min_length=1)
    value: FormulaText
    externality: FormulaText = "0"
    stages: list[list[Name]] | None = None


class PriorTable(BaseModel):
    """One ``[priors.SIGNAL]``: the distribution, and its parameters under their own names."""

    model_config = ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, FormulaText] = Field(init=False)
    distribution: Name = "uniform"


class InstanceFile(_Strict):
    """A whole file."""

    name: Name
    citation: str = ""
    seller: SellerTable = SellerTable()
    buyers: list[BuyerTable] = Field(min_length=1)
    priors: dict[str, PriorTable] = Field(default_factory=dict)


def check_document(document: Mapping[str, Any], *, where: str) -> None:
    """Raise one InputError, the first problem and how many more there are, unless the shape is right."""
    try:
        InstanceFile.model_validate(document)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=True)
        first = _explained(problems[0], where)
        if len(problems) == 1:
            raise first from None
        more = f"(and {len(problems) - 1} more)"
        raise InputError(
            f"{first.found} {more}", where=first.where, expected=first.expected, remedy=first.remedy
        ) from None


def _explained(problem: ErrorDetails, where: str) -> InputError:
    place = [part for part in problem["loc"] if part != "[key]"]
    key = str(place[-1]) if place else ""
    if problem["type"] == "extra_forbidden":
        table, allowed = _table(place[:-1])
        expected = f"only {', '.join(allowed)}"
        return InputError(
            f"unknown key {key!r}",
            where=_joined(where, table),
            expected=expected,
            remedy=nearest(key, allowed),
        )
    if problem["type"] == "missing":
        return InputError(f"no key {key!r}", where=_joined(where, _table(place[:-1])[0]), expected="one")
    at = _joined(where, _path(place))
    if problem["type"] == _OUR_ERROR:
        said = problem["ctx"]
        return InputError(said["found"], where=at, expected=said["expected"], remedy=said["remedy"])
    expected = _EXPECTED.get(problem["type"], problem["msg"].removeprefix("Input should be "))
    return InputError(_shown(problem["input"]), where=at, expected=expected)


def _table(place: list[int | str]) -> tuple[str, list[str]]:
    """The table at this place, in words, with the keys that it may have."""
    if not place:
        return "top level", list(InstanceFile.model_fields)
    models: dict[int | str, type[BaseModel]] = {
        "seller": SellerTable,
        "buyers": BuyerTable,
        "priors": PriorTable,
    }
    return _path(place), list(models[place[0]].model_fields)


def _path(place: list[int | str]) -> str:
    """``buyers number 2: value`` for ("buyers", 1, "value"), ``priors.p1`` for ("priors", "p1")."""
    words = ""
    before: int | str | None = None
    for part in place:
        if isinstance(part, int):
            words += f" number {part + 1}"
        else:
            words += f"{_LINK[type(before)]}{part}"
        before = part
    return words


_LINK = {type(None): "", int: ": ", str: "."}


def _joined(*places: str) -> str:
    return ": ".join(place for place in places if place)


def _shown(value: Any) -> str:
    text = f"{value!a}"
    return text if len(text) <= 40 else text[:37] + "..."
