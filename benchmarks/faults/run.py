"""Does anything stop DeepSight from telling the truth? Thousands of faults, and what became of each.

Kills at every commit point and at random instants, full disks, damaged files of runs and caches, mutated
pictures and archives, few resources, and strangers' runs. The last two columns of the printed table, wrong
and crashed, must be 0. `--smoke` tries a few of each.
"""

import argparse
import csv
import math
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock, local

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests/support"))

from faulty.commands import AUDIT, EXAMINE, MAKES, READERS, REPORT, RUN, Folders, make_folders  # noqa: E402
from faulty.damage import DAMAGES, files_below, outcome_of_damage, question  # noqa: E402
from faulty.kills import SIGNALS, Undisturbed, fresh, outcome_of_fault, undisturbed  # noqa: E402
from faulty.mutants import (  # noqa: E402
    hostile_arrays,
    outcome_of_archive,
    outcome_of_picture,
    outcome_of_reading,
)
from faulty.runner import OUTCOMES, Fault, Runner, Tally, table_text  # noqa: E402
from faulty.strangers import changes_of, outcome_of_change  # noqa: E402
from faulty.tables import array_changes_of, column_changes_of  # noqa: E402
from faulty.together import (  # noqa: E402
    outcome_of_encoding,
    outcome_of_two_on_a_cache,
    outcome_of_two_on_a_run,
)

LIMITS = (
    ("NOFILE", "open files", (8, 12, 16, 24, 32)),
    ("FSIZE", "file size", (2_000, 10_000, 50_000, 250_000, 1_000_000)),
    ("AS", "memory", (2_500_000_000, 3_000_000_000, 4_000_000_000, 5_000_000_000, 7_000_000_000)),
)
ENCODINGS = ("ascii", "latin-1", "utf-16")
PARTS = ("kills", "commands", "damage", "strangers", "together", "mutants")
TREAT = ("treat", "run", "--minutes", "5", "--only", "mixup", "--min-treatments", "1")

Attempt = tuple[str, str, Callable[[Runner, Path], tuple[str, str] | None]]


@dataclass(frozen=True)
class Sizes:
    """How often each fault is tried.

    Attributes:
        instants: of each signal in a study; other_instants in each other command.
        pictures, archives, changes: mutated pictures, archives, and changes to a stranger's run.
        point_step, file_step: of the commit points and of the files, every so many is tried.
        damages: kinds of damage to each file.
        questions: asked of each damaged run.
        pairs: of processes at once, on a run and on a cache each.
    """

    instants: int = 100
    other_instants: int = 15
    pictures: int = 1000
    archives: int = 200
    changes: int = 300
    point_step: int = 1
    file_step: int = 1
    damages: Sequence[str] = tuple(DAMAGES)
    questions: int = 3
    pairs: int = 20

    def scaled(self, share: float) -> "Sizes":
        """About this share of the attempts; all pictures and archives, which cost little."""

        def fewer(count: int) -> int:
            return max(1, round(count * share))

        def wider(step: int) -> int:
            return max(1, round(step / share))

        return replace(
            self,
            instants=fewer(self.instants),
            other_instants=fewer(self.other_instants),
            changes=fewer(self.changes),
            pairs=fewer(self.pairs),
            point_step=wider(self.point_step),
            file_step=wider(self.file_step),
        )


SMOKE = Sizes(2, 1, 100, 28, 10, 15, 8, ("flipped",), 1, 1)


@dataclass
class Workers:
    """As many servers as threads, each with a folder of its own.

    Attributes:
        place: for the folders.
        patience: seconds after which a command that has not ended counts as one that never will.
        runners: the servers.
    """

    place: Path
    patience: float
    runners: list[Runner] = field(default_factory=list)
    _own: local = field(default_factory=local)
    _lock: Lock = field(default_factory=Lock)

    def mine(self) -> tuple[Runner, Path]:
        """The server and the working folder of this thread."""
        if not hasattr(self._own, "runner"):
            runner = Runner(seconds=self.patience).__enter__()
            with self._lock:
                self.runners.append(runner)
                self._own.runner, number = runner, len(self.runners)
            self._own.work = self.place / f"worker{number}" / "work"
            self._own.work.parent.mkdir()
        return self._own.runner, self._own.work

    def close(self) -> None:
        """End the servers."""
        for runner in self.runners:
            runner.__exit__(None, None, None)


