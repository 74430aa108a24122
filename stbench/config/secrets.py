"""Passwords in addresses: kept out of command lines, configurations, logs and records."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import PlainSerializer

HIDDEN = "***"
VARIABLE = "STBENCH_PASSWORD"
_NAMES = "password|passwd|pwd|secret|token|api_?key|access_?key|odbc_connect"
_ADDRESS = re.compile(r"\b[a-z][\w+.-]*://[^\s'\"]+", re.IGNORECASE)
_SECRETS = (
    # Up to the last @: whoever forgets to encode the one in a password should not see the half of it in a log.
    re.compile(r"(://[^/:@]*:)(.+)(?=@)"),
    re.compile(rf"([?&;](?:{_NAMES})=)([^&]+)", re.IGNORECASE),
)
_TAKEN_OUT = re.compile(r"\$\{oc\.env:[^}]*\}|" + re.escape(HIDDEN))


def redacted(text: str) -> str:
    """`text` with *** for each password of an address (`scheme://user:password@host`, `…?password=…`) in it."""
    return _replaced(text, lambda secret: HIDDEN)


def _replaced(text: str, by: Callable[[str], str]) -> str:
    def in_address(found: re.Match[str]) -> str:
        address = found[0]
        for pattern in _SECRETS:
            address = pattern.sub(
                lambda part: part[1] + (part[2] if _TAKEN_OUT.fullmatch(part[2]) else by(part[2])), address
            )
        return address

    return _ADDRESS.sub(in_address, text)


def shelter(words: Sequence[str]) -> list[str]:
    """`words` with each password of an address moved into a variable of the environment, which Hydra reads back.

    A command line is shown, stored and logged in many places, Hydra's own among them; so sheltered it can be, and still
    says how to repeat it.
    """
    return [_replaced(word, lambda secret: f"${{oc.env:{_variable(secret)}}}") for word in words]


def _variable(secret: str) -> str:
    """The variable of the environment that holds `secret` from now on."""
    number, name = 1, VARIABLE
    while os.environ.get(name, secret) != secret:
        number += 1
        name = f"{VARIABLE}_{number}"
    os.environ[name] = secret
    return name


Address = Annotated[str, PlainSerializer(redacted, return_type=str, when_used="json")]
"""An address that may hold a password, which no record of the sentence shows; its field wants `repr=False`."""
