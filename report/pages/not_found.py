"""The page that a server shows for an address that leads nowhere."""

from report.contexts import NotFoundContext


def context(study, bundle) -> NotFoundContext:
    return NotFoundContext()
