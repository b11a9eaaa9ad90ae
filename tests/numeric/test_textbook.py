"""The seeds' names, with the results that the seed notebooks print."""

import gradtape as tf

N = tf.numeric


def test_results_of_the_seeds_to_the_last_digit():
    f = lambda x: 3.0 * x**2 + 2.0 * x - 1
    g = lambda x1, x2: (x1 + 5) * (x2**2)
    h = lambda x, y: x * x * y + y + 2
    assert N.approximate_derivative(f, 1.0) == 7.999999999999119
    assert N.approximate_gradient(g, 2.0, 3.0) == (8.999999999993236, 41.999999999994486)
    assert N.gradients(h, [3, 4]) == [24.000400000048216, 10.000000000047748]
    assert N.hessians(h, [3, 4]) == [
        [7.999999951380232, 6.000099261882497],
        [6.000099261882497, -1.4210854715202004e-06],
    ]


def test_steps_may_be_given_by_the_seeds_names():
    f = lambda x: x**3
    assert N.approximate_derivative(f, 2.0, 0.5) == N.approximate_derivative(f, 2.0, eps=0.5) == 12.25
    assert N.approximate_gradient(lambda x, y: x**3, 2.0, 1.0, eps=0.5) == (12.25, 0.0)
    assert N.gradients(f, [2.0], interval=0.5) == [15.25]
    assert N.hessians(f, [2.0], interval=0.5) == [[15.0]]


def test_arguments_are_left_as_they_are_and_tensors_work():
    at = [3, 4]
    N.gradients(lambda x, y: x * y, at)
    assert at == [3, 4]
    t = N.approximate_derivative(tf.square, tf.constant([1.0, 2.0], tf.float64))
    assert abs(t.numpy() - [2, 4]).max() < 1e-9
