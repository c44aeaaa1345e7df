"""Tile functions that PlaidML compiles to fast code on a CPU, and why they have this form.

PlaidML hands a contraction to its matrix kernels (LIBXSMM) only if it has the form

    C[m, n] += A[k, n] * B[m, k]

where m is the last index of C and B, and k the last of A. Everything else runs element by
element, a hundred times slower. PlaidML's own gradients of convolutions and matrix products miss
the form by the order of their indices; a transposed copy of one operand restores it, and its
cost is small against what it saves. All else is done in tiles (compiler_patches.py), whose loops
run in the alphabetical order of the index names, the last innermost. On other devices PlaidML's own
gradients of these operations are used.
"""

import math
from collections.abc import Sequence

import numpy as np
from plaidml.tile import Operation, Shape, Value

from plaidkeras.device import on_cpu
from plaidkeras.graph import kernel


def indices(letter: str, count: int):
    """("x0", "x1", ...): Tile index names; upper case they are the names of their ranges."""
    return [f"{letter}{i}" for i in range(count)]


def listed(*names) -> str:
    return ", ".join(names)


def constant(array: np.ndarray) -> Value:
    """An array that the program carries with it."""
    return Value.from_python_value(array)


def filled_like(x: Value, number: float) -> Value:
    """A tensor of the shape and type of x with one number everywhere."""
    axes = indices("x", x.shape.ndims)
    ranges = listed(*axes).upper()
    return kernel(
        "FilledLike",
        f"function (I{f'[{ranges}]' if axes else ''}, F[One]) -> (O) "
        f"{{ O[{f'{listed(*axes)} : {ranges}' if axes else ''}] = =(F[0]); }}",
        {"I": x, "F": constant(np.array([number], x.dtype))},
        x.shape.dims)


class Transpose(Operation):
    """A copy of x whose axis i is the axis order[i] of x."""

    def __init__(self, x: Value, order: Sequence[int]):
        self.order = tuple(order)
        source = indices("x", x.shape.ndims)
        target = [source[axis] for axis in self.order]
        super().__init__(
            f"function (X[{listed(*source).upper()}]) -> (O) "
            f"{{ O[{listed(*target)} : {listed(*target).upper()}] = =(X[{listed(*source)}]); }}",
            [("X", x)],
            [("O", Shape(x.shape.dtype, tuple(x.shape.dims[axis] for axis in self.order)))])


transpose = Transpose.function


def with_channels_last(function, *images: Value) -> Value:
    """A function of images with their channels last, of images that have them first."""
    rank = images[0].shape.ndims - 2
    made = function(*(transpose(x, [0, *range(2, rank + 2), 1]) for x in images))
    return transpose(made, [0, rank + 1, *range(1, rank + 1)])


# An odd number of rows misses the matrix kernels: copies that are needed anyway make it even.
EVEN = "(N + 1) / 2 * 2"


def dense_input_gradient(dy: Value, weights: Value) -> Value:
    """dy (n, d) times the transposed weights (k, d): (n, k).

    Both dy and the result are smaller than the weights, which stay as they are.
    """
    return kernel("DenseInputGradient", f"""function (G[N, D], W[K, D]) -> (O) {{
                      T[d, n : D, {EVEN}] = =(G[n, d]);
                      R[k, n : K, {EVEN}] = +(W[k, d] * T[d, n]);
                      O[n, k : N, K] = =(R[k, n]);
                  }}""", {"G": dy, "W": weights}, (dy.shape.dims[0], weights.shape.dims[0]))


def dense_kernel_gradient(x: Value, dy: Value) -> Value:
    """The transposed x (n, k) times dy (n, d): (k, d)."""
    return kernel("DenseKernelGradient", f"""function (X[N, K], G[N, D]) -> (O) {{
                      T[k, n : K, {EVEN}] = =(X[n, k]);
                      E[n, d : {EVEN}, D] = =(G[n, d]);
                      O[k, d : K, D] = +(T[k, n] * E[n, d]);
                  }}""", {"X": x, "G": dy}, (x.shape.dims[1], dy.shape.dims[1]))


