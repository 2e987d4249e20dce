"""The one kind of error a reader is meant to act on; what a reader may give, and how anything else is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
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
        raise StudyError(refusals(error, list(described(model)))) from None


def described(model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    """(kind of source that has it or '', name, allowed values, meaning); entries of mappings as ``recipe.epochs``."""
    schema = model.model_json_schema()
    yield from _entries(schema, schema.get("$defs", {}))


def refusals(error: ValidationError, allowed: list[tuple[str, str, str, str]]) -> str:
    """What pydantic has refused, in one line; ``allowed`` as of :func:`described`."""
    said: dict[str, str] = {}
    for problem in error.errors():
        where = [str(part) for part in problem["loc"]]
        kind = where.pop(1) if where[0] == "source" and len(where) > 1 else ""
        words = {name: text for of, name, text, _ in allowed if of in ("", kind)}
        name = ".".join(where)
        if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            inside = [known.rpartition(".") for known in words]
            beside = [known for place, _, known in inside if place == name.rpartition(".")[0]]
            close = "".join(f" Did you mean {known}?" for known in get_close_matches(where[-1], beside, n=1))
            said[name] = f"unknown parameter {name}.{close} Allowed: {', '.join(beside)}"
            continue
        while name not in words and "." in name:  # what comes after says which of several types was tried
            name = name.rpartition(".")[0]
        text = f" Allowed: {words[name]}" if name in words else ""
        said.setdefault(name, f"{name}={problem['input']!r} is refused: {problem['msg']}.{text}")
    return "; ".join(said.values())


def _entries(
    schema: Mapping[str, Any], defs: Mapping[str, Any], inside: str = "", kind: str = ""
) -> Iterator[tuple[str, str, str, str]]:
    for name, about in schema.get("properties", {}).items():
        if name == "kind":
            continue
        meaning = about.get("description", "")
        yield kind, inside + name, _words(about, defs), f"{kind} only: {meaning}" if kind else meaning
        for option in about.get("oneOf", [about]):
            entries = _resolved(option, defs)
            of = entries.get("properties", {}).get("kind", {}).get("const", kind)
            yield from _entries(entries, defs, f"{inside}{name}.", of)


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    return defs[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _words(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """What values a parameter takes, in words."""
    schema = _resolved(schema, defs)
    if "discriminator" in schema:
        return f"a name, or entries of a {', '.join(schema['discriminator']['mapping'])} source"
    if "anyOf" in schema:
        return " or ".join(_words(option, defs) for option in schema["anyOf"])
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return ", ".join(map(repr, values))
    kind = schema.get("type", "value")
    if kind == "array":
        return f"a list of {_words(schema.get('items', {}), defs)}"
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        words = "a whole number" if kind == "integer" else "a number"
        words += "" if low is None or high is None else f" from {low} to {high}"
        return words + (f", a multiple of {schema['multipleOf']}" if "multipleOf" in schema else "")
    named = {"boolean": "True or False", "null": "None", "object": "entries by name"}
    return named.get(kind, "a path" if schema.get("format") == "path" else "text")
