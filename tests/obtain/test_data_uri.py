"""The names of data sets on the command line."""

import pytest

from deepsight.core.errors import UsageError
from deepsight.obtain import SCHEMES
from deepsight.obtain.data_uri import DataAddress, parse_address


@pytest.mark.parametrize(
    ("name", "scheme", "place", "options"),
    [
        ("folder:/my photos/Äpfel", "folder", "/my photos/Äpfel", {}),
        ("folder:a?side=96", "folder", "a", {"side": "96"}),
        ("folder:what?/really?", "folder", "what?/really?", {}),
        ("folder:C:/photos", "folder", "C:/photos", {}),
        ("hf:user/name?image=img&label=fine", "hf", "user/name", {"image": "img", "label": "fine"}),
        ("arrays:x.npz", "arrays", "x.npz", {}),
    ],
)
def test_a_name_is_taken_apart(name, scheme, place, options):
    assert parse_address(name, SCHEMES) == DataAddress(scheme, place, options)


def test_a_path_that_exists_is_taken_whole(tmp_path):
    (tmp_path / "q?side=9").mkdir()
    assert parse_address(f"folder:{tmp_path}/q?side=9", SCHEMES).options == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar", "received 'cifar'; did you mean 'cifar10'"),
        ("foldr:x", "did you mean 'folder'"),
        ("folder:", "Expected a path or a name after 'folder:'"),
        ("folder:x?sdie=3", "did you mean 'side'"),
        ("folder:x?side=", "Expected a value for the option 'side'"),
        ("arrays:x.npz?side=64", "received 'side'"),
    ],
)
def test_a_wrong_name_is_refused_with_what_may_be_meant(name, message):
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        parse_address(name, SCHEMES)


@pytest.mark.parametrize("side", ["7", "513", "x", "-64", "64.0", "²"])
def test_a_side_out_of_range_is_refused(side):
    with pytest.raises(UsageError, match="from 8 to 512"):
        _ = DataAddress("folder", "x", {"side": side}).side


def test_the_side_is_open_unless_asked():
    assert DataAddress("folder", "x", {}).side is None
    assert DataAddress("folder", "x", {"side": "96"}).side == 96


@pytest.mark.parametrize(
    ("name", "meant"),
    [("photos", "folder:"), ("mine.npz", "arrays:"), ("list.csv", "table:"), ("photos.zip", "unpack it")],
)
def test_a_path_without_a_scheme_is_refused_with_the_one_that_is_meant(tmp_path, name, meant):
    path = tmp_path / name
    path.touch() if path.suffix else path.mkdir()
    with pytest.raises(UsageError, match=meant):
        parse_address(str(path), SCHEMES)
