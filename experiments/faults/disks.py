"""File systems of a given size that nobody else sees: tmpfs in a user and mount namespace, which needs no privileges.

A process holds the namespace; runs enter it, and we look into it through `/proc`. It ends with this process.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agentbench.app.children import end_with_parent


class NoNamespace(Exception):
    """This machine lets nobody make a namespace; the message says why."""


class Disk:
    """A file system over a folder, as its holder sees it."""

    def __init__(self, holder: int, place: Path) -> None:
        self._holder = holder
        self._place = place

    @property
    def root(self) -> Path:
        """The folder, seen from outside."""
        return Path(f"/proc/{self._holder}/root{self._place}")

    def command(self, command: Sequence[str], folder: Path) -> list[str]:
        """A command that runs where the file system is mounted."""
        enter = ["nsenter", "-t", str(self._holder), "-U", "-m", "--preserve-credentials"]
        return [*enter, "sh", "-c", 'cd "$0" && exec "$@"', str(folder), *command]

    def remount(self, options: str) -> None:
        """Changes its size, or whether it can be written to: `size=64m`, `ro`."""
        line = ["mount", "-o", f"remount,{options}", str(self._place)]
        subprocess.run(self.command(line, Path("/")), check=True, capture_output=True)

    def protect(self, folder: Path) -> None:
        """Makes another folder read-only for whoever runs here."""
        for line in (["mount", "--bind", folder, folder], ["mount", "-o", "remount,bind,ro", folder]):
            subprocess.run(self.command([str(part) for part in line], Path("/")), check=True, capture_output=True)


@contextmanager
def disk(place: Path, options: str) -> Iterator[Disk]:
    """A tmpfs over a folder, for as long as the context lasts; `options` are those of its `mount`: `size=64k`.

    Raises:
        NoNamespace: none can be made here.
    """
    place.mkdir(parents=True, exist_ok=True)
    script = 'mount -t tmpfs -o "$1" tmpfs "$0" && echo mounted && exec sleep infinity'
    line = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(place), options]
    try:
        holder = subprocess.Popen(
            line,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent(signal.SIGKILL),
        )
    except FileNotFoundError as error:
        raise NoNamespace(f"{error.filename} is not installed") from error
    with holder:
        assert holder.stdout is not None and holder.stderr is not None
        try:
            if holder.stdout.readline() != "mounted\n":
                raise NoNamespace(holder.stderr.read().strip())
            yield Disk(holder.pid, place)
        finally:
            holder.kill()