def sum_to(x: Value, axes: Sequence[int], keepdims: bool = False) -> Value:
    """The sum of x over some of its axes."""
    source = indices("x", x.shape.ndims)
    kept = [i for i in range(x.shape.ndims) if i not in axes]
    target = [source[i] if i in kept else f"z{i}" for i in range(len(source))
              if keepdims or i in kept]
    ranges = [source[i].upper() if i in kept else "1" for i in range(len(source))
              if keepdims or i in kept]
    dims = [x.shape.dims[i] if i in kept else 1 for i in range(len(source))
            if keepdims or i in kept]
    separator = " : " if target else ""
    return kernel(
        "Sum", f"function (I[{listed(*source).upper()}]) -> (O) "
               f"{{ O[{listed(*target)}{separator}{listed(*ranges)}] = +(I[{listed(*source)}]); }}",
        {"I": x}, dims)


def count(x: Value, axes: Sequence[int]) -> Value:
    """How many elements one sum over these axes of x adds up."""
    sizes = indices("X", x.shape.ndims)
    return kernel("Count", f"function (X[{listed(*sizes)}]) -> (O) "
                           f"{{ O = {' * '.join(sizes[axis] for axis in axes)}; }}", {"X": x}, ())


def restore_axes(reduced: Value, x: Value, axes: Sequence[int]) -> Value:
    """What is left of x after a reduction over `axes`, with these axes put back as ones."""
    source = indices("x", x.shape.ndims)
    kept = [name for axis, name in enumerate(source) if axis not in axes]
    target = [name if name in kept else f"z{axis}" for axis, name in enumerate(source)]
    ranges = [name.upper() if name in kept else "1" for name in source]
    return kernel(
        "RestoreAxes", f"function (I[{listed(*kept).upper()}]) -> (O) "
                       f"{{ O[{listed(*target)} : {listed(*ranges)}] = =(I[{listed(*kept)}]); }}",
        {"I": reduced},
        [dim if axis not in axes else 1 for axis, dim in enumerate(x.shape.dims)])


def broadcast_like(x: Value, like: Value) -> Value:
    """x stretched to the shape of `like`."""
    # One, whatever `like` holds: a product with it would turn infinity to NaN.
    return kernel("BroadcastLike", "function (X, L) -> (O) { O = X * (L < 0.0 ? 1.0 : 1.0); }",
                  {"X": x, "L": like}, like.shape.dims)


def flatten_rows(x: Value) -> Value:
    """x (..., k) as a matrix (rows, k)."""
    if x.shape.ndims == 2:
        return x
    sizes = indices("X", x.shape.ndims)
    rows = math.prod(x.shape.dims[:-1])
    return kernel("FlattenRows", f"function (I[{listed(*sizes)}]) -> (O) "
                                 f"{{ O = reshape(I, {'*'.join(sizes[:-1])}, {sizes[-1]}); }}",
                  {"I": x}, (rows, x.shape.dims[-1]))


def reshape_like(x: Value, like: Value) -> Value:
    """The elements of x in the shape of `like`."""
    if tuple(x.shape.dims) == tuple(like.shape.dims):
        return x
    if not like.shape.dims:  # of a single element, which PlaidML cannot reshape to a number
        return sum_to(x, range(x.shape.ndims))
    sizes = indices("L", like.shape.ndims)
    return kernel("ReshapeLike",
                  f"function (I, L[{listed(*sizes)}]) -> (O) {{ O = reshape(I, {listed(*sizes)}); }}",
                  {"I": x, "L": like}, like.shape.dims)


def scale_channels(x: Value, scale: Value) -> Value:
    """x (..., c) times scale (c,); the copy of scale keeps its arithmetic out of x's loop."""
    return kernel("ScaleChannels", "function (X, Scale[C]) -> (O) "
                                   "{ S[c : C] = =(Scale[c]); O = X * S; }",
                  {"X": x, "Scale": scale}, x.shape.dims)


def channel_sum_code(total: str, terms: str, like: Value) -> str:
    """Tile code that makes `total` (c,), the sum over all axes but the last of `terms`, such as
    "X" or "X * Y", of tensors (..., c) with the sizes that `channel_sizes(like)` names.

    One axis at a time, the images last: the error grows with the number of terms. Other
    devices add up all at once.
    """
    axes, sizes = indices("a", like.shape.ndims - 1), indices("A", like.shape.ndims - 1)
    names, code = terms.split(" * "), ""
    if not on_cpu():
        return f"Terms = {terms}; {total}[c : C] = +(Terms[{listed(*axes, 'c')}]);"
    for last in reversed(range(1, len(axes))):
        read = " * ".join(f"{name}[{listed(*axes[:last + 1], 'z')}]" for name in names)
        names = [f"Sum{last}"]
        code += f"Sum{last}[{listed(*axes[:last], 'z')} : {listed(*sizes[:last], 'C')}] = +({read});"
    read = " * ".join(f"{name}[a0, z]" for name in names)
    return f"{code} {total}[z : C] = +({read});"


