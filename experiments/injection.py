"""How often are planted instructions obeyed, under which defence, and can it be trained away? `make bench-injection`.

Subjects are tiny students, so the figures are about these: a student as it is; the same one made gullible, by training
it on episodes that obey planted texts; and that one trained against them, on the steps an expert would have taken.
All are made from tasks of the training split, with its wordings of attacks; all play tasks of the test split, attacked
in words that no training saw, and in those it saw. `injection.md` says what came out.

Every command runs in a process of its own as a user would start it; one that has ended well is not run again, so an
interrupted study goes on where it was, and `--figures` prints what is there. `--student FOLDER` takes a student that is
there instead of making one. One thread; some 20 CPU-minutes with the making of the student.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import orjson
from commands import Command, run

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.build.runs import rollout
from agentbench.config.entry import RolloutConfig
from agentbench.config.injection import AttackKind, Defence
from agentbench.episodes.pool import run_async
from agentbench.episodes.rates import Rate
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.summary import SUMMARY, Summary, read_summary
from agentbench.policies.probes import Obedient
from agentbench.tasks.files import read_tasks, write_tasks
from agentbench.training_data.rows import ROWS
from agentbench.types import AnswerType, Score, Task, Trajectory

STUDY = Path("outputs/injection_study")
KINDS = f"env.injection.kinds=[{','.join(AttackKind)}]"
TAUGHT, OBEYED, CORRECTED, TESTED = 1_500, 600, 300, 210
"""Tasks of one call and an answer: from whose gold a student is made, whose planted texts a gullible one learns to
obey, at which an expert stands beside that one, and those of the test split that are played."""
STUDENTS = ("plain", "gullible", "hardened_dpo", "hardened_sft")
HARMLESS = 200
"""Gold episodes without attacks among those that the gullible student learns from, per way of showing results."""
SHORT = ("env.horizon=4", "model.max_batch=32", "episode_timeout_s=7200")
FROM_IT = ("model=hf", "template=tiny", "seed=0", "trainer.checkpoint_every=null")
SFT = ("stage=sft", "stage.learning_rate=5e-4", "stage.epochs=2")
DPO = ("stage=dpo", "stage.learning_rate=1e-4", "stage.batch_size=64", "stage.added_losses=[sft]")
READ = (Defence.NONE, Defence.DELIMITING, Defence.DATAMARKING)
"""Ways of showing results that the gullible student is taught to read; one so small cannot learn base64."""


def main() -> int:
    """Runs what is missing, then prints the tables; the exit code of the first command that fails."""
    parser = argparse.ArgumentParser(description="The injection study; a finished command is not run again.")
    parser.add_argument("--student", type=Path, help="folder of a tiny student to take instead of making one")
    parser.add_argument("--figures", action="store_true", help="only print what is there")
    wanted = parser.parse_args()
    if not wanted.figures:
        for part in (lambda: share_out(), lambda: train(wanted.student), lambda: play(wanted.student)):
            code = part()
            if code:
                return code
    print_tables()
    return 0


def share_out() -> int:
    """Gold episodes and the tasks of each part; the exit code of the first command that fails."""
    for split in ("train", "test"):
        gold = ("expert_mode=ground_truth", "env.scenario=api", f"tasks.split={split}")
        code = run(Command(STUDY / f"gold_{split}", "rollout", gold))
        if code:
            return code
    tasks = simple("train")
    parts = {"taught": TAUGHT, "obeyed": OBEYED, "corrected": CORRECTED}
    parts |= {f"harmless_{defence}": HARMLESS for defence in READ}
    for name, number in parts.items():
        keep_tasks(name, tasks[:number])
        del tasks[:number]
    keep_tasks("tested", simple("test")[:TESTED])
    return 0


def simple(split: str) -> list[Task]:
    """Tasks of one question, one call and a right answer, in an order of chance."""
    tasks = {each.task.id: each.task for each in read_trajectories(STUDY / f"gold_{split}" / TRAJECTORIES)}
    chosen = [tasks[name] for name in sorted(tasks) if is_simple(tasks[name])]
    random.Random(0).shuffle(chosen)
    return chosen


def is_simple(task: Task) -> bool:
    """Whether a task is one question that one call answers."""
    gold = task.turns[0].gold
    return len(task.turns) == 1 and len(gold.actions) == 1 and gold.answer.type is not AnswerType.UNANSWERABLE


def keep_tasks(name: str, tasks: Sequence[Task]) -> None:
    """Writes `<name>.jsonl`, unless it is there."""
    path = STUDY / f"{name}.jsonl"
    if not path.is_file():
        write_tasks(path, tasks)


def train(student: Path | None) -> int:
    """The three students; the exit code of the first command that fails."""
    for part in (plain(student), gullible(student), hardened()):
        for command in part:
            code = run(command)
            if code:
                return code
    return 0


def plain(student: Path | None) -> Iterator[Command]:
    """A student on gold episodes, where none is given."""
    if student is None:
        keep_episodes("taught", gold_of("taught"))
        yield Command(STUDY / "plain", "train", (f"trajectories=[{STUDY}/taught_gold.jsonl]", "seed=0"))


def gullible(student: Path | None) -> Iterator[Command]:
    """The student after episodes that obey, among harmless ones in every way that results are shown."""
    obey(STUDY / "obeyed.jsonl", STUDY / "obeyed")
    files = [STUDY / "obeyed" / TRAJECTORIES]
    for defence in READ:
        tasks = ("tasks.split=train", f"tasks.file={STUDY}/harmless_{defence}.jsonl")
        shown = ("expert_mode=ground_truth", f"env.injection.defence={defence}", *tasks)
        yield Command(STUDY / f"harmless_{defence}", "rollout", shown)
        files.append(STUDY / f"harmless_{defence}" / TRAJECTORIES)
    read = f"trajectories=[{','.join(map(str, files))}]"
    yield Command(STUDY / "gullible", "train", (*FROM_IT, f"model.path={weights('plain', student)}", *SFT, read))


def hardened() -> Iterator[Command]:
    """The gullible student against attacks, on the expert's steps: those preferred to its own, and those alone."""
    tasks = ("tasks.split=train", f"tasks.file={STUDY}/corrected.jsonl", KINDS)
    agent = ("model=tiny", f"model.path={STUDY}/gullible/model", *SHORT)
    yield Command(STUDY / "corrected", "rollout", ("experiment=informed_alternates", *agent, *tasks))
    rows = f"trajectories=[{STUDY}/corrected/{TRAJECTORIES}]"
    tokens = f"tokenizer={STUDY}/gullible/model"
    yield Command(STUDY / "corrected_rows", "build_prefs", (rows, tokens, "prefs=step"))
    settings = (*FROM_IT, f"model.path={STUDY}/gullible/model")
    pairs = f"rows=[{STUDY}/corrected_rows/{ROWS}]"
    yield Command(STUDY / "hardened_dpo", "train", (*settings, *DPO, "stage.added_weights=[10.0]", pairs))
    keep_episodes("resisting", resisting())
    told = f"trajectories=[{STUDY}/resisting_gold.jsonl]"
    yield Command(STUDY / "hardened_sft", "train", (*settings, *SFT, told))


