"""What is left out of PlaidML's compiling, in the library that is known only."""

from library_memory import other_libraries, read

from plaidkeras import compile_time


def test_llvm_optimizes_less_in_the_library_that_is_known_only(monkeypatch):
    assert compile_time.optimize_less()
    for _ in other_libraries(monkeypatch, compile_time, "ITS_USE", "VECTORIZERS", "LEVELS"):
        assert not compile_time.optimize_less.__wrapped__()
    assert read(compile_time.VECTORIZERS[0], 5) == compile_time.LOOPS_ONLY
    assert read(compile_time.LEVELS[0], 11) == compile_time.O2


def test_names_are_numbered_from_their_count_in_the_library_that_is_known_only():
    assert compile_time.number_names_from_their_count()
    assert read(compile_time.BEFORE_LOOP, 56) == compile_time.FROM_COUNT
    assert not compile_time.number_names_from_their_count.__wrapped__()  # its code is another one now
    assert len(compile_time.FROM_ZERO) == len(compile_time.FROM_COUNT)
