"""Functions of keras.backend that PlaidML does not have, or that fail for some layers or losses."""

import builtins
import contextlib
import math

import keras.backend as K
import numpy as np
import plaidml
import plaidml.keras.backend as plaidml_backend
from plaidml import op, tile
from plaidml.tile import Operation, Shape, Value
from scipy.special import ndtr, ndtri

from plaidkeras import convolutions, dropout, kernels
from plaidkeras.dtypes import BOOLEAN, floatx
from plaidkeras.function import Function
from plaidkeras.graph import kernel, kind, stock
from plaidkeras.kernels import indices, listed
from plaidkeras.precomputed import mark_changed

stock_part = Value.__getitem__


def variable(value, dtype=None, name=None, constraint=None):
    """A variable; optimizers apply the constraint. PlaidML refuses it."""
    if isinstance(value, Value):
        value, dtype = get_value(value), dtype or K.dtype(value)
    elif not isinstance(value, (bool, int, float)):
        value = np.asarray(value, dtype or K.floatx())
    made = stock["variable"](value, dtype, name)
    made.constraint = constraint
    return made


def constant(value, dtype=None, shape=None, name=None):
    """A constant; PlaidML's takes no nested lists."""
    return stock["constant"](np.asarray(value), dtype,
                         (np.shape(value) or (1,)) if shape is None else shape, name)


def get_value(x):
    """The value of a variable, or of what is computed of variables, as an array."""
    if isinstance(x.var, plaidml.Tensor):
        return np.array(x.var.as_ndarray(plaidml_backend._ctx))
    return Function([], [x], [])([])[0]


def any(x, axis=None, keepdims=False):
    """Whether some element is not zero, along an axis; PlaidML's is of a type it cannot fetch."""
    return K.sum(K.cast(K.not_equal(x, 0), K.floatx()), axis, keepdims) > 0.0


def all(x, axis=None, keepdims=False):
    """Whether no element is zero, along an axis."""
    return K.equal(K.sum(K.cast(K.equal(x, 0), K.floatx()), axis, keepdims), 0.0)


class ArgMax(Operation):
    """The index of the largest element along an axis, the first of equal ones; PlaidML's is the last
    of them."""

    def __init__(self, x, axis):
        at = kernels.indices("i", x.shape.ndims)
        rows, size = listed(*at[:axis], *at[axis + 1:]), at[axis].upper()
        rest = f"{rows} : {rows.upper()}" if rows else ""
        ranks = kernels.constant(np.arange(x.shape.dims[axis], 0, -1, "float32"))
        super().__init__(
            f"""function (I[{listed(*at).upper()}], Ranks[{size}]) -> (O) {{
                    Largest[{rest}] = >(I[{listed(*at)}]);
                    Rank[{rest}] = >(I[{listed(*at)}] == Largest[{rows}] ? Ranks[{at[axis]}]);
                    O = as_int({size} - Rank, 64);
                }}""", [("I", x), ("Ranks", ranks)],
            [("O", Shape(plaidml.DType.INT64, (*x.shape.dims[:axis], *x.shape.dims[axis + 1:])))])


def argmax(x, axis=-1):
    """The index of the largest element along an axis, or in the flattened tensor for None."""
    x = K.cast(x, K.floatx()) if x.shape.dtype == BOOLEAN else x
    x, axis = (K.flatten(x), 0) if axis is None else (x, axis % x.shape.ndims)
    return op.argmax(x, axis) if isinstance(x.shape.dims[axis], Value) else ArgMax.function(x, axis)


@contextlib.contextmanager
def name_scope(name):
    """What is made inside belongs to a layer; PlaidML's forgets that it ends at an exception."""
    plaidml_backend._NAME_SCOPE_STACK.append(name)
    try:
        yield
    finally:
        plaidml_backend._NAME_SCOPE_STACK.pop()


def equal(x, y):
    """Whether elements are equal, to those of a tensor or to any number."""
    return tile.binary_op(x, y, "L == R", BOOLEAN, "Equal")


def not_equal(x, y):
    """Whether elements are not equal."""
    return tile.binary_op(x, y, "L != R", BOOLEAN, "NotEqual")


def clip(x, min_value=None, max_value=None):
    """x, at least min_value and at most max_value; the lower bound where they cross."""
    if min_value is not None and max_value is not None and not isinstance(max_value, Value):
        max_value = max_value if isinstance(min_value, Value) else builtins.max(min_value, max_value)
    return op.clip(x, min_value, max_value)


