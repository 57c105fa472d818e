"""Two processes at once, on one run folder and on one cache; and output that lacks signs."""

from pathlib import Path

from faulty.damage import is_sentence
from faulty.kills import Undisturbed, fresh
from faulty.runner import Ended, Fault, Runner
from faulty.study import content_of, difference

NAMES = "is working in it"  # what the refusal says of the first process, after its number and machine


def outcome_of_two_on_a_run(runner: Runner, whole: Undisturbed, work: Path) -> tuple[str, str]:
    """The same study twice at once: one is done, the other is refused by name."""
    folder = fresh(whole.start, work)
    ended = runner.run_together(folder, whole.command, whole.command)
    refused = [one for one in ended if one.status != 0]
    if any(one.crashed for one in ended):
        return "crashed", words(ended)
    if len(refused) != 1 or NAMES not in refused[0].stderr:
        return "wrong", words(ended)
    other = difference(whole.content, content_of(folder / whole.made))
    return ("wrong", f"differs in {other}") if other else ("refused", "")


def outcome_of_two_on_a_cache(runner: Runner, whole: Undisturbed, work: Path) -> tuple[str, str]:
    """Two studies of the same data at once, in folders of their own: both are done, with the same result."""
    folder = fresh(whole.start, work)
    command = (*whole.command[:-1], "second")
    ended = runner.run_together(folder, whole.command, command)
    if any(one.crashed or one.status != 0 for one in ended):
        return "crashed", words(ended)
    for out in (whole.made, "second"):
        other = difference(whole.content, content_of(folder / out))
        if other not in ("", "report.html"):  # which shows the name of its folder
            return "wrong", f"{out} differs in {other}"
    return "same", ""


def outcome_of_encoding(
    runner: Runner, start: Path, command: tuple[str, ...], encoding: str, work: Path
) -> tuple[str, str]:
    """A command whose output goes where signs are lacking."""
    ended = runner.run(fresh(start, work), *command, fault=Fault(encoding=encoding))
    if ended.crashed:
        return "crashed", words([ended])
    if ended.status == 0:
        return "same", ""
    return ("refused", "") if is_sentence(ended) else ("crashed", words([ended]))


def words(ended: list[Ended]) -> str:
    """How commands ended, for those who look for the reason."""
    return "; ".join(f"{one.status}: {one.stderr[-300:]}" for one in ended)
