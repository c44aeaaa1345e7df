"""What PlaidML's compiler would end Python at is an exception, which names the operation."""

import os
import subprocess
import sys
import textwrap

import keras.backend as K
import numpy as np
import pytest
from keras.layers import Conv2D, Dense, Embedding
from keras.models import Sequential
from plaidml.tile import Operation

from plaidkeras.checks import CannotCompute

# Each ended Python with SIGABRT or SIGSEGV.
FATAL = {
    "a tensor without elements": "K.eval(K.sum(K.zeros((0, 3))))",
    "an empty part of one": "K.eval(K.exp(v[:, 2:2]))",
    "a window larger than the image": "K.eval(K.pool2d(K.ones((1, 2, 2, 2)), (3, 3)))",
    "no repeats": "K.eval(K.repeat_elements(v, 0, 0))",
    "an array without elements": "K.function([x], [K.sum(x, axis=0)])([np.ones((0, 3))])",
    "float16 on the CPU": "K.eval(K.exp(K.variable(np.ones(3), dtype='float16')))",
    "an update of another shape": "K.function([], [], [(v, K.variable(1.0))])([])",
    "an update of another size": "K.function([x], [], [(v, x * 2.0)])([np.ones((5, 3))])",
}


def test_what_ended_python_is_an_exception():
    script = textwrap.dedent("""
        import plaidkeras; plaidkeras.install("llvm_cpu.0")
        import keras.backend as K, numpy as np
        from plaidkeras.checks import CannotCompute
        v, x = K.variable(np.ones((2, 3))), K.placeholder((None, 3))
        for name, code in {}.items():
            try:
                eval(code)
            except CannotCompute as error:
                print(name, "::", error, flush=True)
            else:
                print(name, "went on", flush=True)
        """).format(FATAL)
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, timeout=300)
    told = [line.split(" :: ")[0] for line in run.stdout.splitlines()]
    assert (told, run.returncode) == (list(FATAL), 0), run.stdout + run.stderr


def test_an_array_that_does_not_fit_its_input_is_refused_by_name():
    x = K.placeholder((None, 3), name="pixels")
    function = K.function([x], [x + 1.0])
    with pytest.raises(CannotCompute, match=r"pixels takes arrays of the shape \(None, 3\), not \(2, 4\)"):
        function([np.ones((2, 4))])
    with pytest.raises(CannotCompute, match="not None"):
        function([None])
    with pytest.raises(CannotCompute, match="1 inputs, not 2"):
        function([np.ones((2, 3))] * 2)


def test_the_operation_that_does_not_fit_its_operands_is_named():
    x = K.placeholder((None, None))
    with K.name_scope("layer_7"):
        y = K.exp(x) * K.variable(np.ones((2, 3)))
    with pytest.raises(CannotCompute, match=r"Mul in layer_7, of L \(None, None\), R \(2, 3\): Mismatched"):
        K.function([x], [K.sum(y, axis=1)])([np.ones((4, 5))])


def test_a_value_that_needs_an_input_cannot_be_evaluated_without():
    with pytest.raises(CannotCompute, match="laceholder"):
        K.eval(K.exp(K.placeholder((2, 3))))


