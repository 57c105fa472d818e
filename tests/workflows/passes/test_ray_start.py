"""Ray is given time to start, is started again where it failed, and its failure is a sentence."""

from typing import Any

import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import silent
from deepsight.workflows.passes import ray_start
from deepsight.workflows.passes.ray_start import STARTS, join_cluster, patient_start, with_patience


@pytest.fixture(autouse=True)
def ray_is_installed() -> None:
    pytest.importorskip("ray", reason="Ray is not installed")


class Unwilling:
    """Stands for Ray on a busy machine: the first starts fail."""

    def __init__(self, failures: int) -> None:
        self.left, self.ended = failures, 0

    def init(self, **_: Any) -> None:
        if self.left:
            self.left -= 1
            raise RuntimeError("The current node timed out during startup.\nMore lines.")

    def shutdown(self) -> None:
        self.ended += 1


def test_a_start_that_takes_too_long_is_tried_again_and_said() -> None:
    ray, said = Unwilling(1), []
    join_cluster(ray, None, said.append)
    assert ray.ended == 1
    assert len(said) == 1
    assert "timed out during startup. It is started again (2 of 4)." in said[0]


def test_a_cluster_that_never_starts_or_does_not_answer_ends_with_a_sentence() -> None:
    ray = Unwilling(100)
    with pytest.raises(DeepSightError, match=r"Ray cluster on this machine, but: .* --engine local"):
        join_cluster(ray, None, silent)
    assert ray.ended == STARTS
    with pytest.raises(DeepSightError, match="at ray://head:10001"):
        join_cluster(ray, "ray://head:10001", silent)
    assert ray.ended == STARTS + 1


def test_a_cluster_that_may_ask_for_a_token_says_how_to_send_it(monkeypatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(DeepSightError, match="set RAY_AUTH_MODE=token"):
        join_cluster(Unwilling(1), "head:6379", silent)
    with pytest.raises(DeepSightError) as here:
        join_cluster(Unwilling(100), None, silent)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(DeepSightError) as told:
        join_cluster(Unwilling(1), "head:6379", silent)
    assert "RAY_AUTH_MODE" not in str(here.value) + str(told.value)


def test_a_question_is_asked_again_until_it_is_answered_or_time_is_up(monkeypatch) -> None:
    monkeypatch.setattr(ray_start, "LOOK_SECONDS", 0.0)
    asked: list[str] = []

    def ask(address: str, *, name: str) -> str:
        asked.append(address + name)
        if len(asked) < 3:
            raise RuntimeError("not there yet")
        return "there"

    assert with_patience(ask, 60.0)("host", name="node") == "there"
    assert asked == ["hostnode"] * 3
    asked.clear()
    with pytest.raises(RuntimeError, match="not there yet"):
        with_patience(ask, -1.0)("host", name="node")


def test_ray_asks_as_before_after_its_start() -> None:
    from ray._private import node, services

    own = services.get_node
    with patient_start():
        assert services.get_node is not own
        assert node.ray._private.services.get_node is services.get_node  # as it is asked at the start
    assert services.get_node is own
