"""Builds what is released and tries it as its user would: `make release`.

Wheel and source distribution go to dist/. The wheel must hold every data file of the package, conf/ included, and is
then installed into a fresh environment outside the checkout, where each entry point must give its help and `prepare`,
the demo's first command, its worlds. `make sbom`, which runs after it, puts the bill of materials beside them. Nothing
is uploaded.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

from supply.lock import ROOT

DIST = ROOT / "dist"
ENTRY_POINTS = ("prepare", "rollout", "build_prefs", "train", "eval", "serve", "report", "doctor")
_DATA = frozenset({".yaml", ".txt", ".html", ".css", ".js"})


def main() -> int:
    """Builds, checks and tries; 6 where something is missing or does not run."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if _runs([sys.executable, "-m", "build", "--outdir", str(place / "dist"), str(ROOT)], ROOT):
            return 6
        (wheel,) = (place / "dist").glob("*.whl")
        missing = lacking(wheel, ROOT)
        if missing:
            print(
                f"error: {wheel.name} lacks {', '.join(missing)}\nnext: see package-data in pyproject.toml",
                file=sys.stderr,
            )
            return 6
        if not _works(wheel, place):
            return 6
        DIST.mkdir(exist_ok=True)
        for built in (place / "dist").iterdir():
            (DIST / built.name).write_bytes(built.read_bytes())
            print(f"dist/{built.name}")
    return 0


def lacking(wheel: Path, root: Path) -> list[str]:
    """Data files of the checkout's package and conf/ that a wheel does not hold."""
    with ZipFile(wheel) as archive:
        there = set(archive.namelist())
    package = root / "agentbench"
    wanted = {path.relative_to(root).as_posix() for path in package.rglob("*") if path.suffix in _DATA}
    wanted |= {f"agentbench/{path.relative_to(root).as_posix()}" for path in (root / "conf").rglob("*.yaml")}
    return sorted(wanted - there)


def _works(wheel: Path, place: Path) -> bool:
    python, empty = place / "venv" / "bin" / "python", place / "empty"
    venv.create(python.parents[1], with_pip=True)
    empty.mkdir()
    if _runs([str(python), "-m", "pip", "install", "--quiet", f"{wheel}[worlds]"], empty):
        return False
    helped = [_runs([str(python), "-m", f"agentbench.{entry}", "--help"], empty, quiet=True) for entry in ENTRY_POINTS]
    return not any(helped) and not _runs([str(python), "-m", "agentbench.prepare"], empty)


def _runs(command: Sequence[str], folder: Path, *, quiet: bool = False) -> int:
    print("+", " ".join(Path(word).name for word in command), flush=True)
    return subprocess.run(command, cwd=folder, check=False, stdout=subprocess.DEVNULL if quiet else None).returncode


if __name__ == "__main__":
    sys.exit(main())
