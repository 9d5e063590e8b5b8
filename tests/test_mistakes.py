"""What is wrong in a config, in words."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tidenhance.mistakes import one_of, report_all, shown


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    side: Literal["left", "right"] | None = None


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    union: int | list[int] = 1
    only: Literal["one"] = "one"
    inner: Inner | None = None
    many: list[Inner] = []
    few: Annotated[list[Annotated[float, Field(lt=2, multiple_of=0.5)]], Field(max_length=2)] = []
    anything: Any = None
    required: Annotated[int, Field(gt=-1, le=5)]


def reports(owner: str = "", **data: Any) -> list[tuple[str, str]]:
    found = []
    with pytest.raises(ValidationError) as error:
        Outer.model_validate({"required": 1, **data})
    report_all(
        error.value,
        Outer.model_json_schema(),
        lambda key, message: found.append((".".join(map(str, key)), message)),
        owner=owner,
    )
    return found


@pytest.mark.parametrize(
    ("key", "received", "place", "message"),
    [
        ("only", "two", "only", "expected one of one. Received: 'two'."),
        ("inner", 5, "inner", "expected keys and values (side), or null. Received: 5."),
        (
            "inner",
            {"side": "lft"},
            "inner.side",
            "expected one of left, right, or null. Received: 'lft'. Did you mean 'left'?",
        ),
        (
            "inner",
            {"sides": 1},
            "inner.sides",
            "unknown key; allowed here: side. Did you mean 'side'?",
        ),
        (
            "many",
            [{}, {"x": 1}],
            "many.1.x",
            "unknown key; allowed here: side.",
        ),
        ("few", [2.0], "few.0", "expected a number below 2 and a multiple of 0.5. Received: 2.0."),
        (
            "few",
            [1, 1, 1],
            "few",
            "expected a list of at most 2, each a number below 2 and a multiple of 0.5."
            " Received: [1, 1, 1].",
        ),
        (
            "required",
            6,
            "required",
            "expected a whole number above -1 and of at most 5. Received: 6.",
        ),
    ],
)
def test_what_is_allowed_is_said(key, received, place, message):
    assert reports(**{key: received}) == [(place, message)]


def test_of_a_union_every_member_is_said_at_the_place_in_the_data():
    expected = "expected a whole number, or a list, each a whole number. Received: 'x'."
    assert set(reports(union="x")) == {("union", expected)}
    assert ("union.0", "expected a whole number. Received: 'x'.") in reports(union=["x"])


def test_the_owner_of_unknown_keys():
    assert reports("it takes", x=1)[0][1].startswith("unknown key; it takes: union, only, ")


def test_what_is_missing():
    with pytest.raises(ValidationError) as error:
        Outer.model_validate({})
    found = []
    report_all(error.value, Outer.model_json_schema(), lambda *line: found.append(line))
    expected = "required, but not given: expected a whole number above -1 and of at most 5."
    assert found == [(("required",), expected)]


def test_names():
    assert one_of(["mse", "mae"], None) == "expected one of mse, mae."
    assert one_of(["mse", "mae"], "msee") == (
        "expected one of mse, mae. Received: 'msee'. Did you mean 'mse'?"
    )
    assert one_of(["mse", "mae"], [1]) == "expected one of mse, mae. Received: [1]."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1e-4, "0.0001"),
        ("on", "'on'"),
        ("a\nb", r"'a\nb'"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        (datetime.date(2001, 12, 14), "datetime.date(2001, 12, 14)"),
        ("x" * 100, "'" + "x" * 76 + "..."),
    ],
)
def test_values_are_shown_as_yaml_writes_them(value, text):
    assert shown(value) == text