@pytest.mark.parametrize("function, message", [
    (lambda v: K.dot(v, K.ones((4, 5))), "cannot be multiplied"),
    (lambda v: K.batch_dot(v, K.ones((v.shape.dims[0], v.shape.dims[-1] + 1)), 1), "cannot be multiplied"),
    (lambda v: K.reshape(v, (4, 5)), "cannot be reshaped"),
    (lambda v: K.reshape(v, (4, -1)), "cannot be reshaped"),
    (lambda v: K.conv2d(K.ones((1, 5, 5, 2)), K.ones((3, 3, 3, 4))), "convolution of 2 channels"),
    (lambda v: K.depthwise_conv2d(K.ones((1, 5, 5, 2)), K.ones((3, 3, 2, 1)), data_format="channels_middle"),
     "`data_format` argument"),
    (lambda v: K.depthwise_conv2d(K.ones((1, 5, 5, 2)), K.ones((3, 3, 2, 1)), padding="full"), "padding"),
    (lambda v: K.switch(K.greater(v, 1), v, K.ones((3,))), "does not choose between"),
    (lambda v: K.resize_images(K.ones((1, 2, 2, 1)), 2, 2, "channels_middle"), "`data_format` argument"),
    (lambda v: K.resize_images(K.ones((1, 2, 2, 1)), 2, 2, "channels_last", "cubic"), "'nearest' or 'bilinear'"),
    (lambda v: K.pool2d(K.ones((1, 4, 4, 1)), (2, 2), (2, 2), padding="full"), "padding"),
    (lambda v: K.pool2d(K.ones((1, 4, 4, 1)), (2, 2), pool_mode="avg", padding="full"), "padding"),
    (lambda v: K.conv2d_transpose(K.ones((1, 4, 4, 1)), K.ones((2, 2, 1, 1)), (1, 5, 5, 1), padding="full"), "padding"),
    (lambda v: K.dropout(v, 1.0), "less than 1"),
    (lambda v: K.set_value(v, np.ones((4, 5))), "cannot take"),
])
def test_shapes_that_do_not_fit_are_refused_where_they_are_given(function, message):
    with pytest.raises(ValueError, match=message):
        function(K.variable(np.ones((2, 3))))


def test_an_index_outside_of_an_embedding_is_refused():
    model = Sequential([Embedding(4, 3, input_length=2, name="words")])
    assert model.predict(np.array([[3, 0]])).shape == (1, 2, 3)
    for index in (4, -1):
        with pytest.raises(IndexError, match="words_input holds indices"):
            model.predict(np.array([[index, 0]]))


def test_indices_that_are_computed_stay_within_the_tensor():
    rows = K.gather(K.variable([[1.0], [2.0]]), K.variable([0, 700000, -3], dtype="int32"))
    assert K.eval(rows).tolist() == [[1], [2], [1]]


def test_code_that_is_wrong_is_told_with_its_operation():
    x = K.variable(np.ones((2, 3)))
    wrong = Operation("function (I) -> (O) { O = J; }", [("I", x)], [("O", x.shape)], name="Mine")
    with pytest.raises(Exception, match="in op Mine.*undefined input|in op Mine"):
        K.eval(wrong.sole_output())


def test_numbers_and_variables_are_outputs_like_others():
    v, x = K.variable([1.0, 2.0]), K.placeholder((None, 3))
    size, doubled, number, variable, twice = K.function(
        [x], [K.shape(x)[0], 2 * x.shape.dims[0], 3.5, v, v])([np.ones((4, 3))])
    assert (size, doubled, number) == (4, 8, 3.5)
    assert variable.tolist() == twice.tolist() == [1, 2]
    assert K.function([], [])([]) == []


@pytest.mark.parametrize("new", [lambda v: 0.0 * v + 1.0, lambda v: 1.0, lambda v: K.ones_like(v)],
                         ids=["folded", "number", "tensor"])
def test_an_update_to_a_constant_is_made(new):
    v = K.variable([[3.0, 4.0]])
    K.function([], [v + 1.0], [K.update(v, new(v))])([])
    assert K.get_value(v).tolist() == [[1, 1]]


def test_a_constraint_that_returns_a_constant_holds():
    model = Sequential([Dense(2, input_shape=(3,), kernel_constraint=lambda w: 0.0 * w + 0.5)])
    model.compile("sgd", "mse")
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 2)))
    assert (model.get_weights()[0] == 0.5).all()


def test_truths_are_fetched():
    x = K.placeholder((None, 3))
    function = K.function([x], [K.any(K.greater(x, 1), axis=1), K.all(x, axis=0)])
    some, every = function([[[0, 1, 2], [0, 1, 1]]])
    assert (some.tolist(), every.tolist(), some.dtype) == ([True, False], [False, True, True], bool)


def test_a_failed_call_leaves_the_function_usable():
    model = Sequential([Conv2D(2, 3, input_shape=(None, None, 1))])
    with pytest.raises(CannotCompute, match="no elements"):
        model.predict(np.ones((1, 2, 2, 1)))
    assert model.predict(np.ones((1, 4, 4, 1))).shape == (1, 2, 2, 2)