def reshape(x, shape):
    """x with its elements in another shape; one of its sizes may be -1."""
    shape, sizes = tuple(shape), [*x.shape.dims, *shape]
    known = not builtins.any(isinstance(size, Value) or size is None for size in sizes)
    if known and 0 not in sizes:
        have, want = int(np.prod(x.shape.dims)), int(np.prod([n for n in shape if n != -1]))
        if have % want if -1 in shape else have != want:
            raise ValueError(f"{x.name} of shape {x.shape.dims} cannot be reshaped to {shape}")
    return op.reshape(x, shape)


def batch_dot(x, y, axes=None, name=None):
    """The products of each matrix of x with that of y, over one axis of each; else the last of x and the last
    but one of y. Of tensors of rank 4 and more all axes but the last two are the batch's, as they are on
    TensorFlow, where they agree and others are multiplied; else all of them are in the product."""
    pair = (axes, axes) if isinstance(axes, int) else axes or (x.shape.ndims - 1, y.shape.ndims - 2)
    pair = [axis % tensor.shape.ndims for axis, tensor in zip(pair, (x, y))]
    expect_equal_axes(x, y, (0, 0), pair)
    outer = max(x.shape.ndims, y.shape.ndims) - 2
    if outer < 2 or min(pair) < outer or builtins.any(
            None not in sizes and len(set(sizes)) > 1
            for sizes in list(zip(K.int_shape(x), K.int_shape(y)))[:outer]):
        return stock["batch_dot"](x, y, axes, name)

    def matrices(tensor, axis, wanted):
        """A tensor as (rows, i, j) with its axis where it is wanted, a missing one as 1."""
        if tensor.shape.ndims == outer + 1:
            tensor = K.expand_dims(tensor, outer if wanted > outer else -1)
        elif axis != wanted:
            tensor = K.permute_dimensions(tensor, (*range(outer), outer + 1, outer))
        return K.reshape(tensor, (-1, *tensor.shape.dims[outer:]))

    product = stock["batch_dot"](matrices(x, pair[0], outer + 1), matrices(y, pair[1], outer), None)
    rest = [tensor.shape.dims[2 * outer + 1 - axis] for tensor, axis in zip((x, y), pair)
            if tensor.shape.ndims == outer + 2]
    return K.reshape(product, (*x.shape.dims[:outer], *rest))


def expect_equal_axes(x, y, *pairs):
    """Raise ValueError where axes that are multiplied differ: PlaidML would go on to the end of the shorter."""
    for left, right in pairs:
        sizes = {K.int_shape(x)[left], K.int_shape(y)[right]}
        if None not in sizes and len(sizes) > 1:
            raise ValueError(f"{x.name} and {y.name} cannot be multiplied: their shapes are "
                             f"{K.int_shape(x)} and {K.int_shape(y)}")


def pow(x, a):
    """x to the power of a; either may be a number."""
    x = x if isinstance(x, Value) else constant(x, shape=())
    if isinstance(a, int) and a == 2:
        return x * x
    if isinstance(a, Value) and a.shape.dims not in ((), x.shape.dims):
        x, a = x + 0.0 * a, a + 0.0 * x
    return op.pow(x, a)


def mod(x, y):
    """What is left of x after division by y, of y's sign; either may be a number."""
    return x - K.floor(x / y) * y


def switch(condition, then_expression, else_expression):
    """One tensor or the other, by a condition for each element or row, or for all.

    Each expression may be a function without arguments. Raises ValueError if they are not of one
    rank, or the condition is of a higher one.
    """
    then, other = (Value.from_python_value(made() if callable(made) else made)
                   for made in (then_expression, else_expression))
    if not isinstance(condition, Value):
        return then if condition else other
    if then.shape.ndims != other.shape.ndims or condition.shape.ndims > then.shape.ndims:
        raise ValueError(f"K.switch: the condition {K.int_shape(condition)} does not choose between "
                         f"tensors of the shapes {K.int_shape(then)} and {K.int_shape(other)}")
    if condition.shape.ndims:
        for _ in range(then.shape.ndims - condition.shape.ndims):
            condition = K.expand_dims(condition)
    return plaidml_backend.Switch.function(condition, then, other)


