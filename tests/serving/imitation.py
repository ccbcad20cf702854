"""Stands in for `vllm.entrypoints.openai.api_server`: its command line, its start, its answers, its ways to end.

`behaviour.json` in the model's folder says what it does: `say` (printed first), `die` (printed last, exit code 1),
`seconds` (until it listens), `stubborn` (its worker ignores SIGTERM).
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WORKER = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"

parser = argparse.ArgumentParser()
for flag in ("--model", "--served-model-name", "--host", "--port"):
    parser.add_argument(flag)
given, _ = parser.parse_known_args()
behaviour = Path(given.model) / "behaviour.json"
does = json.loads(behaviour.read_text()) if behaviour.exists() else {}
loaded = {given.served_model_name: given.model}
counts = {"asked": 0}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/metrics":
            asked = counts["asked"]
            self.answer(
                f'vllm:prefix_cache_queries_total{{engine="0"}} {asked}.0\n'
                f'vllm:prefix_cache_hits_total{{engine="0"}} {asked / 2}\n'.encode()
            )
        elif self.path == "/v1/models":
            self.answer({"data": [{"id": name, "max_model_len": 256} for name in loaded]})
        else:
            self.answer({})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        match self.path:
            case "/v1/load_lora_adapter" if body["lora_name"] in loaded:
                self.answer({"error": {"message": f"'{body['lora_name']}' has already been loaded"}}, 400)
            case "/v1/load_lora_adapter" if not (Path(body["lora_path"]) / "adapter_config.json").exists():
                self.answer({"error": {"message": f"No adapter found for {body['lora_path']}"}}, 404)
            case "/v1/load_lora_adapter":
                loaded[body["lora_name"]] = body["lora_path"]
                self.answer({})
            case "/v1/unload_lora_adapter":
                del loaded[body["lora_name"]]
                self.answer({})
            case _:
                counts["asked"] += len(body["prompt"])
                ids = list(range(body["max_tokens"]))
                choice = {"text": "", "token_ids": ids, "logprobs": {"token_logprobs": [-0.5 for _ in ids]}}
                self.answer({"choices": [choice]})

    def answer(self, body: object, status: int = 200) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


print(does.get("say", "INFO 01-31 12:00:00 [api_server.py:1] starting"), flush=True)
worker = subprocess.Popen([sys.executable, "-c", WORKER, given.model]) if does.get("stubborn") else None
time.sleep(does.get("seconds", 0))
if "die" in does:
    sys.exit(does["die"])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer((given.host, int(given.port)), Handler).serve_forever()
