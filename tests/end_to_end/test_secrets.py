"""Planted keys, and every byte of what commands leave behind: none of it holds one, whatever fails."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest

from .conftest import Ended, Run

KEYS = {
    "OPENAI_API_KEY": "sk-planted-openai-key-1",
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "HF_TOKEN": "hf_plantedplanted99",
    "ELASTIC_PASSWORD": "open-sesame-66",
    "SHOP_PASSWORD": "hunter2-and/more",
}
BASIC = base64.b64encode(b"elastic:open-sesame-66").decode()
FORBIDDEN = (*KEYS.values(), BASIC, "hunter2-and%2Fmore")
PLANTED = frozenset({".env", "shop.py", "server.py"})
"""Files of the test's own that hold keys or may."""

SHOP = """
import os
import agentbench.episodes.run_tasks as engine

PASSWORD = os.environ["SHOP_PASSWORD"]

def buy(thing: str) -> str:
    raise RuntimeError(f"cannot log in as me with {PASSWORD} at http://me:{PASSWORD}@shop/, {dict(os.environ)}")

def break_import(thing: str) -> str:
    return thing

def _crash(*_: object) -> None:
    password = PASSWORD
    raise KeyError(f"our own bug: Authorization: Bearer {os.environ['OPENAI_API_KEY']}, {password}, {dict(os.environ)}")

if os.environ.get("BREAK") == "ours":
    engine.write_summary = _crash
if os.environ.get("BREAK") == "import":
    raise RuntimeError(f"the shop does not open with {PASSWORD}")
"""
TOOL = {
    "function": "shop.buy",
    "description": "Buys a thing.",
    "parameters": {"type": "object", "properties": {"thing": {"type": "string"}}, "required": ["thing"]},
}
MODELS = {"object": "list", "data": [{"id": "clerk", "object": "model"}]}


class Echo(BaseHTTPRequestHandler):
    """Answers as its mode says; what it complains of holds the request's headers, as proxies' pages do."""

    mode = ""

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the test's output quiet."""

    def do_GET(self) -> None:
        if self.mode == "refuses":
            self._answer(401, self._echo())
        else:
            self._answer(200, orjson.dumps(MODELS))

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_PUT(self) -> None:
        self._answer(500, self._echo())

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        match self.mode:
            case "fails":
                self._answer(500, self._echo())
            case "garbage":
                self._answer(200, self._echo())
            case "rejects":
                self._answer(400, orjson.dumps({"error": {"message": self._echo().decode()}}))
            case _:
                self._answer(200, orjson.dumps(_said(asked)))

    def _echo(self) -> bytes:
        return f"what is this? {dict(self.headers)} Authorization: {self.headers['Authorization']}".encode()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _said(asked: bytes) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": "I could not."}
    if b'"role":"tool"' not in asked:
        call = {"id": "1", "type": "function", "function": {"name": "buy", "arguments": '{"thing": "tea"}'}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "x", "object": "chat.completion", "model": "clerk", "choices": [choice], "usage": {}}


@pytest.fixture
def echo() -> Iterator[Callable[[str], str]]:
    """`echo("fails")`: the address of a server that fails."""
    servers: list[ThreadingHTTPServer] = []

    def start(mode: str) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("InMode", (Echo,), {"mode": mode}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment and in `.env`, a shop whose tools know one, and one task for it."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".env").write_text("MY_PASSWORD=in-a-file-55\n")
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "conf" / "env").mkdir(parents=True)
    (tmp_path / "conf" / "env" / "shop.yaml").write_bytes(orjson.dumps({"kind": "playground", "tools": {"buy": TOOL}}))
    turn = {"query": "Buy tea.", "gold": {"answer": {"type": "text", "value": "done"}}}
    task = {"id": "tea", "suite": "shop", "domain": "shop", "turns": [turn]}
    (tmp_path / "tasks.jsonl").write_bytes(orjson.dumps(task) + b"\n")


