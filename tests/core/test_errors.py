"""Messages of other libraries' errors, shortened."""

from deepsight.core.errors import first_line, near_names


def test_an_error_without_text_is_named_by_its_type():
    assert first_line(KeyError()) == "KeyError"
    assert first_line(OSError("\n one\ntwo")) == "one"
    assert first_line(ValueError("x" * 1000), most=10) == "x" * 10


def test_close_names_are_offered_and_else_the_first_that_are_known():
    assert near_names("catt", ["cat", "owl"]) == "did you mean 'cat'?"
    assert near_names("zzz", [f"n{i:02d}" for i in range(20)]).endswith("n11…")
