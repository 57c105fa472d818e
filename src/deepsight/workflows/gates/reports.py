"""The results of gates for CI systems: JUnit XML, GitHub annotations and a job summary."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from deepsight.core.files.atomic import write_text
from deepsight.core.schemas.json_files import GateResult

SUITE = "DeepSight gates"
# Control characters that XML 1.0 cannot represent.
NOT_IN_XML = {code: None for code in range(32) if code not in (9, 10, 13)}


def write_junit(path: Path, results: Sequence[GateResult]) -> None:
    """Write junit.xml: one test case per gate, which fails with the gate's sentence."""
    failed = str(sum(not result.passed for result in results))
    counts = {"tests": str(len(results)), "failures": failed, "errors": "0", "skipped": "0", "time": "0"}
    root = Element("testsuites", {"name": SUITE, **{k: v for k, v in counts.items() if k != "skipped"}})
    suite = SubElement(root, "testsuite", {"name": SUITE, **counts})
    for result in results:
        name = result.gate.translate(NOT_IN_XML)
        case = SubElement(suite, "testcase", {"name": name, "classname": "deepsight.gates", "time": "0"})
        said = result.says.translate(NOT_IN_XML)
        if result.passed:
            SubElement(case, "system-out").text = said
        else:
            SubElement(case, "failure", {"message": said, "type": "gate"}).text = said
    ElementTree.indent(root)
    declared = '<?xml version="1.0" encoding="utf-8"?>\n'
    write_text(path, declared + ElementTree.tostring(root, encoding="unicode") + "\n")


def github_annotations(results: Sequence[GateResult]) -> list[str]:
    """One workflow command per gate that failed; GitHub shows it beside the pull request."""
    return [error_command(f"Gate: {result.gate}", result.says) for result in results if not result.passed]


def error_command(title: str, message: str) -> str:
    """The workflow command that shows an error."""
    return f"::error title={escaped_for_github(title, of_property=True)}::{escaped_for_github(message)}"


def escaped_for_github(text: str, *, of_property: bool = False) -> str:
    """Text escaped for GitHub's workflow commands, so that no name in it can start another command."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if of_property else text


def summary_markdown(run: str | Path, results: Sequence[GateResult]) -> str:
    """A table of the gates for a job's summary page."""
    rows = [
        f"| {'passed' if result.passed else '**failed**'} | `{cell(result.gate)}` | {cell(result.says)} |"
        for result in results
    ]
    return "\n".join([f"### Gates of `{run}`", "", "| | gate | result |", "|---|---|---|", *rows, ""])


def cell(text: str) -> str:
    """Text escaped for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ").replace("`", "'").replace("<", "&lt;")


def report_to_ci(
    run: str | Path, results: Sequence[GateResult], environment: Mapping[str, str] | None = None
) -> list[str]:
    """Write the step summary if this is a job of GitHub Actions.

    Returns:
        The annotations to print; none elsewhere.
    """
    environment = os.environ if environment is None else environment
    if environment.get("GITHUB_ACTIONS") != "true":
        return []
    if target := environment.get("GITHUB_STEP_SUMMARY"):
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(summary_markdown(run, results))
    return github_annotations(results)
