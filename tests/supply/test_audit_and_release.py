"""A package that nobody could look up is not passed off as safe; a wheel without its data is found."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

from supply.audit import read
from supply.release import lacking

KNOWN = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"], "aliases": [], "description": ""}
REPORT = {
    "dependencies": [
        {"name": "a", "version": "1.0", "vulns": [KNOWN]},
        {"name": "b", "version": "1.0", "vulns": []},
        {"name": "c", "skip_reason": "Dependency not found on PyPI"},
    ],
    "fixes": [],
}


def test_a_report_tells_what_is_known_and_what_nobody_answered_about() -> None:
    audit = read(REPORT)
    assert (audit.asked, audit.unanswered) == (2, ("c",))
    assert audit.known == ("a 1.0: PYSEC-2026-1, mended in 2.0",)


def test_a_wheel_without_conf_or_a_prompt_is_found(tmp_path: Path) -> None:
    for name in ("agentbench/policies/prompts/a.txt", "agentbench/rollout.py", "conf/rollout.yaml", "conf/env/m3.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    with ZipFile(tmp_path / "some.whl", "w") as wheel:
        wheel.writestr("agentbench/rollout.py", "")
        wheel.writestr("agentbench/conf/rollout.yaml", "")
    assert lacking(tmp_path / "some.whl", tmp_path) == [
        "agentbench/conf/env/m3.yaml",
        "agentbench/policies/prompts/a.txt",
    ]
