"""Say what is wrong in a config: what was received, what is allowed, the nearest right name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from tidenhance.errors import did_you_mean
from tidenhance.strict_yaml import Key, short

Report = Callable[[Key, str], None]
Schema = dict[str, Any]

# A hostile file of a megabyte could hold so many mistakes that finding words for all takes hours.
MOST = 100

_NOUNS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
}
_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "of at least",
    "exclusiveMaximum": "below",
    "maximum": "of at most",
    "multipleOf": "a multiple of",
    "minItems": "of at least",
    "maxItems": "of at most",
}


def report_all(
    error: ValidationError, schema: Schema, report: Report, prefix: Key = (), owner: str = ""
) -> None:
    """Report each mistake, the first `MOST` and one, with what `schema` allows in its place.

    Args:
        error: what pydantic found.
        schema: the JSON schema of what was validated.
        report: called with each mistake's key and message.
        prefix: the key of what was validated.
        owner: what takes the keys at the top of it, as in `network 'mirnet' takes`.
    """
    for problem in error.errors()[: MOST + 1]:
        location, received = problem["loc"], f"Received: {shown(problem['input'])}."
        if problem["type"] == "extra_forbidden":
            _, section = _at(schema, location[:-1])
            keys = [
                key for found in _variants(section, schema) for key in found.get("properties", ())
            ]
            here = owner if owner and len(location) == 1 else "allowed here"
            message = f"unknown key; {here}: {', '.join(keys) or 'nothing'}."
            report((*prefix, *location), message + did_you_mean(str(location[-1]), keys))
            continue
        key, entry = _at(schema, location)
        if problem["type"] == "missing":
            message = f"required, but not given: expected {_expected(entry, schema)}."
        elif problem["type"] == "value_error":
            message = f"{problem['ctx']['error']}. {received}"
        else:
            message = f"expected {_expected(entry, schema)}. {received}"
            choices = [str(c) for v in _variants(entry, schema) for c in v.get("enum", ())]
            message += did_you_mean(str(problem["input"]), choices)
        report((*prefix, *key), message)


def one_of(names: Sequence[str], received: Any) -> str:
    """Return which names are allowed, what was received (None: nothing), and the nearest name."""
    given = "" if received is None else f" Received: {shown(received)}."
    return f"expected one of {', '.join(names)}.{given}{did_you_mean(str(received), names)}"


def shown(value: Any) -> str:
    """Return a value as YAML writes it, on one line, cut where it is long."""
    try:
        text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return short(text)


def _at(schema: Schema, location: Sequence[str | int]) -> tuple[Key, Schema]:
    """Return the part of a JSON schema that describes a place in the data, and its key.

    Of a location that pydantic made longer than the data is deep (it names a union's members),
    the key holds only what stands in the data.
    """
    key: Key = ()
    entry = schema
    for part in location:
        inside = [
            found["items"] if isinstance(part, int) else found["properties"][part]
            for found in _variants(entry, schema)
            if part in found.get("properties", ()) or (isinstance(part, int) and "items" in found)
        ]
        if inside:
            key, entry = (*key, part), inside[0]
    return key, entry


def _variants(entry: Schema, root: Schema) -> list[Schema]:
    """Return the schemas that an entry is one of, with references followed."""
    if "$ref" in entry:
        return _variants(root["$defs"][entry["$ref"].rpartition("/")[2]], root)
    if "anyOf" in entry:
        return [found for choice in entry["anyOf"] for found in _variants(choice, root)]
    return [entry]


def _expected(entry: Schema, root: Schema) -> str:
    """Return in words what a JSON schema allows."""
    texts = []
    for found in _variants(entry, root):
        bounds = " and ".join(
            f"{word} {found[key]}" for key, word in _BOUNDS.items() if key in found
        )
        text = f"{_NOUNS.get(found.get('type', ''), 'a value')} {bounds}".strip()
        if "minimum" in found and "maximum" in found:
            text = f"{_NOUNS[found['type']]} from {found['minimum']} to {found['maximum']}"
            if "multipleOf" in found:
                text += f" and {_BOUNDS['multipleOf']} {found['multipleOf']}"
        if "enum" in found or "const" in found:
            text = f"one of {', '.join(map(str, found.get('enum', [found.get('const')])))}"
        elif found.get("type") == "object":
            more = ["…"] if found.get("additionalProperties") else []
            text = f"keys and values ({', '.join([*found.get('properties', ()), *more])})"
        elif found.get("type") == "array":
            text += f", each {_expected(found.get('items', {}), root)}"
        texts.append(text)
    return ", or ".join(texts)
