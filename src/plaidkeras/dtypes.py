"""What an operation computes with: the types of its results, numbers and arrays beside tensors, and
booleans, with which PlaidML's compiled code cannot do arithmetic.

`follow_the_compiler` replaces functions of plaidml.tile. The types that these tell of a result are
not those that the compiler gives it: an integer beside a float32 tensor was taken to make it
float64, and so whatever came after.
"""

import numbers

import keras.backend as K
import numpy as np
import plaidml
from plaidml import op, tile
from plaidml.exceptions import PlaidMLError
from plaidml.tile import Shape, Value

BOOLEAN, SIZE = plaidml.DType.BOOLEAN, plaidml.DType.UINT64  # PlaidML's symbolic sizes are uint64
# What takes booleans as they are; all else gets them as numbers.
FOR_BOOLEANS = {"BatchFlatten", "Cast", "Copy", "ExpandDims", "Flatten", "Gather", "Identity",
                "PhaseSwitch", "Repeat", "Reshape", "ReshapeLike", "Reverse", "ShapeOf", "StopGradient",
                "SymbolicDim", "Tile", "Transpose", "_SliceOf"}
COMPARISONS = {"Ge", "Gt", "Le", "Lt", "Equal", "NotEqual"}
# Operations on the bits of integers, as they are of truths, for which there are no instructions.
LOGICAL = {"And": "L * R > 0.0", "Or": "L + R > 0.0", "Xor": "L + R == 1.0", "Invert": "I == 0.0"}
LOGICAL |= {f"Rev{name}": code for name, code in LOGICAL.items()}
# What is a float, whatever it is computed from.
OF_FLOATS = {"Cosine", "Elu", "Exp", "HardSigmoid", "Log", "Mean", "Pow", "Sigmoid", "Sine", "Softmax",
             "SoftmaxCrossentropy", "Sqrt", "Tanh", "Variance"}
BITWISE = {"And", "Or", "Xor", "LShift", "RShift"}
stock_binary_op = tile.binary_op


def follow_the_compiler() -> None:
    """Let the operations that are made from now on tell the types that they are compiled to."""
    tile.common_dtype, tile.binary_op = common_dtype, binary_op
    plaidml._NP_TYPES.update(tile.PLAIDML_DTYPE_TO_NUMPY)  # it lacks the short integers
    # What it says of code that is wrong reads the message of Python 2's exceptions.
    PlaidMLError.message = property(str)
    Value.__array_ufunc__ = None  # NumPy leaves `array * value` to the Value
    Value.__iter__, Value.dtype = _rows, property(K.dtype)


def is_float(dtype: plaidml.DType) -> bool:
    """Whether a type is one of the floating-point ones."""
    return tile.DTYPE_INFOS[dtype].base == "float"


def floatx() -> plaidml.DType:
    """The type that Keras computes in."""
    return tile.convert_np_dtype_to_pml(K.floatx())


def common_dtype(*dtypes: plaidml.DType) -> plaidml.DType:
    """The type of what is computed from these: a float if there is one, else an integer; of several
    the widest, of these the first. It is CommonSupertype of PlaidML's tile/base/shape.cc."""
    return max(dtypes, key=lambda dtype: (is_float(dtype), tile.DTYPE_INFOS[dtype].bitwidth))


def binary_op(lhs, rhs, op_str, dtype=None, name=None) -> Value:
    """An operation on the elements of two tensors, or of a tensor and a number or array.

    An array or large number takes the type of a tensor of floats. The quotient of integers is a
    float. A product with the number zero keeps its shape, which PlaidML drops.
    """
    lhs, rhs = _beside(lhs, rhs), _beside(rhs, lhs)
    for number, x in (lhs, rhs), (rhs, lhs):
        if (name in ("Mul", "RevMul") and isinstance(number, numbers.Number) and number == 0
                and x.shape.dtype != SIZE):
            from plaidkeras.kernels import filled_like

            return filled_like(x, 0.0)
    kind = (name or "").removeprefix("Rev")
    if kind == "FloorDiv" and isinstance(rhs, int) and rhs == 0:
        raise ZeroDivisionError(f"{lhs.name} is divided by the integer zero")
    if kind in BITWISE:  # a number of the tensor's width
        if any(isinstance(x, float) or isinstance(x, Value) and is_float(x.shape.dtype) for x in (lhs, rhs)):
            raise TypeError(f"{kind} is an operation on integers or booleans, not on floats")
        lhs, rhs = (np.array([x], other.dtype) if isinstance(x, int) else x
                    for x, other in ((lhs, rhs), (rhs, lhs)))
    if name in ("TrueDiv", "RevTrueDiv") and _are_integers(lhs, rhs):
        lhs = op.cast(Value.from_python_value(lhs), floatx())
    return stock_binary_op(lhs, rhs, op_str, dtype, name)


def _beside(value, other):
    """An operand in a type that fits the other one."""
    value = np.asarray(value) if isinstance(value, (list, tuple)) else value
    if isinstance(other, Value) and is_float(other.shape.dtype):
        if isinstance(value, np.ndarray) and value.ndim:
            return value.astype(other.dtype)
        if isinstance(value, int) and value.bit_length() > 31:  # no integer of the compiler's
            return float(value)
        if isinstance(value, float) and not np.isfinite(value):  # it cannot write these
            return np.array([value], other.dtype)
    return value


def _are_integers(*operands) -> bool:
    types = [Value.from_python_value(operand).shape.dtype for operand in operands]
    return SIZE not in types and not any(map(is_float, types))


def computable(kind: str, code: str, operands: dict, outputs: list) -> tuple[str, dict, list]:
    """The code, operands and outputs of an operation, with operands of types that its code can be
    compiled for: any other would end Python."""
    types = {value.shape.dtype for value in operands.values()}
    of_booleans = types == {BOOLEAN} and kind not in FOR_BOOLEANS
    if not of_booleans and not (kind in OF_FLOATS and not all(map(is_float, types))):
        return code, operands, outputs
    operands = {name: value if is_float(value.shape.dtype) else op.cast(value, floatx())
                for name, value in operands.items()}
    if kind in LOGICAL:
        code = f"function ({', '.join(operands)}) -> (O) {{ O = {LOGICAL[kind]}; }}"
    elif kind not in COMPARISONS:
        outputs = [(name, shape if is_float(shape.dtype) else Shape(floatx(), shape.dims))
                   for name, shape in outputs]
    return code, operands, outputs


def _rows(x: Value):
    """A tensor's rows, for `for` and `list`, or a shape's sizes; without this they never end."""
    if x.source and isinstance(x.source.op, tile.ShapeOf):
        return iter(x.source.op.source.shape.dims)
    if not x.shape.dims or isinstance(x.shape.dims[0], Value):
        raise TypeError(f"{x.name} is a tensor whose number of rows is not known before it is "
                        f"computed: they cannot be gone through one by one")
    return (x[row] for row in range(x.shape.dims[0]))
