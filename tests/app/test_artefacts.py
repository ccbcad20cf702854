"""What a run left behind, by content."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from agentbench.app.artefacts import outputs_of


def test_what_is_no_file_does_not_count(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    before = outputs_of(tmp_path)
    os.mkfifo(model / "pipe")
    (model / "link").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(model / "s"))
        assert outputs_of(tmp_path) == before
    assert before["model"]["bytes"] == 2  # {}