def channel_sizes(x: Value) -> str:
    """Names for the sizes of x (..., c)."""
    return listed(*indices("A", x.shape.ndims - 1), "C")


def rows_per_channel(x: Value) -> str:
    """Tile code for how many elements of x there are a channel."""
    return "(" + " * ".join(indices("A", x.shape.ndims - 1)) + ")"


def sum_to_channels(x: Value) -> Value:
    """The sum of x (..., c) over all axes but the last, computed once for all its uses."""
    if "channel_sums" not in vars(x):
        x.channel_sums = kernel(
            "SumToChannels", f"function (X[{channel_sizes(x)}]) -> (O) "
                             f"{{ {channel_sum_code('O', 'X', x)} }}", {"X": x}, x.shape.dims[-1:])
    return x.channel_sums


def product_sum_to_channels(x: Value, y: Value) -> Value:
    """The sum of x * y, both (..., c), over all axes but the last."""
    sizes = channel_sizes(x)
    return kernel(
        "ProductSumToChannels", f"function (X[{sizes}], Y[{sizes}]) -> (O) "
                                f"{{ {channel_sum_code('O', 'X * Y', x)} }}",
        {"X": x, "Y": y}, x.shape.dims[-1:])


def add_affine(gradient: Value, x: Value, mean: Value, slope: Value, shift: Value) -> Value:
    """gradient + slope * (x - mean) + shift, for gradient and x (..., c), the others (c,).

    x is read by a choice that depends on the gradient, though both its branches are x: PlaidML
    fuses an operation into the kernel before it only if it reads what that kernel made.
    """
    return kernel("AddAffine", """function (G, X, Mean[C], Slope[C], Shift[C]) -> (O) {
                      M[c : C] = =(Mean[c]);
                      S[c : C] = =(Slope[c]);
                      T[c : C] = =(Shift[c]);
                      Y = (G < 0.0 ? X : X);
                      O = T + (S * (Y - M) + G);
                  }""", {"G": gradient, "X": x, "Mean": mean, "Slope": slope, "Shift": shift},
                  x.shape.dims)


def unbroadcast(gradient: Value, operand: Value) -> Value:
    """Sum a gradient over the axes along which its operand was broadcast."""
    dims, wanted = gradient.shape.dims, operand.shape.dims
    extra = len(dims) - len(wanted)
    if extra == len(dims) - 1 and extra and wanted[0] != 1:
        return sum_to_channels(gradient)
    stretched = [i + extra for i, dim in enumerate(wanted)
                 if isinstance(dim, int) and dim == 1 and dims[i + extra] != 1]
    if stretched:
        gradient = sum_to(gradient, stretched, keepdims=True)
    if extra:
        gradient = sum_to(gradient, range(extra))
    return gradient


TOGETHER = 64  # channels of which the matrix kernels make the sums at a time


def weights_collide_in_cache(window: Sequence[int], channels: int) -> bool:
    """Whether a convolution to so many channels should bring its weights together first.

    The matrix kernels read those of 64 channels again and again, in pieces that lie as far apart
    as there are channels. With a multiple of 128 they all fall on an eighth of the cache or less.
    In a copy they lie together, which pays where the window has several places.
    """
    return channels % (2 * TOGETHER) == 0 and math.prod(window) > 1


