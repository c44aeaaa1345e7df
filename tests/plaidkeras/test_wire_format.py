from plaidkeras.wire_format import field, fields


def test_a_field_is_read_as_it_was_written():
    contents = [(1, b"name"), (2, 300), (3, 0.25), (5, 2 ** 64 - 1), (15, b""), (16, b"x" * 200), (4, 0)]
    assert list(fields(b"".join(field(*each) for each in contents))) == contents
