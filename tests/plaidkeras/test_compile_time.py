"""What is left out of PlaidML's compiling, in the library that is known only."""

from library_memory import read

from plaidkeras import compile_time


def test_the_slowest_pass_is_skipped_in_the_library_that_is_known_only(monkeypatch):
    at, code = compile_time.ITS_USE
    for other in (at, code[::-1]), (at + 1, code), (2 ** 62, code):
        with monkeypatch.context() as patched:
            patched.setattr(compile_time, "ITS_USE", other)
            assert not compile_time.skip_loop_strength_reduction.__wrapped__()
    assert compile_time.skip_loop_strength_reduction.__wrapped__()


def test_equal_functions_are_merged_first_in_the_library_that_is_known_only(monkeypatch):
    assert compile_time.merge_equal_functions_first()
    extensions = read(compile_time.EXTENSIONS, 8)
    assert extensions != bytes(8)
    monkeypatch.setattr(compile_time, "ITS_READING", (compile_time.EXTENSIONS, bytes(8)))
    assert not compile_time.merge_equal_functions_first.__wrapped__()
    monkeypatch.undo()
    assert not compile_time.merge_equal_functions_first.__wrapped__()  # someone's list is there
    assert read(compile_time.EXTENSIONS, 8) == extensions


def test_names_are_numbered_from_their_count_in_the_library_that_is_known_only():
    assert compile_time.number_names_from_their_count()
    assert read(compile_time.BEFORE_LOOP, 56) == compile_time.FROM_COUNT
    assert not compile_time.number_names_from_their_count.__wrapped__()  # its code is another one now
    assert len(compile_time.FROM_ZERO) == len(compile_time.FROM_COUNT)
