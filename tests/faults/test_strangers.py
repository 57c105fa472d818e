"""What strangers made: names, pictures, archives and runs write nothing outside and fetch nothing."""

import io
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.core.decisions import Decision, read_decisions, write_decisions
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.files.atomic import safe_name
from deepsight.core.files.spreadsheet import guarded, guarded_frame, unguarded
from deepsight.core.run import Run
from deepsight.model.model_file import load_model
from deepsight.obtain.cifar10.archives import read_archive
from deepsight.obtain.decoding import crop
from deepsight.obtain.decoding.crop import Unreadable, decode_square
from deepsight.obtain.local_file import read_local_file
from deepsight.obtain.readers.tables.table_file import read_table_file
from deepsight.obtain.sources import SourceError
from deepsight.workflows.predict.predict import read_square
from deepsight.workflows.study_context import opened_context

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", {"data": "hf:somebody/something", "offline": False})


@pytest.mark.parametrize(
    "name", ["hf-hub:somebody/model", "hf_hub:somebody/model", "local-dir:/tmp", "../resnet18"]
)
def test_a_run_cannot_name_a_model_that_would_be_fetched(run: Run, name: str) -> None:
    run.save_json("model.json", {"architecture": name, "classes": ["a", "b"]})
    with pytest.raises(UsageError, match="name of a timm backbone"):
        load_model(run.path)


def test_a_run_that_is_opened_fetches_no_data(run: Run) -> None:
    assert opened_context(run).study.offline


def test_view_opens_only_a_report_of_the_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret.html").write_text("secret")
    run.file("report.html").symlink_to(tmp_path / "secret.html")
    done = CliRunner().invoke(app, ["view", str(run.path)])
    assert isinstance(done.exception, DeepSightError)
    assert "leads elsewhere" in str(done.exception)
    run.file("report.html").unlink()
    run.file("report.html").mkdir()
    assert "leads elsewhere" in str(CliRunner().invoke(app, ["view", str(run.path)]).exception)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_of_a_csv_is_a_formula_and_our_own_reader_undoes_it(text: str, tmp_path: Path) -> None:
    frame = guarded_frame(pl.DataFrame({text: [text, "cat"], "n": [-1, 2]}))
    assert frame[f"'{text}"].to_list() == [f"'{text}", "cat"]
    assert frame["n"].to_list() == [-1, 2]
    assert unguarded(guarded(text)) == text
    if text.strip() == text:
        decided = (Decision(id=1, split="test", given=text, decision="keep", label=text, file=text),)
        write_decisions(tmp_path / "a.csv", decided)
        assert f"'{text}" in (tmp_path / "a.csv").read_text()
        assert read_decisions(tmp_path / "a.csv") == decided


@pytest.mark.parametrize("text", FORMULAS)
def test_a_table_that_we_wrote_is_read_as_it_was(text: str, tmp_path: Path) -> None:
    text = text.strip()
    frame = pl.DataFrame({"path": [f"{text}.png", "b.png"], "label": [f"={text}", "'quoted'"]})
    guarded_frame(frame).write_csv(tmp_path / "a.csv")
    assert read_table_file(tmp_path / "a.csv").frame.equals(frame)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a" * 400, "猫", "\x1b[2J", "..", ".", "a b", ""])
def test_any_text_becomes_a_plain_part_of_a_file_name(name: str, tmp_path: Path) -> None:
    made = tmp_path / safe_name(name)
    made.write_text("")
    assert made.parent == tmp_path
    assert list(tmp_path.iterdir()) == [made]
    assert safe_name(name) != safe_name(f"{name}?")


def test_a_plain_name_stays_as_it_is() -> None:
    assert safe_name("IMG_0001.final") == "IMG_0001.final"


def png_of_zeros(side: int) -> bytes:
    """A black PNG (side, side) of few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = b"\0" * (3 * side + 1)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()  # its plugins load pictures of their own
    monkeypatch.setattr(crop, "SMALL_PIXELS", 500_000)
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
    with pytest.raises(Unreadable, match=r"1000 x 1000 pixels in [\d,]+ bytes"):
        decode_square(png_of_zeros(1000), side=8)


def test_a_flat_drawing_is_no_bomb() -> None:
    assert decode_square(png_of_zeros(1000), side=8).shape == (8, 8, 3)


def test_a_large_image_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crop, "SMALL_PIXELS", 100)
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).save(content, "png")
    seen: list[bool] = []
    draft = Image.Image.draft
    monkeypatch.setattr(
        Image.Image, "draft", lambda self, *given: (seen.append(crop.ONE_LARGE.locked()), draft(self, *given))
    )
    decode_square(content.getvalue(), side=8)
    assert seen == [True]
    assert not crop.ONE_LARGE.locked()


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_picture(device: str) -> None:
    with pytest.raises(Unreadable, match="not a regular file"):
        read_local_file(Path(device))
    with pytest.raises(DeepSightError, match=f"Expected an image in {device}"):
        read_square(Path(device), 8)


@pytest.mark.slow
def test_a_header_of_an_archive_is_bounded(tmp_path: Path) -> None:
    """`tarfile` reads the name of an entry whole: here one of 100 MB, which packs into 100 KB."""
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as made:
        head = tarfile.TarInfo("././@LongLink")
        head.type, head.size = tarfile.GNUTYPE_LONGNAME, 100 * 2**20
        made.addfile(head, io.BytesIO(bytes(head.size)))
    with pytest.raises(SourceError, match="header of 104857600 bytes"):
        read_archive(path, ["data_batch_1"])