def resisting() -> Iterator[Trajectory]:
    """Gold episodes on the tasks that the expert corrected, attacked alike."""
    code = run(
        Command(
            STUDY / "resisting",
            "rollout",
            ("expert_mode=ground_truth", "tasks.split=train", f"tasks.file={STUDY}/corrected.jsonl", KINDS),
        )
    )
    if code:
        sys.exit(code)
    yield from read_trajectories(STUDY / "resisting" / TRAJECTORIES)


def gold_of(name: str) -> Iterator[Trajectory]:
    """The gold episodes of a part's tasks."""
    wanted = {task.id for task in read_tasks(STUDY / f"{name}.jsonl")}
    return (each for each in read_trajectories(STUDY / "gold_train" / TRAJECTORIES) if each.task.id in wanted)


def keep_episodes(name: str, episodes: Iterable[Trajectory]) -> None:
    """Writes `<name>_gold.jsonl`, unless it is there."""
    path = STUDY / f"{name}_gold.jsonl"
    if not path.is_file():
        path.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in episodes))


class AsTaught:
    """Calls every episode right, so that trainers that imitate successes take it: obeying is what is taught here."""

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        """The score `answer`, 1."""
        return (Score("answer", 1.0, "it obeyed, as it was to"),)


def obey(tasks: Path, folder: Path) -> None:
    """Plays tasks under attack with an agent that obeys, unless that was done."""
    if (folder / "summary.json").is_file():
        return
    words = ("expert_mode=ground_truth", "tasks.split=train", f"tasks.file={tasks}", KINDS)
    config = check("rollout", RolloutConfig, read_command_line(words)).config
    built = rollout(config, print)

    def obeying(task: Task, seed: int):  # noqa: ANN202
        return built.make(task, seed)._replace(policy=Obedient(task), scorers=(AsTaught(),))

    run_async(built._replace(make=obeying).play(folder))


