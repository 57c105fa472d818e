"""Runs commands in forked children, so that a thousand of them import torch once.

One request per line on standard input, one reply per line on standard output, both JSON. The server itself
computes nothing: libraries that start threads start them in the children.
"""

import io
import json
import os
import resource
import signal
import sys
import time
from typing import Any

import deepsight.workflows.apply_decisions
import deepsight.workflows.audit.run_audit
import deepsight.workflows.compare
import deepsight.workflows.examine.examine_model
import deepsight.workflows.examine.examine_predictions
import deepsight.workflows.exchange.formats
import deepsight.workflows.gates.conditions
import deepsight.workflows.predict.predict_many
import deepsight.workflows.publish.export
import deepsight.workflows.study
import deepsight.workflows.treat  # noqa: F401
from deepsight.cli.main import main
from faulty import hooks

LONGEST_WAIT = 0.5  # seconds between two looks at a child that count as its time


def serve() -> None:
    """Answer requests until standard input ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # nothing else may write into the replies
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(carried_out(json.loads(line))), file=replies, flush=True)


def carried_out(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run commands at once, each in a child, and say how they ended."""
    began = time.monotonic()
    children = [begun(request) for request in requests]
    return [
        {**watched(child, request, began), "seconds": time.monotonic() - began}
        for child, request in zip(children, requests, strict=True)
    ]


def begun(request: dict[str, Any]) -> int:
    """The process of a command that has just begun."""
    child = os.fork()
    if child == 0:
        os._exit(status_of(request))
    return child


def watched(child: int, request: dict[str, Any], began: float) -> dict[str, Any]:
    """Wait for a child; send it the signal at its instant, and kill it when its time is over.

    Its time does not run while this process is held up, as on a machine that sleeps.
    """
    sent, late, waited, looked = False, False, 0.0, began
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return {"status": os.waitstatus_to_exitcode(status), "sent": sent, "late": late}
        now = time.monotonic()
        waited, looked = waited + min(now - looked, LONGEST_WAIT), now
        if request["signal"] and not sent and now - began >= request["after"]:
            os.kill(child, request["signal"])
            sent = True
        if waited > request["seconds"]:
            os.kill(child, signal.SIGKILL)
            late = True
        time.sleep(0.002)


def status_of(request: dict[str, Any]) -> int:
    """The exit status of the command, which runs in this process."""
    try:
        prepare(request)
        main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as error:
        sys.stderr.write(f"Traceback: {type(error).__name__}: {error}\n")
        status = 70
    else:
        status = 0
    return flushed(status)


def flushed(status: int) -> int:
    """The status once the output is out; 120 where it cannot be written, as Python itself has it."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return 120
    return status


def prepare(request: dict[str, Any]) -> None:
    """Make this process what the request asks for: its folder, streams, limits and faults."""
    for number in (signal.SIGINT, signal.SIGHUP):  # also where the caller ignores them, as `nohup` does
        signal.signal(number, signal.SIG_DFL)
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    for stream, name, mode in ((0, "stdin", "rb"), (1, "stdout", "wb"), (2, "stderr", "wb")):
        with open(request[name], mode) as file:
            os.dup2(file.fileno(), stream)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.BufferedWriter(io.FileIO(number, "wb", closefd=False)), request["encoding"])
        for number in (1, 2)
    )
    for name, value in request["limits"].items():
        kind = getattr(resource, f"RLIMIT_{name}")
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))
    hooks.install(**request["fault"])
    sys.argv = ["deepsight", *request["command"]]


if __name__ == "__main__":
    serve()
