"""Asks a vulnerability database about every locked version: `make audit`. Needs a network.

pip-audit alone says "no known vulnerabilities" also where the database could not be asked about a package, which some
mirrors of PyPI cause. Here a package that was not looked up is a failure of its own.

    make audit
    make audit ARGS="-s osv"

Exit codes: 0 all looked up and nothing known, 5 some could not be looked up, 6 something is known.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from supply.lock import LOCK, TORCH_LOCK

ACCEPTED: dict[str, str] = {}
"""Known vulnerabilities by their id that do not reach us, each with the reason."""

_COMMAND = ("pip_audit", "--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")


class Audit(NamedTuple):
    """What a vulnerability database said."""

    asked: int
    """Packages it answered about."""
    unanswered: tuple[str, ...]
    """Names of those it did not."""
    known: tuple[str, ...]
    """One line for each vulnerability that nobody accepted."""


def main(arguments: Sequence[str]) -> int:
    """Prints what is known; gives the exit code."""
    locks = [word for lock in (LOCK, TORCH_LOCK) for word in ("-r", str(lock))]
    done = subprocess.run(
        [sys.executable, "-m", *_COMMAND, *locks, *arguments], check=False, capture_output=True, text=True
    )
    if not done.stdout.startswith("{"):
        why = done.stderr.strip().rpartition("\n")[2][:200]
        return _say(5, f"the vulnerability database cannot be asked: {why}", "run it where there is a network")
    audit = read(json.loads(done.stdout))
    print(f"{audit.asked} packages looked up")
    for line in audit.known:
        print(f"  {line}")
    if audit.known:
        return _say(6, f"{len(audit.known)} known vulnerabilities", "make lock ARGS=--upgrade, or say why in ACCEPTED")
    if audit.unanswered:
        some = ", ".join(audit.unanswered[:3])
        problem = f"{len(audit.unanswered)} packages could not be looked up: {some} …"
        return _say(5, problem, 'ask PyPI itself instead of a mirror, or OSV: make audit ARGS="-s osv"')
    print("no known vulnerabilities")
    return 0


def read(report: dict[str, Any]) -> Audit:
    """The essence of pip-audit's JSON report."""
    entries = report["dependencies"]
    answered = [entry for entry in entries if "skip_reason" not in entry]
    known = [
        f"{entry['name']} {entry['version']}: {found['id']}, mended in {' '.join(found['fix_versions']) or 'nothing'}"
        for entry in answered
        for found in entry["vulns"]
        if found["id"] not in ACCEPTED
    ]
    unanswered = tuple(entry["name"] for entry in entries if "skip_reason" in entry)
    return Audit(len(answered), unanswered, tuple(known))


def _say(code: int, problem: str, next_step: str) -> int:
    print(f"error: {problem}\nnext: {next_step}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