def part(x, key):
    """x[key], also by the number that a tensor holds. Raises IndexError beyond a known end."""
    if isinstance(key, Value):
        return K.gather(x, K.reshape(key, (1,)))[0]
    for size, index in zip(K.int_shape(x), key if isinstance(key, tuple) else (key,)):
        if isinstance(index, int) and size is not None and not -size <= index < size:
            raise IndexError(f"{x.name} of shape {K.int_shape(x)} has no part at {key}")
        if index is Ellipsis:
            break
    return stock_part(x, key)


def slice(x, start, size):
    """The part of x that begins at `start` and is of a size along each axis, -1 of all that is left."""
    return x[tuple(builtins.slice(first, None if count == -1 else first + count)
                   for first, count in zip(start, size))]


def gather(reference, indices):
    """The rows of a tensor at some indices. A program whose input they are checks them, others are
    kept within: PlaidML reads, and in training writes, beyond the tensor where one is too large."""
    rows, made_of, indices = reference.shape.dims[0], indices, K.cast(indices, "int32")
    while made_of.source and kind(made_of.source.op) == "Cast":
        made_of = made_of.source.op.operands["I"]
    if isinstance(rows, int) and isinstance(made_of.var, plaidml.Placeholder):
        made_of.rows = builtins.min(rows, getattr(made_of, "rows", rows))
    elif isinstance(rows, int):
        indices = op.clip(indices, 0, rows - 1)
    gathered = op.gather(reference, indices)
    # A convolution has PlaidML pad what it reads in place; its gather knows nothing of that: it gets a copy.
    return kernels.transpose(gathered, range(gathered.shape.ndims))


class OneHot(Operation):
    """Whether each index (...) is the number of a class, as numbers (..., classes)."""

    def __init__(self, indices, classes):
        at = kernels.indices("i", indices.shape.ndims)
        super().__init__(
            f"""function (I[{listed(*at).upper()}], Classes[C], One[Z]) -> (O) {{
                    O[{listed(*at, 'c')} : {listed(*at, 'c').upper()}] =
                        =(I[{listed(*at)}] == Classes[c] ? One[0]);
                }}""", [("I", indices), ("Classes", kernels.constant(np.arange(classes, dtype="int32"))),
                        ("One", kernels.constant(np.ones(1, K.floatx())))],
            [("O", Shape(floatx(), (*indices.shape.dims, classes)))])


def one_hot(indices, num_classes):
    """Ones where the class is the index, else zeros: (..., num_classes). PlaidML's is of booleans,
    which it takes for numbers, and so ends Python where they are added up."""
    return OneHot.function(indices, num_classes)


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """The cross-entropy of the numbers of classes, of the output's shape without its axis of classes
    or with 1 there, and probabilities or logits."""
    if axis % output.shape.ndims != output.shape.ndims - 1:
        order = [i for i in range(output.shape.ndims) if i != axis % output.shape.ndims]
        if target.shape.ndims == output.shape.ndims:
            target = K.permute_dimensions(target, [*order, axis % output.shape.ndims])
        output = K.permute_dimensions(output, [*order, axis % output.shape.ndims])
    if target.shape.ndims == output.shape.ndims:
        sizes = listed(*indices("N", output.shape.ndims - 1))
        target = kernel("Targets", f"function (T[{sizes}, One]) -> (O) {{ O = reshape(T, {sizes}); }}",
                        {"T": target}, output.shape.dims[:-1])
    return K.categorical_crossentropy(one_hot(target, output.shape.dims[-1]), output, from_logits)


class PrintTensor(Operation):
    """x itself, which a program prints each time that it computes it."""

    def __init__(self, x, message):
        self.message = message
        super().__init__("function (I) -> (O) { Same = I; O = Same; }", [("I", x)], [("O", x.shape)])


def print_tensor(x, message=""):
    """x itself, printed behind the message whenever it is computed."""
    return PrintTensor.function(x, message)


def local_conv1d(inputs, kernel, kernel_size, strides, data_format=None):
    """A convolution of inputs (n, steps, c) whose weights differ from place to place: kernel
    (places, window * c, filters)."""
    return convolutions.local_convolution(inputs, kernel, kernel_size, strides,
                                          kernel.shape.dims[:1], "channels_last")


