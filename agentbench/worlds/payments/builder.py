"""Writes a data folder for AppWorld's engine: a script for the interpreter that has it, with nothing of ours imported.

Standard input holds one JSON object: the folder, the people, and the tasks (`root.py` says which). The apps' own models
make the databases: one of each app with everybody's accounts, and for each task the changes that make somebody the
user. What the apps' documentation says is taken from the installed package; none of it is part of this file.

Time stands still while it is written, at the moment at which the worlds will stand still.
"""

import importlib
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

NOW = "2023-05-18T12:00:00"
_DB_VERSION = "0.1.0"
"""The version of databases that the engine takes."""
_BASE = ":memory:base"


def main() -> None:
    """Writes the folder, a line on standard output for every task."""
    told = json.load(sys.stdin)
    said, sys.stdout = sys.stdout, sys.stderr  # AppWorld prints
    os.environ["APPWORLD_ROOT"] = told["root"]
    data = Path(told["root"]) / "data"
    engine = Engine()
    engine.start()
    engine.add_documentation(data / "api_docs" / "standard")
    for person in told["people"]:
        engine.add_person(person)
    engine.save(_BASE, data / "base_dbs", "full")
    for task in told["tasks"]:
        write_task(engine, data, task)
        said.write(task["id"] + "\n")
        said.flush()
    for name, ids in told["datasets"].items():
        _write(data / "datasets" / f"{name}.txt", "".join(f"{each}\n" for each in ids))


class Engine:
    """AppWorld's databases."""

    def __init__(self) -> None:
        self._models_of = _module("appworld.common.utils").import_models_module
        self._apps: list[str] = list(_module("appworld.apps").get_all_apps())
        self._databases = _module("appworld.apps.api_lib")

    def start(self) -> None:
        """Empty databases of every app, and time stopped."""
        self._databases.set_local_date_and_time(datetime.fromisoformat(NOW))
        self._databases.set_local_dbs(_BASE, _BASE, app_names=list(self._apps), create=True)
        sender = self._databases.CompanyNotifier("Venmo")  # receipts come from it by mail, as files
        account = {
            "first_name": sender.first_name,
            "last_name": sender.last_name,
            "email": sender.email_address,
            "password": sender.password,
        }
        self.add("gmail", "User", account)
        self.add("file_system", "User", {**account, "verified": True})

    def add(self, app: str, model: str, fields: dict[str, Any]) -> None:
        """Stores a record."""
        vars(self._models_of(app))[model].create_save(**fields)

    def add_documentation(self, folder: Path) -> None:
        """Writes what the installed package says of its APIs, as the engine wants to read it."""
        apps = tuple(name for name in self._apps if name != "admin")
        for app, documents in _module("appworld.collections.api_docs").ApiDocCollection.build(load_apps=apps).items():
            marked = {name: {**document, "canary_string": ""} for name, document in documents.items()}
            _write(folder / f"{app}.json", json.dumps(marked))
            for document in documents.values():
                fields = {("app_name_" if key == "app_name" else key): value for key, value in document.items()}
                self.add("api_docs", "ApiDoc", fields)

    def add_person(self, person: dict[str, Any]) -> None:
        """Stores somebody with accounts for money and mail, a balance, and a card with money on it."""
        name = {key: person[key] for key in ("first_name", "last_name")}
        who = {**name, "email": person["email"]}
        phone, password = {"phone_number": person["phone_number"]}, person["password"]
        self.add("admin", "MainUser", {**who, **phone, "birthday": person["birthday"]})
        self.add("admin", "AccountPassword", {"main_user_id": person["id"], **_account(password)})
        self.add("admin", "PaymentCard", {"main_user_id": person["id"], "balance": 5000.0, **person["card"]})
        self.add("venmo", "User", {**who, "password": password, "venmo_balance": 1000.0, "verified": True})
        self.add("venmo", "PaymentCard", {"user_id": person["id"], **person["card"]})
        self.add("gmail", "User", {**who, "password": password})
        self.add("phone", "User", {**name, **phone, "password": password})

    def save(self, place: str, folder: Path, form: str) -> None:
        """Writes the databases of a place: whole, or as changes."""
        self._databases.save_local_dbs(
            place, str(folder), format=form, app_names=list(self._apps), save_model_hashes=True, delete_if_exists=True
        )

    def begin_task(self, task: str, base: Path) -> str:
        """The place of a task's databases, which begin as the base."""
        models = _module("appworld.apps.model_lib")
        place = f":memory:task_input-{task}"
        models.CachedDBHandler.reset()
        models.ModelHashHandler.load(str(base), place)
        self._databases.set_local_dbs(place, str(base), app_names=list(self._apps))
        return place


def write_task(engine: Engine, data: Path, task: dict[str, Any]) -> None:
    """Writes one task: who asks, what for, how it is done, and how it is judged."""
    folder, user = data / "tasks" / task["id"], task["user"]
    place = engine.begin_task(task["id"], data / "base_dbs")
    who = {key: user[key] for key in ("first_name", "last_name", "email", "phone_number")}
    engine.add("supervisor", "Supervisor", {**who, "birthday": user["birthday"]})
    engine.add("supervisor", "Task", {"supervisor_id": 1, "instruction": task["instruction"]})
    engine.add("supervisor", "AccountPassword", {"supervisor_id": 1, **_account(user["password"])})
    engine.save(place, folder / "dbs", "changes")
    specs = {"instruction": task["instruction"], "supervisor": who, "datetime": NOW, "db_version": _DB_VERSION}
    _write(folder / "specs.json", json.dumps(specs))
    for name, content in task["truth"].items():
        _write(folder / "ground_truth" / name, content)


def _account(password: str) -> dict[str, str]:
    return {"account_name": "venmo", "password": password}


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