def leaks(folder: Path, ended: Ended) -> list[str]:
    """Where a key stands: in files, whatever their names, or in what was printed."""
    written = {
        str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in PLANTED
    }
    said = {"stdout": ended.out.encode(), "stderr": ended.err.encode()}
    forbidden = (*FORBIDDEN, "in-a-file-55")
    return [f"{place}: {key}" for place, text in (written | said).items() for key in forbidden if key.encode() in text]


def shop(url: str, *further: str) -> tuple[str, ...]:
    """A rollout in the shop."""
    model = ("model=openai", f"model.base_url={url}/v1", "model.name=clerk", "model.max_retries=0", "template=teacher")
    return ("--config-dir", "conf", "env=shop", *model, "tasks.file=tasks.jsonl", "tracker=tensorboard", *further)


@pytest.mark.parametrize(
    ("mode", "code"), [("refuses", 5), ("fails", 3), ("garbage", 3), ("rejects", 3), ("speaks", 0)]
)
def test_what_a_server_or_a_tool_repeats_of_a_key_is_written_nowhere(
    mode: str, code: int, run: Run, echo: Callable[[str], str], tmp_path: Path
) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is an optional extra")
    ended = run("rollout", *shop(echo(mode)))
    assert (ended.code, leaks(tmp_path, ended)) == (code, [])
    assert code in (0, 5) or "Bearer ***" in ended.err  # it was repeated, and blotted out


@pytest.mark.parametrize(("broken", "code"), [("ours", 1), ("import", 5)])
def test_a_traceback_shows_no_key(
    broken: str, code: int, run: Run, echo: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAK", broken)
    ended = run("rollout", *shop(echo("speaks"), "tracker=none"))
    assert (ended.code, leaks(tmp_path, ended)) == (code, [])
    assert ("Traceback" in ended.err) == (broken == "ours") and "…" in ended.err


@pytest.mark.parametrize(
    "given", ["model.api_key=sk-planted-openai-key-1", "model.base_url=http://me:open-sesame-66@127.0.0.1:9/v1"]
)
def test_a_key_on_the_command_line_is_refused_before_anything_is_written(
    given: str, run: Run, echo: Callable[[str], str], tmp_path: Path
) -> None:
    ended = run("rollout", *shop(echo("speaks"), given))
    assert (ended.code, leaks(tmp_path, ended)) == (2, [])
    assert not (tmp_path / "outputs").exists()


def test_a_key_in_a_configuration_file_is_refused_before_anything_is_written(
    run: Run, echo: Callable[[str], str], tmp_path: Path
) -> None:
    settings = orjson.dumps({"kind": "playground", "tools": {"buy": TOOL}, "note": "sk-planted-openai-key-1"})
    (tmp_path / "conf" / "env" / "shop.yaml").write_bytes(settings)
    ended = run("rollout", *shop(echo("speaks")))
    (tmp_path / "conf" / "env" / "shop.yaml").unlink()
    assert (ended.code, leaks(tmp_path, ended)) == (2, [])


def test_a_search_engine_that_repeats_its_password_is_not_repeated(
    run: Run, world: Path, echo: Callable[[str], str], tmp_path: Path
) -> None:
    engine = ("retriever=elasticsearch", f"retriever.url={echo('refuses')}", "retriever.user=elastic")
    ended = run("rollout", "expert_mode=ground_truth", f"env.worlds=['{world}']", *engine, "tasks.limit=2")
    assert (ended.code, leaks(tmp_path, ended)) == (5, [])


def test_a_tool_server_that_shows_its_environment_is_not_repeated(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("mcp", reason="mcp is an optional extra")
    (tmp_path / "server.py").write_text("import os, sys\nprint(dict(os.environ), file=sys.stderr)\nsys.exit(3)\n")
    server = ("env.servers.shop.transport=stdio", "env.servers.shop.command=[python,server.py]")
    given = (*server, "env.servers.shop.env=[SHOP_PASSWORD]", "tasks.file=tasks.jsonl", "expert_mode=ground_truth")
    ended = run("rollout", "env=mcp", *given)
    assert (ended.code, leaks(tmp_path, ended)) == (5, [])
    assert "…" in ended.err