def kills(whole: Undisturbed, sizes: Sizes, count: int) -> Iterator[Attempt]:
    """Signals at random instants, kills and full disks at commit points."""
    rng = np.random.default_rng(11)
    for number in SIGNALS:
        for _ in range(count):
            after = float(rng.uniform(0.02, 1.05 * whole.seconds))
            yield attempt_fault(whole, f"{number.name} at any instant", Fault(signal=number, after=after))
    for at in range(1, len(whole.points) + 1, sizes.point_step):
        for how in ("before", "after"):
            yield attempt_fault(whole, "SIGKILL at a rename", Fault(at=at, how=how))
        yield attempt_fault(whole, "disk full from a write on", Fault(at=at, how="full"))


def attempt_fault(whole: Undisturbed, kind: str, fault: Fault) -> Attempt:
    """One disturbed command."""
    case = f"{whole.name} {fault.how or fault.signal} {fault.at or round(fault.after, 3)}"
    return f"{whole.name}: {kind}", case, lambda runner, work: outcome_of_fault(runner, whole, fault, work)


def limits(whole: Undisturbed) -> Iterator[Attempt]:
    """Few open files, small largest files, little memory."""
    for name, words, values in LIMITS:
        for value in values:
            yield attempt_fault(whole, f"limit of {words}", Fault(limits={name: value}))


def together(whole: Undisturbed, folders: Folders, sizes: Sizes) -> Iterator[Attempt]:
    """Two processes at once, and output in encodings that lack signs."""
    for number in range(sizes.pairs):
        yield (
            "two processes on a run", str(number), lambda r, w: outcome_of_two_on_a_run(r, whole, w)
        )  # fmt: skip
        yield (
            "two processes on a cache", str(number), lambda r, w: outcome_of_two_on_a_cache(r, whole, w)
        )  # fmt: skip
    cases = [(name, encoding) for name in READERS for encoding in ENCODINGS]
    for name, encoding in cases[:: sizes.file_step]:
        yield (
            "another encoding of the output",
            f"{name} {encoding}",
            lambda r, w, name=name, encoding=encoding: outcome_of_encoding(
                r, folders.done, READERS[name], encoding, w
            ),
        )


def damages(runner: Runner, folders: Folders, place: Path, sizes: Sizes) -> Iterator[Attempt]:
    """Every file of a run, damaged in every way, and questions to the run."""
    work = place / "questions"
    asked = [
        question(runner, folders.done, work, *command, made=MAKES.get(name, ()))
        for name, command in READERS.items()
    ]
    asked.append(question(runner, folders.done, work, *REPORT, makes=True))
    rng = np.random.default_rng(12)
    for seed, name in list(enumerate(files_below(folders.done / "run")))[:: sizes.file_step]:
        other = (folders.done / "other" / name).parent
        for damage in sizes.damages:
            for number in rng.choice(len(asked), sizes.questions, replace=False):
                one = asked[int(number)]
                yield (
                    f"a file of a run {damage}",
                    f"{name} {one.command[0]}",
                    lambda r, w, one=one, name=name, damage=damage, other=other, seed=seed: outcome_of_damage(
                        r, one, folders.done, other, f"run/{name}", damage, w, seed=seed
                    ),
                )


