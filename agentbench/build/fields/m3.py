"""Fields of worlds: databases, documents and tasks, opened once per run; `env=m3`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agentbench.build import WORLD_SEED, Report, ToolMaker
from agentbench.build.fields import Field, asked, refuse_unknown, tool_field
from agentbench.build.interface import Interface, StandIns, presented_tasks
from agentbench.build.search import CollectionFiles, Search, retrievers
from agentbench.build.worlds import select_tasks, worlds
from agentbench.config.env import Granularity, InterfaceConfig, M3Env
from agentbench.config.retriever import RetrieverConfig
from agentbench.config.tasks import TasksConfig
from agentbench.envs import Restoring
from agentbench.errors import PreflightError
from agentbench.tools import Tool
from agentbench.tools.http.http_tools import http_tools
from agentbench.tools.needed import handle_stand_ins, rest_stand_ins
from agentbench.tools.retriever import Collection
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Endpoint, Universe
from agentbench.types import Task
from agentbench.worlds.distractors import distractors
from agentbench.worlds.manifest import World

if TYPE_CHECKING:
    from agentbench.tools.http.client import HttpClient


def m3_field(
    env: M3Env, retriever: RetrieverConfig, tasks: TasksConfig, *, cache_dir: Path, seed: int, report: Report
) -> Field:
    """Worlds with their databases, documents and tasks.

    Raises:
        PreflightError: a world, package or file is missing, or no task is left.
        DataError: a file is broken.
    """
    found = worlds(env, cache_dir, report)
    chosen = asked(select_tasks(env, tasks, found, seed), env.earlier_turns)
    search = retrievers(retriever, _collections(found), cache_dir, report)
    opened = {world.manifest.name: _open(world, env) for world in found}
    makers = {
        name: _maker(world, env, _search(world.world, env, found, search, retriever)) for name, world in opened.items()
    }
    if env.interface != InterfaceConfig():
        extra = {name: _distractors(name, opened, env, makers[name], report) for name in opened}
        fixed = env.tools is Granularity.REST
        interfaces = {
            name: Interface(env.interface, makers[name], extra[name].tools, fixed=fixed, seed=WORLD_SEED)
            for name in opened
        }
        stand_ins = {name: _stand_ins(opened[name].world, env, extra[name].own) for name in opened}
        chosen = presented_tasks(chosen, interfaces, stand_ins, report)
        if not chosen:
            raise PreflightError("no task is left: none of those chosen needs an API tool that could be missing")
        makers = {name: interface.tools for name, interface in interfaces.items()}

    refuse_unknown(env.tool_concurrency, (tool for maker in makers.values() for tool in maker(None)))

    async def close() -> None:
        await search.close()
        for world in opened.values():
            world.database.close()
            if world.http is not None:
                await world.http.close()

    def restoring(domain: str) -> Restoring:
        local = domain in opened and opened[domain].http is None  # a server may remember what it was asked
        return Restoring.FORK if local else Restoring.NEVER

    shared = tool_field(env, chosen, makers, restoring)
    return shared._replace(worlds=found, preflight=search.preflight, close=close)


class _Distractors(NamedTuple):
    tools: tuple[Tool, ...]
    own: tuple[Endpoint, ...]
    """Those over the world's own database."""


def _distractors(name: str, opened: dict[str, _Opened], env: M3Env, base: ToolMaker, report: Report) -> _Distractors:
    wanted = env.interface.distractor_tools
    others = [other.world.manifest for key, other in opened.items() if key != name]
    taken = [tool.spec.name for tool in base(None)]
    found = distractors(opened[name].world.manifest, others, wanted, taken=taken, seed=WORLD_SEED)
    if len(found) < wanted:
        report(f"{name}: {len(found)} distractor tools instead of {wanted}: there are no more")
    tools = [rest_tools(opened[item.world].database, (item.endpoint,), env.shown_values)[0] for item in found]
    return _Distractors(tuple(tools), tuple(item.endpoint for item in found if item.world == name))


def _stand_ins(world: World, env: M3Env, own_distractors: tuple[Endpoint, ...]) -> StandIns:
    if env.tools is not Granularity.REST:
        return handle_stand_ins(own_distractors)
    remote = world.manifest.http.endpoints if world.manifest.http else ()
    alone = {endpoint.name: frozenset({endpoint.name}) for endpoint in remote}
    return {**rest_stand_ins((*world.manifest.endpoints, *own_distractors)), **alone}


class _Opened(NamedTuple):
    world: World
    database: Database
    http: HttpClient | None


def _open(world: World, env: M3Env) -> _Opened:
    api = world.manifest.http
    client = _http_client(api.base_url) if api and env.tools is Granularity.REST else None
    return _Opened(world, Database(world.database, env.statement_timeout_s), client)


def _http_client(base_url: str) -> HttpClient:
    from agentbench.tools.http.client import HttpClient

    return HttpClient(base_url)


def _collections(found: tuple[World, ...]) -> dict[str, CollectionFiles]:
    return {
        world.manifest.collection.name: CollectionFiles(
            world.manifest.collection, world.folder / "documents.jsonl", world.index
        )
        for world in found
        if world.manifest.collection is not None
    }


def _search(
    world: World, env: M3Env, found: tuple[World, ...], search: Search, config: RetrieverConfig
) -> tuple[Tool, ...]:
    own = [world.manifest.collection] if world.manifest.collection else []
    others = [other.manifest.collection for other in found if other is not world and other.manifest.collection]
    collections = _sorted([*own, *others[: env.distractors]])
    if not collections:
        return ()
    return (retrieve_documents_tool(search.by_name, collections, config.top_k, config.expose_top_k),)


def _sorted(collections: list[Collection]) -> tuple[Collection, ...]:
    return tuple(sorted(collections, key=lambda collection: collection.name))


def _maker(opened: _Opened, env: M3Env, search: tuple[Tool, ...]) -> ToolMaker:
    manifest, database, shown = opened.world.manifest, opened.database, env.shown_values
    match env.tools:
        case Granularity.REST:
            remote = http_tools(manifest.http, opened.http, shown) if manifest.http and opened.http else ()
            fixed = (*rest_tools(database, manifest.endpoints, shown), *remote, *search)
            return lambda task: fixed
        case Granularity.SLOT_FILLING:
            return lambda task: (
                *slot_filling_tools(database, _universes(manifest.universes, task), shown, env.contract),
                *search,
            )
        case Granularity.SELECTION:
            return lambda task: (
                *selection_tools(database, _universes(manifest.universes, task), shown, env.contract),
                *search,
            )


def _universes(universes: tuple[Universe, ...], task: Task | None) -> tuple[Universe, ...]:
    """All of a world, or the one that a task names as its own."""
    own = task.data.get("universe") if task else None
    return tuple(universe for universe in universes if universe.id == own) if own else universes
