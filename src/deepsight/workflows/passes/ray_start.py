"""How Ray is found, started on this machine with patience, or joined where it runs."""

import importlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from inspect import signature
from typing import Any

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log

STARTS = 2  # of Ray on this machine, before it is given up
WAIT_SECONDS = 300.0  # for Ray's own processes to be there; by itself it gives up after 30
LOOK_SECONDS = 1.0  # between two looks
# Of Ray's helpers on this machine, in the words of its code.
PORTS = ("metrics_agent_port", "runtime_env_agent_port", "dashboard_agent_listen_port", "metrics_export_port")


def join_cluster(ray: Any, address: str | None, log: Log) -> None:
    """Connect to a cluster, or start one on this machine where there is no address.

    A start gets minutes, and one that fails is tried again: on a busy machine Ray's own processes come late.

    Raises:
        DeepSightError: it does not answer, or does not start.
    """
    starts = 1 if address is not None else STARTS
    for number in range(1, starts + 1):
        try:
            with patient_start() if address is None else nullcontext():
                ray.init(
                    address=address, include_dashboard=False, log_to_driver=False, configure_logging=False
                )  # fmt: skip
            return
        except Exception as error:  # Ray raises errors of many kinds, some of them plain
            ray.shutdown()  # ends what was started of it
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if number == starts:
                where = "on this machine" if address is None else f"at {address}"
                raise DeepSightError(
                    f"Expected a Ray cluster {where}, but: {said} With --engine local no cluster is needed."
                ) from error
            log(f"Ray did not start: {said} It is started again ({number + 1} of {starts}).")


def ray_library() -> Any:
    """Ray with its data library; it reports nothing to its makers.

    Raises:
        DeepSightError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
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
    """Let Ray's own processes come late, as they do on a busy machine; for a start on this machine.

    Ray offers no setting for two of its waits. It asks for its first process once a second for 30 seconds:
    inside, each question waits for an answer. And that process ends itself where one of its helpers has not
    written down its port within 15 seconds: with ports that are chosen beforehand it does not wait. Versions
    of Ray that are made in another way keep their own time.
    """
    services, parameter = (
        importlib.import_module(f"ray._private.{name}") for name in ("services", "parameter")
    )
    ask, settings = getattr(services, "get_node", None), getattr(parameter, "RayParams", None)
    with ExitStack() as stack:
        if ask is not None:
            stack.enter_context(replaced(services, "get_node", with_patience(ask, seconds)))
        if settings is not None:
            known = set(signature(settings.__init__).parameters)
            ports = [name for name in PORTS if name in known]
            stack.enter_context(replaced(settings, "__init__", with_ports(settings.__init__, ports)))
        yield


@contextmanager
def replaced(place: Any, name: str, value: Any) -> Iterator[None]:
    """Put a value in the place of an attribute for a while."""
    own = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, own)


def with_ports(make: Callable[..., None], names: Sequence[str]) -> Callable[..., None]:
    """The same constructor, with free ports of this machine for these names where none is given."""

    def made(*given: Any, **named: Any) -> None:
        missing = [name for name in names if not named.get(name)]  # 0 stands for any port too
        make(*given, **{**named, **dict(zip(missing, free_ports(len(missing)), strict=True))})

    return made


def free_ports(count: int) -> list[int]:
    """Different ports that nobody uses at the moment."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def with_patience(ask: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    """The same question, asked again for so many seconds as long as it fails as Ray's own does."""

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
