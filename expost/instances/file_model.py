"""The shape of an instance file, as pydantic models: every error of a file with its place.

Imported only when a file is read: pydantic costs a tenth of a second and more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from expost.errors import InputError
from expost.instances.parameters import is_parameter
from expost.instances.valuations import as_valuation
from expost.instances.words import LONGEST_NAME, is_printable_name, nearest

_OUR_ERROR = "expost"
_KINDS = {
    "[key]",
    "str",
    "list[function-before[_number(), any]]",
    "dict[str,function-before[_formula(), any]]",
}
"""What pydantic adds to the place of a problem: that it is a key, and which kind of a union it speaks of."""
_EXPECTED = {
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "string_type": "text",
    "too_short": "at least one",
    "int_type": "a positive whole number",
    "greater_than_equal": "a positive whole number",
}


def _formula(value: Any, info: ValidationInfo) -> Any:
    """Formula text or a number, checked by the compiler of formulas itself."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _custom(f"{_shown(value)}", "formula text or a number")
    try:
        as_valuation(value, where="", parameters=info.context or {})
    except InputError as error:
        raise _custom(error.found, error.expected, error.remedy) from None
    return value


def _name(value: Any) -> Any:
    if not is_printable_name(value):
        raise _custom(_shown(value), f"a name to print, of at most {LONGEST_NAME} characters")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _custom(_shown(value), "a number")
    return value


def _custom(found: str, expected: str, remedy: str = "") -> PydanticCustomError:
    return PydanticCustomError(
        _OUR_ERROR, "refused", {"found": found, "expected": expected, "remedy": remedy}
    )


FormulaText = Annotated[Any, BeforeValidator(_formula)]
Name = Annotated[Any, BeforeValidator(_name)]
Number = Annotated[Any, BeforeValidator(_number)]


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
    loses_to: dict[str, FormulaText] = Field(default_factory=dict)


class PriorTable(BaseModel):
    """One ``[priors.SIGNAL]``: the distribution, and its parameters under their own names, or its data."""

    model_config = ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, FormulaText] = Field(init=False)
    distribution: Name = "uniform"
    values: list[Number] | None = None
    weights: list[Number] | None = None
    sample: list[Number] | None = None
    file: str | None = None
    column: str | None = None


class JointTable(_Strict):
    """``[joint]``."""

    density: FormulaText


class InstanceFile(_Strict):
    """A whole file; ``description`` is the catalogue's line about it."""

    name: Name
    citation: str = ""
    description: str = ""
    units: Annotated[int, Field(ge=1)] = 1
    parameters: dict[str, Number] = Field(default_factory=dict)
    seller: SellerTable = SellerTable()
    buyers: list[BuyerTable] = Field(min_length=1)
    priors: dict[str, PriorTable] = Field(default_factory=dict)
    joint: JointTable | None = None


class ItemsBuyerTable(_Strict):
    """One ``[[buyers]]`` of several items; ``stages`` and ``timing`` are known so that they can be refused by name."""

    name: Name
    signals: list[Name] = Field(min_length=1)
    values: dict[str, FormulaText]
    bundles: list[Number] | dict[str, FormulaText] | str = "additive"
    stages: Any = None
    timing: Any = None


class ItemsFile(_Strict):
    """A whole file of several items."""

    name: Name = "items"
    items: list[Name] = Field(min_length=1)
    citation: str = ""
    description: str = ""
    parameters: dict[str, Number] = Field(default_factory=dict)
    buyers: list[ItemsBuyerTable] = Field(min_length=1)


Shape: TypeAlias = type[InstanceFile] | type[ItemsFile]


def check_document(
    document: Mapping[str, Any],
    *,
    where: str,
    parameters: Mapping[str, float] | None = None,
    shape: Shape = InstanceFile,
) -> None:
    """Raise one InputError, the first problem and how many more there are, unless the shape is right.

    parameters: values in place of the document's own, with which its formulas are checked. shape: of which kind.
    """
    if shape is InstanceFile and "items" in document:
        raise InputError(
            "an instance of several items",
            where=where or "items",
            expected="one item: several have static timing and a command of their own",
            remedy="ask items (expost items) instead",
        )
    own = document.get("parameters")
    given = {**(own if isinstance(own, dict) else {}), **(parameters or {})}
    numbers = {name: float(x) for name, x in given.items() if is_parameter(x)}
    try:
        shape.model_validate(document, context=numbers)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=True)
        first = _explained(problems[0], where, shape)
        if len(problems) == 1:
            raise first from None
        more = f"(and {len(problems) - 1} more)"
        raise InputError(
            f"{first.found} {more}", where=first.where, expected=first.expected, remedy=first.remedy
        ) from None


def _explained(problem: ErrorDetails, where: str, shape: Shape) -> InputError:
    place = [part for part in problem["loc"] if part not in _KINDS]
    key = str(place[-1]) if place else ""
    if problem["type"] == "extra_forbidden":
        table, allowed = _table(place[:-1], shape)
        expected = f"only {', '.join(allowed)}"
        return InputError(
            f"unknown key {_shown(key)}",
            where=_joined(where, table),
            expected=expected,
            remedy=nearest(key, allowed),
        )
    if problem["type"] == "missing":
        return InputError(
            f"no key {key!r}", where=_joined(where, _table(place[:-1], shape)[0]), expected="one"
        )
    at = _joined(where, _path(place))
    if problem["type"] == _OUR_ERROR:
        said = problem["ctx"]
        return InputError(said["found"], where=at, expected=said["expected"], remedy=said["remedy"])
    expected = _EXPECTED.get(problem["type"], problem["msg"].removeprefix("Input should be "))
    return InputError(_shown(problem["input"]), where=at, expected=expected)


def _table(place: list[int | str], shape: Shape) -> tuple[str, list[str]]:
    """The table at this place, in words, with the keys that it may have."""
    if not place:
        return "top level", list(shape.model_fields)
    models: dict[int | str, type[BaseModel]] = {
        "seller": SellerTable,
        "buyers": BuyerTable if shape is InstanceFile else ItemsBuyerTable,
        "priors": PriorTable,
        "joint": JointTable,
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
            words += f"{_LINK[type(before)]}{_brief(part)}"
        before = part
    return words


_LINK = {type(None): "", int: ": ", str: "."}


def _joined(*places: str) -> str:
    return ": ".join(place for place in places if place)


def _shown(value: Any) -> str:
    return _brief(f"{value!a}")


def _brief(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
