"""A reshape of a tensor that PlaidML pads for another operation gets the tensor without its padding.

PlaidML pads what a convolution reads beyond its end in place. Of all others that use the tensor it then moves the
indices, but a reshape copies memory as it lies: it copied the padding, and not the end.
"""

import math

from plaidkeras import first_values, stripe
from plaidkeras.stripe import Tensor, named, part


def reshape_unpadded(program: bytes) -> bytes:
    """A program whose reshapes copy what was written of a tensor."""
    return stripe.change_statements(program, _unpadded)


def _unpadded(statements: list[bytes], around: list[Tensor]) -> list[bytes]:
    by_name = {tensor.name: tensor for tensor in around}

    def unpadded(at, statement):
        if stripe.name_of_special(statement) != b"reshape":
            return statement
        source, target = (by_name[name] for name in named(statement))
        if source.bytes == target.bytes:
            return statement
        box = next((box for each in statements[:at] if not first_values.is_zero(each)
                    and (box := first_values.written(part(each, stripe.BLOCK, b""), source.name))), [])
        is_target = box and math.prod(end - begin for begin, end in box) == target.elements
        return stripe.copy(source, box, target) if is_target else statement

    return [unpadded(*each) for each in enumerate(statements)]
