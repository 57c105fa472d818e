"""Networks are imported without torch's compiler, and answer as before where somebody compiles."""

import subprocess
import sys
import textwrap

import pytest

from deepsight.model import without_dynamo as subject


@pytest.mark.slow
def test_the_compiler_is_left_alone_until_somebody_compiles() -> None:
    code = textwrap.dedent("""
        import sys
        import deepsight.model.backbone
        import torch
        from lightning_fabric.wrappers import OptimizedModule
        module = torch.nn.Linear(2, 2)
        print("torch._dynamo" in sys.modules, isinstance(module, OptimizedModule))
        compiled = torch.compile(module, backend="eager")
        print(isinstance(compiled, OptimizedModule), isinstance(module, OptimizedModule))
        print("torch._dynamo" in sys.modules)
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True", "False", "True"]


def test_a_compiler_that_is_loaded_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = object()
    monkeypatch.setitem(sys.modules, subject.DYNAMO, loaded)  # type: ignore[misc]
    with subject.without_dynamo():
        assert sys.modules[subject.DYNAMO] is loaded
    assert sys.modules[subject.DYNAMO] is loaded


def test_a_package_that_needs_more_of_the_compiler_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    def of_a_later_version(name: str) -> None:
        standing_in = isinstance(sys.modules.get(subject.DYNAMO), type(subject)) and not hasattr(
            sys.modules[subject.DYNAMO], "eval_frame"
        )
        asked.append((name, standing_in))
        if standing_in:
            raise AttributeError("module 'torch._dynamo' has no attribute 'reset'")

    for name in (subject.DYNAMO, subject.UTILS):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(subject, "import_module", of_a_later_version)
    subject.import_networks()
    assert asked == [("timm", True), ("timm", False), ("lightning_fabric", True), ("lightning_fabric", False)]


def test_functions_that_are_kept_out_of_graphs_stay_as_they_are() -> None:
    def one() -> int:
        return 1

    assert subject.disable(one, recursive=False, reason="none") is one
    assert subject.disable(recursive=False)(one) is one
