"""YAML without surprises."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tidenhance.errors import ConfigError
from tidenhance.strict_yaml import MAX_BYTES, MAX_DEPTH, dotted, dump, parse


def at(line: int) -> str:
    return f"f.yaml:{line}"


def value(text: str) -> Any:
    return parse(f"key: {text}", at)[0]["key"]


def message(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse(text, at)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-0", 0),
        ("+5", 5),
        ("010", 10),
        ("1e-4", 0.0001),
        ("1e4", 10000.0),
        ("1E+3", 1000.0),
        ("2.5e-3", 0.0025),
        ("-1e-4", -0.0001),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("1e999", math.inf),
    ],
)
def test_numbers(text, number):
    found = value(text)
    assert found == number
    assert type(found) is type(number)


def test_not_a_number():
    assert math.isnan(value(".nan"))


WORDS = """1_000 0x10 0o10 0b1 1:30 190:20:30 2001-12-14 2001-12-14T21:59:43Z on off yes no y n On
inf nan NaN . e5 1e 1e-4.5 1e4x 5px 1,000 none nil tRUE TRue = <<"""


def test_words():
    words = WORDS.split()
    assert [value(word) for word in words] == words


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("null", None),
        ("NULL", None),
        ("~", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("''", ""),
        ("|\n  1e4", "1e4"),
        ("[1, a, [~]]", [1, "a", [None]]),
        ("{a: {b: 1e-4}}", {"a": {"b": 1e-4}}),
        ('"\\u00e9"', "é"),
        ("é ü 漢 😀", "é ü 漢 😀"),
    ],
)
def test_other_values(text, data):
    assert value(text) == data
    assert type(value(text)) is type(data)


def test_keys_are_words_whatever_they_look_like():
    data, _ = parse("null: 1\n1e4: 2\ntrue: 3\n~: 4\n<<: {a: 5}", at)
    assert data == {"null": 1, "1e4": 2, "true": 3, "~": 4, "<<": {"a": 5}}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---", "---\n...\n"])
def test_nothing(text):
    assert parse(text, at)[0] is None


@pytest.mark.parametrize("text", ["a:\n  b:\n  c: 1", "a: {b: , c: 1}", "a:\n  b: # nothing"])
def test_a_key_without_a_value_says_neither_none_nor_the_defaults(text):
    assert message(text).endswith(
        ": a.b: nothing follows. Write null for none, or {} for the defaults of a section."
    )


def test_a_list_at_the_top():
    assert parse("- 1\n- 2", at)[0] == [1, 2]


def test_a_byte_order_mark_is_skipped():
    assert parse("\ufeffkey: 1", at)[0] == {"key": 1}


def test_the_place_of_each_key():
    _, places = parse("a:\n  b: 1\n  c:\n    - x\n    - {y: 2}\n\nd: ~\n", at)
    assert places == {
        (): "f.yaml:1",
        ("a",): "f.yaml:1",
        ("a", "b"): "f.yaml:2",
        ("a", "c"): "f.yaml:3",
        ("a", "c", 0): "f.yaml:4",
        ("a", "c", 1): "f.yaml:5",
        ("a", "c", 1, "y"): "f.yaml:5",
        ("d",): "f.yaml:7",
    }


def test_duplicate_keys_are_all_listed_with_both_places():
    assert message("a: 1\nb: {c: 1}\na: 2\n'b': 3\n") == (
        "f.yaml:3: a: given twice; first at f.yaml:1.\nf.yaml:4: b: given twice; first at f.yaml:2."
    )
    assert message("a: {b: 1, b: 2}") == "f.yaml:1: a.b: given twice."


def test_aliases_anchors_and_tags_are_all_listed():
    text = (
        "a: &one 1\nb: *one\nc: *two\nd: !!python/object:os.system {}\ne: !!binary aGk=\nf: ! x\n"
    )
    assert message(text).splitlines() == [
        "f.yaml:1: anchors are not allowed. Received: &one.",
        "f.yaml:2: aliases are not allowed. Received: *one.",
        "f.yaml:3: aliases are not allowed. Received: *two.",
        "f.yaml:4: tags are not allowed. Received: !!python/object:os.system.",
        "f.yaml:5: tags are not allowed. Received: !!binary.",
        "f.yaml:6: tags are not allowed. Received: !.",
    ]


@pytest.mark.parametrize("tag", ["!!str", "!!int", "!!float", "!!null", "!!set", "!!map", "!own"])
def test_no_tag_is_allowed(tag):
    assert f"f.yaml:2: tags are not allowed. Received: {tag}." in message(f"a: 1\nb: {tag} 5")


@pytest.mark.parametrize(
    "text",
    [
        "a: !%1b[31m 5",
        "a: !<%0a> 5",
        f"a: &{'x' * 500} 5",
        f"a: *{'x' * 500}",
        f"a: !{'x' * 500} 5",
    ],
)
def test_what_is_refused_is_shown_short_and_printable(text):
    found = message(text)
    assert found.isprintable()
    assert len(found) < 150


def test_a_billion_laughs():
    lines = ["a0: &a0 [ha, ha]"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)
    ]
    assert "f.yaml:2: aliases are not allowed. Received: *a0." in message("\n".join(lines))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{a: "])
def test_nesting_is_limited(opening):
    assert f"more than {MAX_DEPTH} levels deep" in message(opening * 100)


def test_nesting_up_to_the_limit():
    deep = "[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1)
    assert parse(deep, at)[0] is not None


def test_size_is_limited():
    assert message("a: " + "x" * MAX_BYTES) == "f.yaml:1: expected at most 1,000,000 bytes of YAML."
    assert message("é" * (MAX_BYTES // 2 + 1)).endswith("bytes of YAML.")
    assert parse("#" * MAX_BYTES, at)[0] is None


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\nb: [1, 2", 2, "expected ',' or ']'"),
        ("a: 1\n\tb: 2", 2, r"found character '\t'"),
        ("a: 1\n b: 2", 2, "mapping values are not allowed here"),
        ("a: 1\nb", 2, "could not find expected ':'"),
        ("a: b: c", 1, "mapping values are not allowed here"),
        ("a: 'b", 1, "unexpected end of stream"),
        ("a: @b", 1, "cannot start any token"),
        ("a: 1\n---\nb: 2", 2, "expected a single document"),
        ("%YAML 2.0\n---\na: 1", 1, "version 1.* is required"),
        ("a: 1\nb: \x00", 2, "U+0000"),
        ("a: 1\n\nb: \x1b[0m", 3, "U+001B"),
        ("a: \ud800", 1, "U+D800"),
        ('a: "\\UFFFFFFFF"', 1, "not valid YAML"),
        ('a: "\\q"', 1, "unknown escape character"),
        ("a: 1\n? [b]\n: 2", 2, "expected a word as the key"),
        ("a: 1\n{b: 1}: 2", 2, "expected a word as the key"),
        ("a: 1\nb: " + "9" * 5000, 2, "b: a number of 5000 digits"),
        ("%YAML 1." + "1" * 5000 + "\n---\n", 1, "not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, line, part):
    found = message(text)
    assert found.startswith(f"f.yaml:{line}: ")
    assert part in found
    assert "\n" not in found


def test_dotted_keys():
    assert dotted(("data", "types", 3)) == "data.types.3"
    assert dotted(("a\nb", "c")) == r"'a\nb'.c"
    assert dotted(("x" * 81, "c")) == "x" * 77 + "....c"


def outcome(text: str) -> tuple[Any, dict[Any, str], list[str]]:
    try:
        return *parse(text, at), []
    except ConfigError as error:
        return None, {}, str(error).split("\n")


MARKS = """a b : - ? [ ] { } , & * ! | > ' " \\ % # ~ @ ` 0 1 9 . e _ + = << --- ... !! &x *x é
null true 1e4 %YAML %TAG \\x \\u12 \\U"""
SPACES = [" ", "  ", "\n", "\n  ", "\t", ": ", "- ", "\r", "\x85", "\u2028", "\ufeff", "\x00"]
YAML_PIECES = st.lists(st.sampled_from([*MARKS.split(), *SPACES])).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), YAML_PIECES, st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_any_text_gives_data_or_one_error_with_places(text):
    data, places, problems = outcome(text)
    assert all(line.startswith("f.yaml:") for line in problems)
    assert problems or data is None or places[()]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.sampled_from(["1e-4", "08", "1_000", "0x10", "on", "~", "2001-12-14", "<<", "", "1e5", "="]),
)
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@settings(max_examples=300, deadline=None)
@given(DATA)
def test_what_is_dumped_is_read_back(data):
    found, _, problems = outcome(dump(data))
    assert not problems
    assert repr(found) == repr(data)


def test_one_list_in_two_places_is_dumped_twice():
    one = [1, 2]
    assert "&" not in dump({"a": one, "b": one})


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.integers() | st.booleans() | st.from_regex(r"[b-d]{1,5}", fullmatch=True),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner),
    )
)
def test_plain_data_is_read_as_pyyaml_reads_it(data):
    text = yaml.safe_dump(data)
    if "&" not in text:
        assert parse(text, at)[0] == yaml.safe_load(text)
