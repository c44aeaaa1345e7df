"""`report doctor`: which devices can be used, and how to mend what is wrong."""

from report import doctor
from report.errors import ReportError


def run(options) -> None:
    usable = False
    for finding in doctor.examine(options.device):
        print(f"{finding.state:>5}  {finding.text}", flush=True)
        if finding.mend:
            print(f"       -> {finding.mend}", flush=True)
        usable = usable or "computes rightly" in finding.text
    if not usable:
        raise ReportError("no device can be used; mend what is marked FAULT above.")
