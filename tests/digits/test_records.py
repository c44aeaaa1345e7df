"""What records hold, and what is said of those that do not."""

import pytest
from pydantic import ValidationError

from digits.records import Record, Text, complete, did_you_mean, explain, printable, shown


class Inner(Record):
    number: int = 1


class Outer(Record):
    text: Text = ""
    inner: Inner = Inner()


@pytest.mark.parametrize("given, says", [
    ({"text": 3}, "text is '3'; expected a valid string"), ({"inner": {"number": "1"}}, "inner.number is '1'; expected"),
    ({"inner": {"digit": 1}}, "there is no key"), ({"text": "a\x1bb"}, "holds a character that cannot be shown"),
    ({"text": "a" * 10_001}, f"text is '{'a' * 40}'; ")])
def test_what_is_wrong_is_one_line_with_its_key(given, says):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(given)
    assert says in explain(caught.value) and "\n" not in explain(caught.value)
    assert len(explain(caught.value)) < 300


def test_a_record_does_not_change():
    with pytest.raises(ValidationError):
        Outer().text = "other"


@pytest.mark.parametrize("given, missing", [({"text": ""}, "inner"), ({"text": "", "inner": {}}, "inner.number")])
def test_a_record_is_complete_only_if_every_key_was_given(given, missing):
    with pytest.raises(ValueError, match=f"^{missing} is missing$"):
        complete(Outer.model_validate(given))
    assert complete(Outer.model_validate(Outer().model_dump())) == Outer()


def test_what_hides_or_turns_round_its_neighbours_is_replaced():
    assert printable("a\u202eb\x00c\nd\u200be") == "a\ufffdb\ufffdc\nd\ufffde"
    assert len(printable("a" * 20_000)) == 10_000


def test_the_nearest_word_is_offered_or_all():
    assert did_you_mean("epoch", ["epochs", "seed"]) == " Did you mean 'epochs'?"
    assert did_you_mean("xyz", ["epochs", "seed"]) == " Known are: epochs, seed."


def test_a_value_is_shown_however_long_it_is():
    assert shown(16 ** 5000) == "a value too long to show" and shown("a" * 50) == "a" * 40