def cache_damages(runner: Runner, folders: Folders, place: Path, sizes: Sizes) -> Iterator[Attempt]:
    """Every file of a filled cache, damaged in every way, under a new run."""
    start = place / "filled"
    asked = question(runner, folders.new, start, *RUN, makes=True)
    shutil.rmtree(start / "run")
    for seed, name in enumerate(list(files_below(start / "cache"))):
        for damage in sizes.damages:
            yield (
                f"a file of the cache {damage}",
                name,
                lambda r, w, name=name, damage=damage, seed=seed: outcome_of_damage(
                    r, asked, start, place, f"cache/{name}", damage, w, seed=seed
                ),
            )


def changed_runs(folders: Folders, sizes: Sizes) -> Iterator[Attempt]:
    """A stranger's JSON in a run, without manifests and with manifests that fit it."""
    commands = [*READERS.values(), REPORT]
    rng = np.random.default_rng(13)
    for sealed in (False, True):
        kind = f"a stranger's run, {'with' if sealed else 'without'} manifests"
        for change in changes_of(folders.done / "run", rng, sizes.changes):
            command = commands[int(rng.integers(len(commands)))]
            yield (
                kind,
                f"{change} {command[0]}",
                lambda r, w, change=change, command=command, sealed=sealed: outcome_of_change(
                    r, folders.done, change, command, w, sealed=sealed
                ),
            )


def changed_tables(folders: Folders, sizes: Sizes) -> Iterator[Attempt]:
    """A stranger's tables, splits and predictions in a run, with manifests that fit them."""
    commands = [*READERS.values(), REPORT]
    rng = np.random.default_rng(17)
    tables = list(column_changes_of(folders.done / "run", rng, sizes.changes))
    arrays = list(array_changes_of(folders.done / "run"))
    step = max(1, round(len(arrays) / sizes.changes))
    for change in [*tables, *arrays[::step]]:
        command = commands[int(rng.integers(len(commands)))]
        yield (
            f"a stranger's {'table' if change in tables else 'splits or predictions'}, with manifests",
            f"{change} {command[0]}",
            lambda r, w, change=change, command=command: outcome_of_change(
                r, folders.done, change, command, w, sealed=True
            ),
        )


def mutants(place: Path, sizes: Sizes) -> Tally:
    """Mutated pictures, archives, tables and arrays."""
    os.environ["DEEPSIGHT_CACHE"] = str(place / "cache")
    tally = Tally()
    for number in range(sizes.pictures):
        tally.add("a mutated picture", str(number), *outcome_of_picture(number))
    for number in range(sizes.archives):
        tally.add("a mutated archive or table", str(number), *outcome_of_archive(number, place))
    for name, path in hostile_arrays(place).items():
        tally.add("arrays made to harm", name, *outcome_of_reading(path))
    return tally


def carried_out(attempts: Sequence[Attempt], workers: Workers, threads: int, until: float) -> Tally:
    """The attempts in a random order, in as many threads as there are workers.

    Where the time does not suffice for all, every kind is so tried in the same share of its cases.

    Args:
        attempts: all of them.
        workers: the servers.
        threads: at once.
        until: on the clock of `time.monotonic`; afterwards no attempt begins.
    """
    tally, lock = Tally(), Lock()

    def one(number: int) -> bool:
        if time.monotonic() > until:
            return False
        kind, case, act = attempts[number]
        found = act(*workers.mine())
        if found is not None:
            with lock:
                tally.add(kind, case, *found)
        return True

    order = np.random.default_rng(19).permutation(len(attempts)).tolist()
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(order), 100):
            begun = sum(pool.map(one, order[start : start + 100]))
            print(f"{start + begun} of {len(attempts)}", file=sys.stderr, flush=True)
            if begun < len(order[start : start + 100]):
                break
    return tally


def all_faults(
    place: Path, sizes: Sizes, threads: int, parts: Sequence[str], *, patience: float, until: float
) -> Tally:
    """Every kind of fault that was asked for."""
    tally = mutants(place, sizes) if "mutants" in parts else Tally()
    workers = Workers(place, patience)
    try:
        with Runner(seconds=patience) as runner:
            attempts = [] if set(parts) == {"mutants"} else all_attempts(runner, place, sizes, parts)
        tally.merge(carried_out(attempts, workers, threads, until))
    finally:
        workers.close()
    return tally