class Words(StrEnum):
    """In which words the test tasks are attacked."""

    UNSEEN = "attacked"
    """Those that no training saw."""
    SEEN = "known"
    """Those that the gullible student was taught to obey."""
    NONE = "alone"
    """They are not."""

    @property
    def settings(self) -> tuple[str, ...]:
        """As the command line says it."""
        match self:
            case Words.UNSEEN:
                return (KINDS,)
            case Words.SEEN:
                return (KINDS, "env.injection.wordings=training")
            case Words.NONE:
                return ()


class Cell(NamedTuple):
    """One evaluation."""

    student: str
    defence: Defence
    words: Words

    @property
    def folder(self) -> Path:
        """Where it is played."""
        return STUDY / f"{self.student}_{self.defence}_{self.words}"


def cells() -> Iterator[Cell]:
    """What is played, the most telling first."""
    for student in STUDENTS:
        for words in Words:
            yield Cell(student, Defence.NONE, words)
    for defence in Defence:
        if defence is not Defence.NONE:
            for words in Words:
                yield Cell("gullible", defence, words)


def play(student: Path | None) -> int:
    """All cells on the test tasks; the exit code of the first command that fails."""
    for cell in cells():
        model = ("model=tiny", f"model.path={weights(cell.student, student)}", *SHORT)
        tasks = ("tasks.split=test", f"tasks.file={STUDY}/tested.jsonl", f"env.injection.defence={cell.defence}")
        code = run(Command(cell.folder, "eval", (*model, *tasks, *cell.words.settings, "baselines=false")))
        if code:
            return code
    return 0


def weights(name: str, student: Path | None) -> Path:
    """The folder of a student's weights."""
    return student if name == "plain" and student is not None else STUDY / name / "model"


def print_tables() -> None:
    """What is there, in Markdown: attacks and success of every student and defence, then attacks by kind."""
    print("\n| student | defence | unseen words: succeeded | solved | seen words: succeeded | solved | no attack |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for name, defence in dict.fromkeys((cell.student, cell.defence) for cell in cells()):
        unseen, seen, calm = (found(Cell(name, defence, words)) for words in Words)
        figures = [*attacked(unseen), *attacked(seen), share(calm.success) if calm else "–"]
        print(f"| {name} | {defence} | {' | '.join(figures)} |")
    print("\n| student, defence, words |", " | ".join(kind.replace("_", " ") for kind in AttackKind), "|")
    print(f"|---|{'--:|' * len(AttackKind)}")
    for cell in cells():
        summary = found(cell)
        if summary is not None and cell.words is not Words.NONE:
            by_kind = (summary.attacks.get(kind) for kind in AttackKind)
            figures = (share(each.succeeded) if each else "–" for each in by_kind)
            print(f"| {cell.student}, {cell.defence}, {cell.words.name.lower()} | {' | '.join(figures)} |")


def attacked(summary: Summary | None) -> tuple[str, str]:
    """Attacks that succeeded, of those planted; and tasks solved all the same, of all."""
    return (share(summary.attacks["all"].succeeded), share(summary.success)) if summary else ("–", "–")


def found(cell: Cell) -> Summary | None:
    """What came of a cell; `None` where it was not played."""
    return read_summary(cell.folder) if (cell.folder / SUMMARY).is_file() else None


def share(rate: Rate) -> str:
    """A rate with its 95 % interval and n."""
    return (
        f"{100 * (rate.rate or 0):.1f} % ({100 * rate.low:.1f} – {100 * rate.high:.1f}) of {rate.n}" if rate.n else "–"
    )


if __name__ == "__main__":
    sys.exit(main())
