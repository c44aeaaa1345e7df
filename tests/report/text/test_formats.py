import pytest

from digits.run import Layer
from report.text import formats


def layer(**config) -> Layer:
    return Layer(name="layer", kind="Kind", output_shape=(1,), parameters=0, trainable_parameters=0,
                 multiply_adds=0, **config)


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
    (formats.a_digit, (7,), "a 7"),
    (formats.a_digit, (8,), "an 8"),
    (formats.plural, (1, "epoch"), "1 epoch"),
    (formats.plural, (1200, "epoch"), "1,200 epochs"),
    (formats.span, ([33600, 33599, 33600],), "33,599 to 33,600"),
    (formats.span, ([37800],), "37,800"),
    (formats.date, ("2025-03-01T12:30:00+00:00",), "1 March 2025"),
    (formats.shape, ((26, 26, 32),), "26 × 26 × 32"),
    (formats.detail, (layer(kernel_size=(3, 3), strides=(1, 1), padding="valid", activation="relu"),), "3 × 3, relu"),
    (formats.detail, (layer(kernel_size=(5, 5), strides=(2, 2), padding="same", activation="linear"),),
     "5 × 5, stride 2 × 2, padded"),
    (formats.detail, (layer(pool_size=(2, 2), strides=(2, 2), padding="valid"),), "2 × 2"),
    (formats.detail, (layer(rate=0.25),), "0.25"),
    (formats.detail, (layer(),), ""),
])
def test_numbers_are_written_for_people(function, arguments, text):
    assert function(*arguments) == text
