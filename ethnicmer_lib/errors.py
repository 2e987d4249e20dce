"""The one kind of error a reader is meant to act on; what a reader may give, and how anything else is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class StudyError(Exception):
    """Something in the input is wrong; the message names the clip or file, the value, and the fix."""


def check_name(what: str, value: str, allowed: Collection[str]) -> None:
    """StudyError unless a value is one of the names that are allowed."""
    if value not in allowed:
        raise StudyError(f"{what}={value!r} is unknown; allowed: {', '.join(allowed)}")


def checked(model: type[Model], values: Mapping[str, Any]) -> Model:
    """``values`` as a model; StudyError with every name or value that is wrong, and the allowed ones."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise StudyError(refusals(error, model.model_json_schema())) from None


def refusals(error: ValidationError, schema: Mapping[str, Any]) -> str:
    """What pydantic has refused, in one line; for an unknown name those that the JSON schema has in its place."""
    said: dict[str, str] = {}
    for problem in error.errors():
        where = [str(part) for part in problem["loc"]]
        if where[0] == "source":  # then comes its kind, which is no name
            del where[1:2]
        if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            allowed = _names(schema, problem["loc"][:-1])
            close = "".join(f" Did you mean {known}?" for known in get_close_matches(where[-1], allowed, n=1))
            name = ".".join(where)
            said[name] = f"unknown parameter {name}.{close} Allowed: {', '.join(allowed)}"
            if kinds := _kinds_with(schema, problem["loc"]):
                said[name] += (
                    f"; {name} is of sources {', '.join(kinds)}, and this one is {problem['loc'][1]}"
                )
        else:  # of several types each says what it takes; what is no identifier names the type
            name = ".".join(filter(str.isidentifier, where))
            start = f"{said[name]}, or: " if name in said else f"{name}={problem['input']!r} is refused: "
            said[name] = start + problem["msg"]
    return "; ".join(said.values())


def _kinds_with(schema: Mapping[str, Any], place: Sequence[str | int]) -> list[str]:
    """The other kinds of a tagged union that have the name at the end of a place; none where it is no union."""
    field = schema.get("properties", {}).get(place[0], {}) if len(place) == 3 else {}
    kinds = field.get("discriminator", {}).get("mapping", {})
    return [kind for kind in kinds if kind != place[1] and place[2] in _names(schema, (place[0], kind))]


def _names(schema: Mapping[str, Any], place: Iterable[str | int]) -> list[str]:
    """The names at a place of a JSON schema; a place is where pydantic says that an error is."""
    found: Any = schema
    for part in place:
        found = (
            found["properties"][part] if "properties" in found else found["discriminator"]["mapping"][part]
        )
        link = found if isinstance(found, str) else found.get("$ref")
        found = schema["$defs"][link.rpartition("/")[2]] if link else found
    return [name for name in found["properties"] if name != "kind"]
