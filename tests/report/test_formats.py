import pytest

from report.text import formats


@pytest.mark.parametrize("function, arguments, text", [
    (formats.number, (2839274,), "2,839,274"),
    (formats.decimal, (0.03412,), "0.0341"),
    (formats.decimal, (-0.001, 2), "0.00"),
    (formats.percent, (0.99476,), "99.48%"),
    (formats.percent, (1.0,), "100.00%"),
    (formats.percent, (0.999999,), "> 99.99%"),
    (formats.duration, (3.21,), "3.2 s"),
    (formats.duration, (59.7,), "1 min 0 s"),
    (formats.duration, (603.2,), "10 min 3 s"),
    (formats.duration, (7265,), "2 h 1 min"),
    (formats.size, (512,), "512 bytes"),
    (formats.size, (208908,), "209 kB"),
    (formats.plural, (1, "mistake"), "1 mistake"),
    (formats.plural, (1200, "mistake"), "1,200 mistakes"),
    (formats.date, ("2025-03-01T12:30:00+00:00",), "1 March 2025"),
    (formats.shape, ((26, 26, 32),), "26 × 26 × 32"),
])
def test_numbers_are_written_for_people(function, arguments, text):
    assert function(*arguments) == text