def conv_input_gradient(dy: Value, weights: Value, dims, dilation, padding) -> Value:
    """The gradient of a convolution of stride 1 with respect to its input.

    dy (n, *spatial, d), weights (*window, c, d), channels last; `dims` is the input's shape and
    `padding` what the convolution put before each spatial axis. Many channels are computed 64 at
    a time, see weights_collide_in_cache.
    """
    rank = len(dilation)
    x, a = indices("i", rank), indices("a", rank)
    sizes = [f"I{i}" for i in range(rank)]
    back = [f"i{i} - {dilation[i]}*a{i} + {padding[i]}" for i in range(rank)]
    spatial = [f"{s} + {dims[1 + i]} - {dy.shape.dims[1 + i]}" for i, s in enumerate(sizes)]
    together, channel, bounds = "C", "c", ""
    if weights_collide_in_cache(weights.shape.dims[:rank], dims[-1]):
        together, channel, bounds = TOGETHER, f"{TOGETHER}*b + c", f", c < {TOGETHER} no_defract"
    gradient = kernel(
        "ConvInputGradient",
        f"function (G[N, {listed(*sizes)}, D], K[{listed(*a).upper()}, C, D]) -> (O) {{"
        f"  T[b, {listed(*a)}, d, c : C / {together}, {listed(*a).upper()}, D, {together}] ="
        f"    =(K[{listed(*a)}, {channel}, d]){bounds};"
        f"  O[n, {listed(*x)}, {channel} : N, {listed(*spatial)}, C] ="
        f"    +(G[n, {listed(*back)}, d] * T[b, {listed(*a)}, d, c]){bounds};"
        f"}}", {"G": dy, "K": weights}, dims)
    gradient.source.op.geometry = dilation, padding
    return gradient


GROUP = 16  # images whose activations stay in a core's cache together


def conv_kernel_gradient(x: Value, dy: Value, dims, dilation, padding, strides) -> Value:
    """The gradient of a convolution with respect to its weights.

    x (n, *spatial, c), dy (n, *spatial, d), channels last; `dims` (*window, c, d).

    Each place of the window sums over the whole batch, which fits into no cache: it is summed in
    groups of images that do. Where dy's last spatial axis is even and has no stride the matrix
    kernels sum along it, since the copy of x for that stays within an image; else along the
    images of a group.
    """
    rank = len(dilation)
    i, a = indices("i", rank), indices("a", rank)
    # The copy's last axis has the index that is last in the alphabet, so that it runs innermost.
    x_at = [*indices("b", rank - 1), "d"]
    x_ranges = indices("X", rank)
    window_at = [f"{strides[axis]}*i{axis} + {dilation[axis]}*a{axis} - {padding[axis]}"
                 for axis in range(rank)]
    window = [str(dim) for dim in dims[:rank]]
    image = f"{GROUP}*g + r"
    if dy.shape.dims[rank] % 2 == 0 and strides[-1] == 1:
        copy, ranges = ["n", *x_at[:-1], "c", x_at[-1]], ["N", *x_ranges[:-1], "C", x_ranges[-1]]
        place = [image, *window_at[:-1], "c", window_at[-1]]
    else:
        copy, ranges = [*x_at, "c", "n"], [*x_ranges, "C", "N"]
        place = [*window_at, "c", image]
    gradient = kernel(
        "ConvKernelGradient",
        f"function (X[N, {listed(*x_ranges)}, C], G[N, {listed(*i).upper()}, D]) -> (O) {{"
        f"  T[{listed(*copy)} : {listed(*ranges)}] = =(X[n, {listed(*x_at)}, c]);"
        f"  P[g, {listed(*a)}, c, d : (N + {GROUP - 1}) / {GROUP}, {listed(*window)}, C, D] ="
        f"    +(T[{listed(*place)}] * G[{image}, {listed(*i)}, d]), r < {GROUP};"
        f"  O[{listed(*a)}, c, d : {listed(*window)}, C, D] = +(P[b, {listed(*a)}, c, d]);"
        f"}}", {"X": x, "G": dy}, dims)
    gradient.source.op.geometry = dilation, padding, strides
    return gradient


def max_pool_input_gradient(x: Value, y: Value, dy: Value, window, strides, padding) -> Value:
    """The gradient of a max pool with respect to its input x; all channels last.

    Where several inputs of a window are its maximum, the first in row-major order takes the
    whole gradient, as in TensorFlow and PyTorch; PlaidML's own gives it to each of them.
    """
    # R is largest at the window's first place, so the largest R among the maxima is the first's.
    ranks = constant(np.arange(np.prod(window), 0, -1, dtype="float32").reshape(window))
    # Each input has one window where these tile x, and nothing need be added up; PlaidML's
    # compilers for GPUs abort at such a choice.
    tiled = on_cpu() and tuple(strides) == tuple(window) and all(
        dim == size * count for dim, size, count in zip(x.shape.dims[1:], window, y.shape.dims[1:-1]))
    gradient = kernel("MaxPoolInputGradient", _of_first_maxima(
        "G[N, {y}, C]", "O[n, {at}, z : N, {x}, C] = "
        f"{'=' if tiled else '+'}(F[n, {{i}}, z] == R[{{a}}] ? G[n, {{i}}, z]);",
        strides, padding), {"X": x, "Y": y, "R": ranks, "G": dy}, x.shape.dims)
    gradient.source.op.geometry = strides, padding
    return gradient


