"""Recurrent layers on gradtape: compiled loops over time, with the inputs' part of every gate as one product for all steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras.src import tree

import gradtape as tf

from .ops._promotion import result_type
from .ops.core import cast, convert_to_tensor, scan


def _time_first(x: Any) -> Any:
    return tf.transpose(x, [1, 0, *range(2, len(x.shape))])


def rnn(step_function: Callable, inputs: Any, initial_states: Any, go_backwards: bool = False, mask: Any = None, constants: Any = None,
        unroll: bool = False, input_length: Any = None, time_major: bool = False, zero_output_for_mask: bool = False,
        return_all_outputs: bool = True) -> tuple:  # fmt: skip
    """Apply ``step_function(input, states)`` along time.

    Returns:
        The last output, the outputs (or only the last, with a time axis of 1) and the final states.
    """
    inputs = tree.map_structure(convert_to_tensor, inputs)
    initial_states = tree.map_structure(convert_to_tensor, initial_states)
    if not time_major:
        inputs = tree.map_structure(_time_first, inputs)
    steps = tree.flatten(inputs)[0].shape[0]
    if unroll and not steps:
        raise ValueError("Unrolling requires a fixed number of timesteps.")
    constants = list(constants or [])
    if mask is not None:
        mask = tf.cast(convert_to_tensor(mask), "bool")
        if len(mask.shape) == 2:
            mask = tf.expand_dims(mask, -1)
        if not time_major:
            mask = _time_first(mask)
    form = initial_states

    def masked(m: Any, new: Any, old: Any) -> Any:
        return tf.where(tf.reshape(m, [*m.shape, *[1] * (len(new.shape) - len(m.shape))]), new, old)

    def step(carry: Any, x: Any) -> tuple:
        states, previous = carry
        x, m = x if mask is not None else (x, None)
        output, new = step_function(x, (*states, *constants) if constants else states)
        new = tree.pack_sequence_as(form, [convert_to_tensor(s) for s in tree.flatten(new)])
        if m is not None:
            some = tf.reduce_any(m, axis=-1, keepdims=True)
            output = masked(some, output, tf.zeros_like(output) if zero_output_for_mask else previous)
            new = tree.map_structure(lambda n, s: masked(some, n, s), new, states)
        return (new, output), output

    xs = inputs if mask is None else (inputs, mask)
    # the form of an output, for the steps that are masked before there was one
    first = tree.map_structure(lambda x: x[0], inputs)
    like = tree.map_structure(lambda x: tf.zeros_like(x), step_function(first, (*initial_states, *constants) if constants else initial_states)[0]) if mask is not None else ()  # fmt: skip

    def without_output(carry: Any, x: Any) -> tuple:
        (new, output), _ = step((carry, None), x)
        return new, output

    if mask is None:
        states, outputs = scan(without_output, initial_states, xs, reverse=go_backwards, unroll=bool(unroll) or 1)
    else:
        (states, _), outputs = scan(step, (initial_states, like), xs, reverse=go_backwards, unroll=bool(unroll) or 1)
    if go_backwards:
        outputs = tree.map_structure(lambda y: tf.reverse(y, [0]), outputs)
    last = tree.map_structure(lambda y: y[-1], outputs)
    if not return_all_outputs:
        outputs = tree.map_structure(lambda y: y[-1:], outputs)
    if not time_major:
        outputs = tree.map_structure(_time_first, outputs)
    return last, outputs, states


# -- LSTM and GRU ---------------------------------------------------------------------------------------------------------


def cudnn_ok(*args: Any, **kwargs: Any) -> bool:
    """Whether a layer can run on cuDNN: never here."""
    return False


def _gates(x: Any, n: int) -> list:
    return tf.split(x, n, axis=-1)


def _over_time(step: Callable, projected: Any, states: tuple, backwards: bool, sequences: bool) -> tuple:
    """``states = step(projected[t], states)`` for each t, by one loop: all first states, or the last alone, and the final states."""
    n = projected.shape[0]
    if n == 0:
        raise NotImplementedError
    outputs = tf.TensorArray(projected.dtype, size=n, element_shape=states[0].shape) if sequences else None

    def body(i: Any, states: Any, outputs: Any) -> tuple:
        states = step(projected[n - 1 - i if backwards else i], states)
        return i + 1, states, outputs if outputs is None else outputs.write(i, states[0])

    if outputs is None:
        _, states = tf.while_loop(lambda i, s: i < n, lambda i, s: body(i, s, None)[:2], (tf.constant(0), states))
        return tf.expand_dims(states[0], 0), states
    _, states, outputs = tf.while_loop(lambda i, *_: i < n, body, (tf.constant(0), states, outputs))
    return outputs.stack(), states


def _lstm(
    x: Any,
    h: Any,
    c: Any,
    kernel: Any,
    recurrent: Any,
    bias: Any,
    activation: Callable,
    gate: Callable,
    backwards: bool,
    sequences: bool,
) -> tuple:
    projected = tf.linalg.matmul(_time_first(x), kernel)
    if bias is not None:
        projected += bias

    def step(z: Any, states: tuple) -> tuple:
        h, c = states
        i, f, new, o = _gates(z + tf.linalg.matmul(h, recurrent), 4)
        c = gate(f) * c + gate(i) * activation(new)
        return gate(o) * activation(c), c

    outputs, (h, c) = _over_time(step, projected, (h, c), backwards, sequences)
    return h, _time_first(outputs), h, c


def _gru(
    x: Any,
    h: Any,
    kernel: Any,
    recurrent: Any,
    bias: Any,
    activation: Callable,
    gate: Callable,
    backwards: bool,
    sequences: bool,
) -> tuple:
    projected = tf.linalg.matmul(_time_first(x), kernel)
    if bias is not None:
        projected += bias[0]

    def step(zx: Any, states: tuple) -> tuple:
        (h,) = states
        inner = tf.linalg.matmul(h, recurrent)
        if bias is not None:
            inner += bias[1]
        (xz, xr, xh), (hz, hr, hh) = _gates(zx, 3), _gates(inner, 3)
        z = gate(xz + hz)
        return (z * h + (1 - z) * activation(xh + gate(xr + hr) * hh),)

    outputs, (h,) = _over_time(step, projected, (h,), backwards, sequences)
    return h, _time_first(outputs), h


# eagerly a layer is one call of a program too
_lstm_program = tf.function(_lstm, autograph=False)
_gru_program = tf.function(_gru, autograph=False)


def _tensors(*xs: Any) -> list:
    """The arguments as tensors of one dtype."""
    xs = [None if x is None else convert_to_tensor(x) for x in xs]
    dtype = result_type(*[x.dtype.name for x in xs if x is not None])
    return [None if x is None else cast(x, dtype) for x in xs]


def lstm(inputs: Any, initial_state_h: Any, initial_state_c: Any, mask: Any, kernel: Any, recurrent_kernel: Any, bias: Any, activation: Callable,
         recurrent_activation: Callable, return_sequences: bool = False, go_backwards: bool = False, unroll: bool = False) -> tuple:  # fmt: skip
    """An LSTM layer (Hochreiter and Schmidhuber, 1997): the last output, the outputs and the final states."""
    if mask is not None or unroll:
        raise NotImplementedError
    tensors = _tensors(inputs, initial_state_h, initial_state_c, kernel, recurrent_kernel, bias)
    run = _lstm_program if tf.executing_eagerly() else _lstm
    last, outputs, h, c = run(*tensors, activation, recurrent_activation, bool(go_backwards), bool(return_sequences))
    return last, outputs, [h, c]


def gru(inputs: Any, initial_state: Any, mask: Any, kernel: Any, recurrent_kernel: Any, bias: Any, activation: Callable,
        recurrent_activation: Callable, return_sequences: bool = False, go_backwards: bool = False, unroll: bool = False,
        reset_after: bool = True) -> tuple:  # fmt: skip
    """A GRU layer (Cho et al., 2014) in the form with the reset gate behind the product: the last output, the outputs and the final state."""
    if mask is not None or unroll or not reset_after:
        raise NotImplementedError
    tensors = _tensors(inputs, initial_state, kernel, recurrent_kernel, bias)
    run = _gru_program if tf.executing_eagerly() else _gru
    last, outputs, h = run(*tensors, activation, recurrent_activation, bool(go_backwards), bool(return_sequences))
    return last, outputs, [h]


def bidirectional_lstm(*args: Any, **kwargs: Any) -> Any:
    """No better than the two layers."""
    raise NotImplementedError


def bidirectional_gru(*args: Any, **kwargs: Any) -> Any:
    """No better than the two layers."""
    raise NotImplementedError
