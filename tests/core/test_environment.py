"""What a run says of the machine that it ran on."""

from pathlib import Path

from deepsight.core.environment import environment, machine_mb, memory_mb, peak_rss_mb, processor, rss_mb


def test_processors_of_one_name_are_told_apart(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n\n")
    assert processor(info) == "AMD EPYC (cpu family 26, model 2)"
    info.write_text("processor\t: 0\nmodel name\t: Some ARM core\n")
    assert processor(info) == "Some ARM core"
    assert processor(tmp_path / "absent")


def test_the_machine_is_described() -> None:
    told = environment()
    assert told["versions"]["torch"]
    assert told["cores"] >= 1
    assert told["threads"] >= 1


def test_memory_now_is_at_most_its_peak() -> None:
    before = rss_mb()
    held = b"x" * 50_000_000
    assert peak_rss_mb() > before + 40
    assert 0 < rss_mb() <= peak_rss_mb() < machine_mb()
    assert memory_mb("NoSuchLine") is None
    del held
