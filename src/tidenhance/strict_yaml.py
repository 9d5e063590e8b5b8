"""YAML without surprises: every key once, no aliases, no tags, `1e-4` a number, `on` a word."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tidenhance.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_DEPTH = 20

Key = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's core schema in place of YAML 1.1's."""


_Loader.yaml_implicit_resolvers = {}

for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
    )


def parse(text: str, source: str) -> tuple[Any, dict[Key, int]]:
    """Return the data in a YAML text, and the line (from 1) on which each key's entry begins.

    Args:
        text: one YAML document.
        source: what to call it in errors, a file's name as a rule.

    Raises:
        ConfigError: the text is too large or not YAML, or has duplicate keys, keys that are not
            words, aliases, tags or more than one document; every such place is listed.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigError(f"{source}: expected at most {MAX_BYTES:,} bytes of YAML.")
    try:
        _refuse_aliases_and_depth(text, source)
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            problems: list[str] = []
            lines: dict[Key, int] = {}
            data = _construct(loader, root, (), lines, problems, source)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = f"{error.problem or ''} {error.context or ''}".strip()
        raise ConfigError(f"{source}:{line}: not valid YAML: {problem}.") from error
    except (yaml.YAMLError, ValueError) as error:
        problem = str(error).partition("\n")[0]
        raise ConfigError(f"{source}: not valid YAML: {problem}.") from error
    if problems:
        raise ConfigError("\n".join(problems))
    return data, lines


def _refuse_aliases_and_depth(text: str, source: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(
                f"{source}:{line}: aliases are not allowed. Received: *{event.anchor}."
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise ConfigError(f"{source}:{line}: nested more than {MAX_DEPTH} levels deep.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _construct(
    loader: yaml.SafeLoader,
    node: yaml.Node | None,
    key: Key,
    lines: dict[Key, int],
    problems: list[str],
    source: str,
) -> Any:
    if node is None:
        return None
    line = node.start_mark.line + 1
    lines.setdefault(key, line)
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            name = key_node.value
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                problems.append(f"{source}:{line}: expected a word as the key.")
                continue
            if name in mapping:
                first = lines[(*key, name)]
                dotted = ".".join(map(str, (*key, name)))
                problems.append(f"{source}:{line}: {dotted}: given already on line {first}.")
                continue
            lines[(*key, name)] = line
            mapping[name] = _construct(loader, value_node, (*key, name), lines, problems, source)
        return mapping
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [
            _construct(loader, item, (*key, index), lines, problems, source)
            for index, item in enumerate(node.value)
        ]
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if not isinstance(node, yaml.ScalarNode) or kind not in ("bool", "null", "int", "float", "str"):
        problems.append(f"{source}:{line}: tags are not allowed. Received: {node.tag}.")
        return None
    if kind == "int":
        return int(node.value)
    if kind == "float":
        return loader.construct_yaml_float(node)
    return loader.construct_object(node)
