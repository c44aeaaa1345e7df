"""The page that a server shows for an address that leads nowhere."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Context:
    """It needs nothing but the list of pages."""


def context(study, bundle) -> Context:
    return Context()
