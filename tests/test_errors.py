"""The tree of errors, and suggestions of the nearest name."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from tidenhance import errors
from tidenhance.errors import TidenhanceError, UserInputError, did_you_mean, printable


def test_the_tree_at_the_top_of_the_file_is_the_tree_of_classes():
    drawn = re.findall(r"^[│├└─ ]*(\w+Error)  ", errors.__doc__ or "", re.MULTILINE)
    classes = [
        c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__
    ]
    assert sorted(drawn) == sorted(c.__name__ for c in classes)
    at_fault = (errors.__doc__ or "").partition("UserInputError")[2]
    for found in classes:
        assert issubclass(found, TidenhanceError)
        below = found.__name__ in at_fault
        assert (issubclass(found, UserInputError) and found is not UserInputError) == below


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ("mirnt", " Did you mean 'mirnet'?"),
        ("plaincnn", " Did you mean 'plain_cnn'?"),
        ("MIRNet", " Did you mean 'mirnet'?"),
        ("vgg", ""),
        ("", ""),
    ],
)
def test_did_you_mean(received, expected):
    assert did_you_mean(received, ["mirnet", "plain_cnn"]) == expected


def test_did_you_mean_with_nothing_allowed():
    assert did_you_mean("mirnet", []) == ""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b é 漢 😀.png", "a b é 漢 😀.png"),
        ("a\nb\x1b[31m\x85\u2028", r"a\nb\x1b[31m\x85\u2028"),
        ("\udcff", r"\udcff"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        (r"a\nb", r"a\nb"),
    ],
)
def test_names_are_shown_on_one_line(name, shown):
    assert printable(Path(name)) == printable(shown) == shown
