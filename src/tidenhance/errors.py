"""Errors that a user can meet.

TidenhanceError            something failed; exit code 1
├── WriteError             a file could not be written
├── StoppedError           Ctrl-C or SIGTERM; exit code 128 + the signal's number
└── UserInputError         the input is at fault; exit code 2
    ├── ConfigError        a YAML file or a KEY=VALUE argument
    ├── DataError          a data set's folders or files
    ├── ImageError         one picture
    ├── RunError           a run directory, or none where one is needed
    └── DeviceError        a device that is not there
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TidenhanceError(Exception):
    """Something failed. Its message is one a user can act on."""


class WriteError(TidenhanceError):
    """A file could not be written."""


class StoppedError(TidenhanceError):
    """Ctrl-C or SIGTERM ended the work.

    Attributes:
        signal: its number.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


class UserInputError(TidenhanceError):
    """The user's input (arguments, config, data, picture) is at fault."""


class ConfigError(UserInputError):
    """A config file or a KEY=VALUE argument is wrong; the message lists every mistake."""


class DataError(UserInputError):
    """A data set's folder or one of its files is missing or wrong."""


class ImageError(UserInputError):
    """A picture cannot be read, or not be used."""


class RunError(UserInputError):
    """A run directory is missing, incomplete or damaged."""


class DeviceError(UserInputError):
    """The device asked for is not there."""


def printable(text: object) -> str:
    """Return text, often a file's name, on one line: what cannot be printed becomes an escape.

    A name may hold line breaks, a terminal's control sequences, or bytes that are not UTF-8.
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text)
    )


def did_you_mean(received: str, allowed: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for the nearest allowed name, or an empty string."""
    # Papers write them in capitals.
    by_lower_case = {name.lower(): name for name in allowed}
    nearest = difflib.get_close_matches(received.lower(), list(by_lower_case), n=1)
    return f" Did you mean '{printable(by_lower_case[nearest[0]])}'?" if nearest else ""