def local_conv2d(inputs, kernel, kernel_size, strides, output_shape, data_format=None):
    """The same of images, kernel (rows * columns, window * c, filters)."""
    return convolutions.local_convolution(inputs, kernel, kernel_size, strides, output_shape,
                                          K.normalize_data_format(data_format))


def log(x):
    """The logarithm of a tensor, or of a number, which PlaidML cannot take."""
    return op.log(x) if isinstance(x, Value) else math.log(x)


def softplus(x):
    """log(1 + exp(x)), which does not overflow."""
    return K.relu(x) + K.log(1.0 + K.exp(-K.abs(x)))


def l2_normalize(x, axis=None):
    """x over its length, and zeros where that is zero, as in TensorFlow."""
    squares = K.sum(K.square(x), axis=axis, keepdims=True)
    return x / K.sqrt(K.maximum(squares, 1e-12))


def logsumexp(x, axis=None, keepdims=False):
    """log(sum(exp(x))), which does not overflow."""
    largest = K.stop_gradient(K.max(x, axis=axis, keepdims=True))
    sums = K.sum(K.exp(x - largest), axis=axis, keepdims=keepdims)
    return K.log(sums) + (largest if keepdims else K.sum(largest, axis=axis))


def arange(start, stop=None, step=1, dtype="int32"):
    """Numbers at equal distances, the ends also as tensors."""
    start, stop, step = (number if not isinstance(number, Value) else get_value(number).item()
                         for number in (start, stop, step))
    return stock["variable"](np.arange(start, stop, step, dtype), dtype)


def bias_add(x, bias, data_format=None):
    """x (n, ...) plus a bias of its channels (c,), or of each place and channel (*spatial, c)."""
    data_format = K.normalize_data_format(data_format)
    *spatial, channels = bias.shape.dims
    if spatial and len(spatial) != x.shape.ndims - 2:
        raise ValueError(f"a bias of shape {bias.shape.dims} cannot be added to {K.int_shape(x)}")
    if data_format == "channels_first" and x.shape.ndims > 2:
        bias = K.reshape(bias, (1, channels, *(spatial or [1] * (x.shape.ndims - 2))))
    return x + bias


def concatenate(tensors, axis=-1):
    """Tensors one after the other along an axis. PlaidML adds up as many tensors of the whole size,
    and takes minutes to compile hundreds: those are joined in groups first."""
    while len(tensors) > 16:
        tensors = [op.concatenate(tensors[i:i + 16], axis) if tensors[i + 1:] else tensors[i]
                   for i in range(0, len(tensors), 16)]
    return op.concatenate(tensors, axis) if tensors[1:] else tensors[0]


def stack(x, axis=0):
    """Tensors of one shape beside each other along a new axis; PlaidML's knows no other axis from behind
    than the last, and takes two unknown sizes for different ones."""
    shapes = {K.int_shape(tensor) for tensor in x}
    if len({len(shape) for shape in shapes}) > 1 or builtins.any(
            len({*sizes} - {None}) > 1 for sizes in zip(*shapes)):
        raise ValueError(f"tensors of the shapes {', '.join(map(str, shapes))} cannot be stacked")
    axis %= x[0].shape.ndims + 1
    return K.concatenate([K.expand_dims(tensor, axis) for tensor in x], axis)


def set_value(x, value):
    """Put an array, number or list into a variable. Raises ValueError if it is of another shape."""
    if np.shape(value) != tuple(x.shape.dims) and np.size(value) != 1:
        raise ValueError(f"{x.name} is of the shape {x.shape.dims}: it cannot take {np.shape(value)}")
    mark_changed(x.var)
    stock["set_value"](x, np.reshape(np.asarray(value, K.dtype(x)), x.shape.dims))


def in_top_k(predictions, targets, k):
    """Whether each target (n,) is among the k largest of its row of predictions (n, classes)."""
    chosen = K.sum(predictions * K.one_hot(targets, predictions.shape.dims[-1]), axis=-1)
    above = K.cast(K.greater(predictions, K.expand_dims(chosen)), K.floatx())
    return K.less(K.sum(above, axis=-1), k)


def random_binomial(shape, p=0.0, dtype=None, seed=None):
    """Ones with probability p, else zeros."""
    return K.cast(K.less(K.random_uniform(shape, seed=seed), p), dtype or K.floatx())


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """A variable of normal numbers, none further from the mean than two standard deviations. PlaidML's own
    draws the same, and for that imports scipy.stats, which takes longer than all else before a first step."""
    beyond = ndtr(-2.0)
    quantiles = np.random.uniform(beyond, 1 - beyond, shape)
    return K.variable(stddev * ndtri(quantiles) + mean, dtype or K.floatx())