def max_pool_picked(x: Value, y: Value, ranks: Value, picked: Value, strides, padding) -> Value:
    """What lies in `picked`, of the shape of x, where each window of a pool has its first maximum:
    the gradient of the gradient above."""
    value = kernel("MaxPoolPicked", _of_first_maxima(
        "P[N, {x}, C]", "O[n, {i}, z : N, {y}, C] = +(F[n, {i}, z] == R[{a}] ? P[n, {at}, z]);",
        strides, padding), {"X": x, "Y": y, "R": ranks, "P": picked}, y.shape.dims)
    value.source.op.geometry = strides, padding
    return value


def _of_first_maxima(operand, code, strides, padding) -> str:
    """Tile code of another operand and of F, the rank in its window of each window's first maximum."""
    rank = len(strides)
    i, a = indices("i", rank), indices("a", rank)
    at = listed(*(f"{strides[axis]}*i{axis} + a{axis} - {padding[axis]}" for axis in range(rank)))
    names = {"x": listed(*indices("H", rank)), "y": listed(*i).upper(), "i": listed(*i),
             "a": listed(*a), "A": listed(*a).upper(), "at": at}
    return ("function (X[N, {x}, C], Y[N, {y}, C], R[{A}], " + operand + ") -> (O) {{"
            "  F[n, {i}, z : N, {y}, C] = >(X[n, {at}, z] == Y[n, {i}, z] ? R[{a}]); "
            + code + "}}").format(**names)


def one_channel_conv_kernel_gradient(x: Value, dy: Value, dims) -> Value:
    """The gradient of backend.OneChannelConvolution with respect to its weights.

    With one channel, x lies along its columns, and the matrix kernels can sum over them. Summing
    image by image first keeps their results in registers.
    """
    rows, columns, _, filters = dims
    return kernel(
        "OneChannelConvKernelGradient",
        f"""function (X[N, H, W, C], G[N, I, J, D]) -> (O) {{
                P[n, a, b, d : N, {rows}, {columns}, D] = +(X[n, i + a, j + b, 0] * G[n, i, j, d]);
                O[a, b, z, d : {rows}, {columns}, 1, D] = +(P[n, a, b, d]);
            }}""", {"X": x, "G": dy}, dims)


# Parts and repeats

def batch_matmul(x: Value, y: Value) -> Value:
    """x (n, m, k) times y (n, k, l)."""
    return kernel("BatchMatMul", "function (X[N, M, K], Y[N, K, L]) -> (O) "
                                 "{ O[n, m, l : N, M, L] = +(X[n, m, k] * Y[n, k, l]); }",
                  {"X": x, "Y": y}, (*x.shape.dims[:2], y.shape.dims[2]))


def part(x: Value, offsets: Sequence[int], like: Value) -> Value:
    """The part of x that begins at `offsets` and has the shape of `like`."""
    axes = indices("i", x.shape.ndims)
    at = [f"{axis} + {offset}" for axis, offset in zip(axes, offsets)]
    sizes = listed(*indices("X", len(axes)))
    return kernel(
        "Part", f"function (X[{sizes}], L[{listed(*axes).upper()}]) -> (O) "
                f"{{ O[{listed(*axes)} : {listed(*axes).upper()}] = =(X[{listed(*at)}]); }}",
        {"X": x, "L": like}, like.shape.dims)


def sum_of_repeats(x: Value, axis: int, count: int, dims) -> Value:
    """The sums of `count` neighbours each along an axis of x; `dims` is what is left of it."""
    axes = indices("i", x.shape.ndims)
    sizes = listed(*axes).upper()
    apart = [f"{count} * {name} + k" if i == axis else name for i, name in enumerate(axes)]
    ranges = [f"{name.upper()} / {count}" if i == axis else name.upper()
              for i, name in enumerate(axes)]
    return kernel(
        "SumOfRepeats", f"function (X[{sizes}]) -> (O) {{ O[{listed(*axes)} : {listed(*ranges)}] = "
                        f"+(X[{listed(*apart)}]), k < {count}; }}", {"X": x}, dims)
