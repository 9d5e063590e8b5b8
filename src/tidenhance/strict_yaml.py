"""YAML without surprises: every key once, no aliases, no tags, `1e-4` a number, `on` a word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from tidenhance.errors import ConfigError, printable

MAX_BYTES = 1_000_000
MAX_DEPTH = 20

Key = tuple[str | int, ...]
At = Callable[[int], str]

_TAG = "tag:yaml.org,2002:"
_SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which notes aliases, anchors and tags instead of following them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.refused: list[tuple[int, str]] = []
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        start, end = event.start_mark, event.end_mark
        line = start.line + 1
        if isinstance(event, yaml.AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]
            self.refused.append(
                (line, f"aliases are not allowed. Received: *{short(event.anchor)}.")
            )
            return yaml.ScalarNode(f"{_TAG}null", "null", start, end)
        if event.anchor is not None:
            self.refused.append(
                (line, f"anchors are not allowed. Received: &{short(event.anchor)}.")
            )
            event.anchor = None
        if event.tag is not None:
            shown = short(event.tag.replace(_TAG, "!!"))
            self.refused.append((line, f"tags are not allowed. Received: {shown}."))
            event.tag = None
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"nested more than {MAX_DEPTH} levels deep", problem_mark=start
            )
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper without anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # Unquoted, PyYAML writes rare line breaks (U+0085, U+2028) as if they were spaces.
        style = None if data.isprintable() else '"'
        return self.represent_scalar(f"{_TAG}str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)


# YAML 1.2's core schema, octal and hexadecimal numbers left out, in place of YAML 1.1's.
for _class in (_Loader, _Dumper):
    _class.yaml_implicit_resolvers = {}
    for _kind, _pattern, _first in _SCALARS:
        _class.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), list(_first))


def parse(text: str, at: At, problems: list[str] | None = None) -> tuple[Any, dict[Key, str]]:
    """Return the data in a YAML text, and the place where each key's entry begins.

    Args:
        text: one YAML document.
        at: returns the name of a place, as in `config.yaml:12`, from a line number (from 1).
        problems: if given, what is refused in a text that is YAML is added here and not raised, so
            that a caller can list it with what else it finds.

    Raises:
        ConfigError: the text is too large or not YAML, or has duplicate keys, keys that are not
            words, aliases, anchors or tags; of those every one is listed.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigError(f"{at(1)}: expected at most {MAX_BYTES:,} bytes of YAML.")
    refused: list[str] = []
    places: dict[Key, str] = {}
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        except (ValueError, OverflowError) as error:  # of chr and int: "\\U00110000"
            raise ConfigError(f"{at(loader.line + 1)}: not valid YAML: {error}.") from error
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(
            f"{at(mark.line + 1 if mark else 1)}: not valid YAML: {problem}."
        ) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{at(line)}: not text: the character U+{error.character:04X} is not allowed."
        ) from error
    refused += [f"{at(line)}: {problem}" for line, problem in loader.refused]
    data = None if root is None else _construct(loader, root, (), places, refused, at)
    if problems is not None:
        problems += refused
    elif refused:
        raise ConfigError("\n".join(refused))
    return data, places


def dump(data: Any) -> str:
    """Return data (dictionaries, lists, strings, numbers, None) as YAML that `parse` reads back."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def dotted(key: Key) -> str:
    """Return a key as it is written in `KEY=VALUE`, as in `training.epochs`."""
    return ".".join(short(part if part.isprintable() else repr(part)) for part in map(str, key))


def leaves(data: Mapping[Any, Any]) -> Iterator[tuple[Key, Any]]:
    """Yield the keys and values of all that is no section, and of sections without anything."""
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from (((name, *rest), leaf) for rest, leaf in leaves(value))
        else:
            yield (name,), value


def short(text: object) -> str:
    """Return text on one line, cut where it is long."""
    line = printable(text)
    return line if len(line) <= 80 else line[:77] + "..."


def _is_blank(node: yaml.Node) -> bool:
    return node.tag == f"{_TAG}null" and node.value == ""


def _construct(
    loader: _Loader, node: yaml.Node, key: Key, places: dict[Key, str], problems: list[str], at: At
) -> Any:
    place = places.setdefault(key, at(node.start_mark.line + 1))
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = at(key_node.start_mark.line + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                problems.append(f"{place}: expected a word as the key.")
                continue
            name = key_node.value
            inner = (*key, name)
            if name in mapping:
                first = "" if places[inner] == place else f"; first at {places[inner]}"
                problems.append(f"{place}: {dotted(inner)}: given twice{first}.")
                continue
            places[inner] = place
            if _is_blank(value_node):
                problems.append(
                    f"{place}: {dotted(inner)}: nothing follows. Write null for none, or {{}} for"
                    " the defaults of a section."
                )
            mapping[name] = _construct(loader, value_node, inner, places, problems, at)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [
            _construct(loader, item, (*key, index), places, problems, at)
            for index, item in enumerate(node.value)
        ]
    if node.tag == f"{_TAG}int":
        try:
            return int(node.value)
        except ValueError:  # Python's limit on digits
            problems.append(f"{place}: {dotted(key)}: a number of {len(node.value)} digits.")
            return None
    if node.tag == f"{_TAG}float":
        return float(re.sub(r"\.(inf|nan)", r"\1", node.value.lower()))
    return loader.construct_object(node)