def separable_conv1d(x, depthwise_kernel, pointwise_kernel, strides=1, padding="valid",
                     data_format=None, dilation_rate=1):
    """A convolution of each channel, then one of size 1 over all; Keras gives numbers or tuples."""
    strides, dilation_rate = (tuple(np.atleast_1d(given).tolist())
                              for given in (strides, dilation_rate))
    if padding == "causal":
        x = K.temporal_padding(x, (dilation_rate[0] * (depthwise_kernel.shape.dims[0] - 1), 0))
        padding = "valid"
    return plaidml_backend.separable_conv(x, depthwise_kernel, pointwise_kernel, strides, padding,
                                          data_format, dilation_rate)


class RepeatElements(Operation):
    """x with each element `count` times along an axis: a product with ones, which fuses
    with what comes after it, as PlaidML's own does not."""

    def __init__(self, x, count, axis):
        self.count, self.axis = count, axis
        sizes = indices("N", x.shape.ndims)
        apart = [*sizes[:axis + 1], "1", *sizes[axis + 1:]]
        repeated = [f"{count} * {size}" if i == axis else size for i, size in enumerate(sizes)]
        ones = np.ones((count,) + (1,) * (x.shape.ndims - axis - 1), K.dtype(x))
        dims = list(x.shape.dims)
        dims[axis] *= count
        super().__init__(
            f"""function (I[{listed(*sizes)}], Ones) -> (O) {{
                    R = reshape(I, {listed(*apart)});
                    P = R * Ones;
                    O = reshape(P, {listed(*repeated)});
                }}""", [("I", x), ("Ones", kernels.constant(ones))],
            [("O", Shape(x.shape.dtype, tuple(dims)))])


def repeat_elements(x, rep, axis):
    """x with each element `rep` times along an axis."""
    return RepeatElements.function(x, rep, axis % x.shape.ndims)


class Interpolation(Operation):
    """x with one of its axes multiplied by a matrix (new length, old length)."""

    def __init__(self, x, matrix, axis):
        self.matrix, self.axis = matrix, axis
        names = indices("x", x.shape.ndims)
        made = [*names[:axis], "y", *names[axis + 1:]]
        dims = list(x.shape.dims)
        dims[axis] = len(matrix)
        super().__init__(
            f"""function (I[{listed(*names).upper()}], M[Y, Z]) -> (O) {{
                    O[{listed(*made)} : {listed(*made).upper()}] =
                        +(M[y, {names[axis]}] * I[{listed(*names)}]);
                }}""", [("I", x), ("M", kernels.constant(matrix.astype(K.dtype(x))))],
            [("O", Shape(x.shape.dtype, tuple(dims)))])


def resize_images(x, height_factor, width_factor, data_format, interpolation="nearest"):
    """x with its rows and columns repeated, or interpolated between as TensorFlow 1 does."""
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f"K.resize_images interpolates 'nearest' or 'bilinear', not {interpolation!r}")
    axes = (1, 2) if K.normalize_data_format(data_format) == "channels_last" else (2, 3)
    for axis, factor in zip(axes, (height_factor, width_factor)):
        if interpolation == "nearest":
            x = K.repeat_elements(x, factor, axis)
        else:
            x = Interpolation.function(x, _bilinear(x.shape.dims[axis], factor), axis)
    return x


def _bilinear(size, factor):
    """The matrix (size * factor, size) that interpolates between neighbours; the last repeats."""
    at = np.arange(size * factor) / factor
    matrix = np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(size)))
    return matrix / matrix.sum(axis=1, keepdims=True)


REPLACEMENTS = (all, any, arange, argmax, batch_dot, bias_add, clip, concatenate, constant, dropout.dropout, equal,
                gather, get_value, in_top_k, l2_normalize, local_conv1d, local_conv2d, log, logsumexp,
                name_scope, not_equal, one_hot, pow, print_tensor, random_binomial, repeat_elements,
                reshape, resize_images, separable_conv1d, set_value, slice, softplus,
                sparse_categorical_crossentropy, stack, switch, truncated_normal, variable)