def all_attempts(runner: Runner, place: Path, sizes: Sizes, parts: Sequence[str]) -> list[Attempt]:
    """Every attempt of these parts; what they are compared with is made first, without faults."""
    folders = make_folders(runner, place / "folders")
    attempts: list[Attempt] = []
    if {"kills", "together"} & set(parts):
        study = undisturbed(runner, "run", folders.new, RUN, place / "whole")
    if "kills" in parts:
        attempts += [*kills(study, sizes, sizes.instants), *limits(study)]
    if "commands" in parts:
        attempts += other_kills(runner, folders, place, sizes)
    if "damage" in parts:
        attempts += damages(runner, folders, place, sizes)
        attempts += cache_damages(runner, folders, place, sizes)
    if "strangers" in parts:
        attempts += [*changed_runs(folders, sizes), *changed_tables(folders, sizes)]
    if "together" in parts:
        attempts += together(study, folders, sizes)
    return attempts


def other_kills(runner: Runner, folders: Folders, place: Path, sizes: Sizes) -> Iterator[Attempt]:
    """Other commands that write, stopped half way."""
    written = {
        "predict": ("run/predictions", READERS["predict"]),
        "export": ("model.pt", READERS["export"]),
        "examine": ("examined", EXAMINE),
        "audit": ("audited", AUDIT),
        "treat": ("run", TREAT),
    }
    for name, (made, command) in written.items():
        start = with_trial_plan(runner, folders, place) if name == "treat" else folders.done
        whole = undisturbed(runner, name, start, command, place / name, made=made)
        few = Sizes(point_step=max(sizes.point_step, len(whole.points) // 12 + 1))
        yield from kills(whole, few, sizes.other_instants)


def with_trial_plan(runner: Runner, folders: Folders, place: Path) -> Path:
    """A finished run with the plan of a trial, which is measured and so never the same twice."""
    start, tried = place / "planned", fresh(folders.done, place / "tried")
    ended = runner.run(tried, *TREAT)
    if ended.status != 0:
        raise RuntimeError(f"The trial failed without a fault: {ended.stderr}")
    fresh(folders.done, start)
    (start / "run/treatments").mkdir()
    shutil.copyfile(tried / "run/treatments/plan.json", start / "run/treatments/plan.json")
    return start


def write_rows(tally: Tally, path: Path, seconds: float) -> None:
    """The rows as CSV, with the machine that they are from."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["fault", "tried", *OUTCOMES, "minutes", "machine"])
        writer.writeheader()
        for row in tally.rows():
            writer.writerow({**row, "minutes": round(seconds / 60, 1), "machine": machine})


def main() -> None:
    """Try all, print the table, and end with status 1 if anything was wrong or crashed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few attempts of each kind")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the attempts, above 0")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--patience",
        type=float,
        default=120,
        help="seconds in which a command must end; more if others compute",
    )
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="begin no attempt later; every kind gets its share"
    )
    parser.add_argument("--results", type=Path, default=HERE / "results.csv")
    parser.add_argument("--part", action="append", choices=PARTS, help="all of them if none is named")
    asked = parser.parse_args()
    parts = asked.part or PARTS
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="deepsight-faults-") as folder:
        sizes = SMOKE if asked.smoke else Sizes().scaled(asked.scale)
        tally = all_faults(
            Path(folder), sizes, asked.threads, parts,
            patience=asked.patience, until=began + 60 * asked.minutes,
        )  # fmt: skip
    write_rows(tally, asked.results, time.monotonic() - began)
    print(table_text(tally.rows()))
    print("\n".join(tally.bad), file=sys.stderr)
    sys.exit(bool(tally.bad))


if __name__ == "__main__":
    main()
