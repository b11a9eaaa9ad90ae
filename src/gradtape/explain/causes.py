"""The causes of gradients that are None, zero or not finite, in words, each with its cure."""

from __future__ import annotations

from typing import NamedTuple

from .places import Place


class Cause(NamedTuple):
    """Why, and what to do. The texts are filled in with names: {x} the source, {y} the target, {op} the operation, {v} a variable or value."""

    why: str
    cure: str


CAUSES: dict[str, Cause] = {
    # -- None ---------------------------------------------------------------------------------------------------------------
    "not_watched": Cause(
        "{x} is a tensor that the tape does not watch. By themselves tapes watch trainable variables only.",
        "write tape.watch({x}) inside the `with` block before {x} is used, or make it a tf.Variable",
    ),
    "variable_not_watched": Cause(
        "{x} is a variable, but the tape was made with watch_accessed_variables=False and nobody asked it to watch {x}.",
        "write tape.watch({x}) at the beginning of the `with` block",
    ),
    "not_trainable": Cause(
        "the variable {x} was made with trainable=False, so tapes do not watch it by themselves.",
        "make it with trainable=True, or write tape.watch({x}) at the beginning of the `with` block",
    ),
    "variable_not_read": Cause(
        "the variable {x} was not read while the tape was recording.",
        "compute {y} from {x} inside the `with tf.GradientTape()` block",
    ),
    "not_a_tensor": Cause(
        "{x} is no tensor: it is {v}. What is computed with a Python number or a NumPy array is not recorded.",
        "make it a tf.Variable, or a tf.constant that the tape watches, before it is used",
    ),
    "integer_source": Cause(
        "{x} has the dtype {v}: only floating-point and complex tensors have derivatives.",
        "make {x} with a float dtype, for instance tf.Variable(3.0) or tf.constant(3, dtype=tf.float32)",
    ),
    "integer_target": Cause(
        "{y} has the dtype {v}: only floating-point and complex tensors have derivatives.",
        "differentiate a float, for instance a loss that is computed before the rounding, the argmax or the cast",
    ),
    "integer": Cause(
        "the path from {x} to {y} goes through {v} numbers here ({op}), which have no derivatives.",
        "stay in floats: cast integers to floats, never the floats of the path to integers",
    ),
    "not_differentiable": Cause(
        "the path from {x} to {y} goes through {op}, which has no derivative.",
        "use a smooth operation in its place (softmax for argmax, sigmoid for a comparison), or the straight-through estimator tf.grad_pass_through({op})",
    ),
    "stop_gradient": Cause(
        "the path from {x} to {y} goes through tf.stop_gradient, which is there to cut it.",
        "take tf.stop_gradient away, if the derivative is wanted",
    ),
    "numpy": Cause(
        "the value left gradtape here ({op}) and came back as a plain number or array, whose origin no tape can know.",
        "use the tf function of the same name: tf.reduce_mean for np.mean, tf.exp for np.exp; take .numpy(), float() only of what is printed",
    ),
    "numpy_target": Cause(
        "{y} is no tensor but {v}: the calculation left gradtape here ({op}).",
        "use tf functions up to {y}: tf.reduce_mean for np.mean, tf.exp for np.exp",
    ),
    "state": Cause(
        "the path from {x} to {y} goes through the variable {v}: here the value was stored in it by {op}. A variable starts a new history with every assignment.",
        "compute {y} from the tensor itself, before or instead of storing it in {v}",
    ),
    "replaced": Cause(
        "{x} is no variable: it is a tensor that was computed here from {v}, and {y} was not computed from this tensor under the tape.",
        "keep the variable: write x.assign(...), x.assign_add(...) or x.assign_sub(...) in place of x = x + ...; give tensors computed from it another name",
    ),
    "outside_tape": Cause(
        "this step on the path from {x} to {y} ran while the tape was not recording: before or after its `with` block, or after its gradient had been taken.",
        "move it into the `with tf.GradientTape()` block",
    ),
    "recording_stopped": Cause(
        "this step on the path from {x} to {y} ran inside tape.stop_recording().",
        "move it out of that block, if the derivative is wanted",
    ),
    "watched_late": Cause(
        "this step used {x} before the tape watched it.",
        "write tape.watch({x}) at the beginning of the `with` block, before {x} is used",
    ),
    "custom_gradient": Cause(
        "the custom gradient of {op} returned None for this input{v}.",
        "return a gradient for it, zeros if it is zero",
    ),
    "no_dependence": Cause(
        "{y} was not computed from {x}. It was computed from {v}.",
        "check the names: {x} must be what {y} was computed with. tape.gradient(..., unconnected_gradients='zero') gives zeros",
    ),
    "constant_target": Cause(
        "{y} was not computed by operations of gradtape: it is a constant, came from Python or NumPy (tf.numpy_function), or was made where no lines were noted, before or after the tape's block.",
        "compute {y} inside the `with tf.GradientTape()` block from {x}",
    ),
    "not_implemented": Cause(
        "the derivative of {op} is not implemented.",
        "give it one with tf.custom_gradient",
    ),
    "not_recorded": Cause(
        "the tape recorded no path from {x} to {y}: {y} was computed outside the `with` block, from other values, through NumPy, through integers or an operation without a derivative, through tf.stop_gradient or through a variable.",
        "record under `with tf.debugging.trace_lines():` and ask again: then the explanation names the one that it is, and the line",
    ),
    "gone": Cause(
        "the tape has dropped its records, as once-only tapes do at their first gradient.",
        "ask before the gradient is taken, make the tape persistent=True, or record under `with tf.debugging.trace_lines():`",
    ),
    # -- zero ---------------------------------------------------------------------------------------------------------------
    "relu": Cause("{v} of relu here {are} not above 0, where its slope is 0 (a dead unit).", "start from smaller biases and a lower learning rate, or use tf.nn.leaky_relu, elu or gelu"),
    "saturated": Cause("{op} is saturated here: its input is so far from 0 that its slope rounds to 0.", "scale the input down, or use the fused losses that take logits (tf.nn.sigmoid_cross_entropy_with_logits, softmax_cross_entropy_with_logits)"),
    "branch": Cause("tf.where took the other branch here, for all elements.", "nothing is wrong if that is meant; else check the condition"),
    "times_zero": Cause("the value is multiplied by 0 here.", "check the other factor: a mask, a weight or a counter that is 0"),
    "not_selected": Cause("{op} chose other elements here: what is not chosen has the derivative 0.", "nothing is wrong if that is meant; tf.reduce_logsumexp or softmax weights are smooth in all elements"),
    "clipped": Cause("the value was clipped here ({op}): outside of the bounds the slope is 0.", "widen the bounds, or clip the gradient in place of the value (tf.clip_by_norm)"),
    "flat": Cause("{op} has the derivative 0 everywhere.", "use a smooth operation in its place (tf.tanh for tf.sign)"),
    "stationary": Cause("the slope of {op} is 0 at this value.", "nothing is wrong: it is a stationary point. Start from another value if the optimizer shall leave it"),
    "cancels": Cause("several paths lead from here to {y}, and their contributions cancel.", "check the formula: x - x, or a softmax that is summed, does not depend on x"),
    "underflow": Cause("the product of the derivatives is smaller than the dtype can hold here ({op}).", "compute in logarithms or in tf.float64, or scale the loss"),
    "custom_zero": Cause("the custom gradient of {op} returned zeros here.", "check its formula"),
    "dropped": Cause("dropout or a mask put 0 in the place of the value here.", "nothing is wrong if that is meant"),
    "zero_here": Cause("what flows back through {op} here is 0.", "check its inputs, which tape.table() shows"),
    # -- NaN and infinite ----------------------------------------------------------------------------------------------------
    "double_where": Cause(
        "tf.where did not take this branch, so a cotangent of 0 flows into it; there {op} has an infinite or undefined derivative, and 0 · inf is NaN. (The double-where problem.)",
        "make the argument safe before the operation, with a where of its own: safe = tf.where(condition, x, 1.0); y = tf.where(condition, f(safe), other)",
    ),
    "log_of_zero": Cause("the logarithm of {v} was taken here.", "keep the argument above 0: tf.math.log(x + 1e-7), tf.maximum(x, 1e-7), or a loss that takes logits"),
    "log_of_negative": Cause("the logarithm of a negative number was taken here ({v}).", "check the sign of the argument; tf.abs or tf.nn.softplus keep it positive"),
    "root_of_zero": Cause("the slope of {op} is infinite at 0, and its argument is 0 here.", "keep the argument above 0: tf.sqrt(x + 1e-12); of a norm, tf.sqrt(tf.maximum(s, 1e-12))"),
    "root_of_negative": Cause("{op} of a negative number was taken here ({v}).", "check the sign of the argument"),
    "division_by_zero": Cause("a division by 0 happens here.", "keep the divisor away from 0, or use tf.math.divide_no_nan, whose gradient is 0 there"),
    "overflow": Cause("{op} overflows here: its input is {v}, and the result is more than the dtype can hold.", "scale the input down, subtract the maximum first (tf.reduce_logsumexp, tf.nn.softmax do that), or use tf.float64"),
    "zero_times_infinity": Cause("0 · inf: a cotangent of 0 meets an infinite derivative of {op} here.", "keep the argument of {op} away from the place where its slope is infinite, before the operation and not behind it"),
    "infinity_minus_infinity": Cause("infinities cancel here ({op}): inf - inf is NaN.", "find where they come from with tape.table()"),
    "outside_domain": Cause("{op} is not defined for its argument here ({v}).", "keep the argument inside the domain, for instance with tf.clip_by_value"),
    "not_finite_input": Cause("{v} is not finite from the start.", "check the data, or the step that made it: tf.debugging.check_numerics, tf.debugging.enable_check_numerics"),
    "custom_not_finite": Cause("the custom gradient of {op} gave NaN or infinities here.", "check its formula"),
    "not_finite": Cause("{op} makes NaN or infinities of finite numbers here.", "check its inputs, which tape.table() shows"),
    # -- neither ---------------------------------------------------------------------------------------------------------------
    "fine": Cause("there is a gradient, and it is neither zero nor NaN.", "nothing to do"),
}  # fmt: skip


class Finding:
    """One cause, found at one place."""

    __slots__ = ("cause", "function", "place", "words")

    def __init__(self, cause: str, place: Place | None, function: str = "", **words: str) -> None:
        self.cause, self.place, self.words, self.function = cause, place, words, function

    def texts(self, x: str, y: str) -> tuple[str, str]:
        """Why, and the cure."""
        words = {"x": x, "y": y, "op": "the operation", "v": "", "are": "are", **self.words}
        c = CAUSES[self.cause]
        inside = f"inside the function {self.function}: " if self.function else ""
        return inside + c.why.format(**words), c.cure.format(**words)
