"""Who does something: the name that it is kept under."""

from __future__ import annotations

import getpass

from gather_pipeline.domain.texts import checked_name
from gather_pipeline.errors import InvalidInput
from gather_pipeline.settings import Settings


def person(by: str | None, settings: Settings) -> str:
    """The name that a change is kept under: the option's, else the setting's, else the login's; raises `InvalidInput` as `checked_name`."""
    source, name = ("--by", by) if by is not None else ("GATHER_USER", settings.user)
    if name is None:
        try:
            source, name = "the login name", getpass.getuser()
        except (KeyError, OSError):
            raise InvalidInput("--by is missing and there is no login name, expected who you are (or GATHER_USER)") from None
    return checked_name(source, name)
