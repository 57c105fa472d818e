"""Finds Ray, starts it on this machine with patience, or joins a running cluster."""

import importlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log

STARTS = 4  # attempts to start Ray on this machine
WAIT_SECONDS = 90.0  # to wait for Ray's own processes; Ray itself gives up after 30
LOOK_SECONDS = 1.0  # between two checks


def join_cluster(ray: Any, address: str | None, log: Log) -> None:
    """Connect to a cluster, or start one on this machine if there is no address.

    A start may take minutes and is repeated if it fails: on a busy machine Ray's own processes come up late.

    Raises:
        DeepSightError: the cluster does not answer, or Ray does not start.
    """
    starts = 1 if address is not None else STARTS
    for number in range(1, starts + 1):
        try:
            with patient_start() if address is None else nullcontext():
                ray.init(
                    address=address, include_dashboard=False, log_to_driver=False, configure_logging=False
                )  # fmt: skip
            return
        except Exception as error:  # Ray raises many types of errors, some of them bare
            ray.shutdown()  # ends the processes that did start
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if number == starts:
                where = "on this machine" if address is None else f"at {address}"
                raise DeepSightError(
                    f"Expected a Ray cluster {where}, but: {said}{advice_on_tokens(address)} "
                    "With --engine local no cluster is needed."
                ) from error
            log(f"Ray did not start: {said} It is started again ({number + 1} of {starts}).")


def advice_on_tokens(address: str | None) -> str:
    """What to do where a cluster may ask for a token: Ray sends none to an address unless it is told to."""
    if address is None or os.environ.get("RAY_AUTH_MODE"):
        return ""
    return " If the cluster asks for a token, set RAY_AUTH_MODE=token."


def ray_library() -> Any:
    """The module of Ray with its data library; its usage statistics are switched off.

    Raises:
        DeepSightError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")  # its plans and progress would mix with ours
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", str(int(WAIT_SECONDS)))
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise DeepSightError(
            "Expected the library Ray for --engine ray, but it is not installed. "
            "Install it: pip install 'deepsight-forensics[ray]'"
        ) from error
    return ray


@contextmanager
def patient_start(seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Make Ray wait longer for its first process when it starts on this machine.

    Ray asks once a second for 30 seconds whether that process has reported, and has no setting for it. The
    process reports once its helpers have; it waits 15 seconds for each and exits if one is later, so that
    only a new start helps. Within this context each question waits up to `seconds`. Versions of Ray without
    this function keep their own limit.
    """
    services = importlib.import_module("ray._private.services")
    ask = getattr(services, "get_node", None)
    if ask is None:
        yield
        return
    services.get_node = with_patience(ask, seconds)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        services.get_node = ask  # type: ignore[attr-defined]


def with_patience(ask: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    """The same function, called again for so many seconds while it raises RuntimeError."""

    def asked(*given: Any, **named: Any) -> Any:
        until = time.monotonic() + seconds
        while True:
            try:
                return ask(*given, **named)
            except RuntimeError:
                if time.monotonic() > until:
                    raise
            time.sleep(LOOK_SECONDS)

    return asked
