"""Images: values of TensorFlow 2.21, definitions, and gradients by differences."""

import numpy as np
import pytest

import gradtape as tf
from gradtape import image

from .differences import assert_gradient, gradient

NO = float("-inf")

# -- what TensorFlow 2.21 gives -------------------------------------------------------------------------------------------------
# one row of pixels, resized to 8 and to 3: (method, antialias)
RESIZED = {
    ('bilinear', False): ([1.0, 2.75, 4.8125, 2.9375, 3.875, 7.625, 5.1875, 3.0], [2.333333, 2.0, 4.666667]),
    ('bilinear', True): ([1.0, 2.75, 4.8125, 2.9375, 3.875, 7.625, 5.1875, 3.0], [2.714286, 4.0, 5.142857]),
    ('nearest', False): ([1.0, 1.0, 5.0, 2.0, 2.0, 8.0, 3.0, 3.0], [1.0, 2.0, 3.0]),
    ('nearest', True): ([1.0, 1.0, 5.0, 2.0, 2.0, 8.0, 3.0, 3.0], [1.0, 2.0, 3.0]),
    ('bicubic', False): ([0.712177, 2.73022, 4.988281, 2.507812, 3.57959, 7.910645, 5.276059, 2.640221], [2.205331, 2.0, 4.584136]),
    ('bicubic', True): ([0.712177, 2.73022, 4.988281, 2.507812, 3.57959, 7.910645, 5.276059, 2.640221], [2.56923, 4.218605, 5.169231]),
    ('area', False): ([1.0, 2.6, 5.0, 2.6, 3.2, 8.0, 5.0, 3.0], [2.6, 3.8, 5.0]),
    ('area', True): ([1.0, 2.6, 5.0, 2.6, 3.2, 8.0, 5.0, 3.0], [2.6, 3.8, 5.0]),
    ('lanczos3', False): ([0.497719, 2.902232, 4.976467, 2.317394, 3.589847, 7.937578, 5.502607, 2.301934], [2.367285, 2.0, 4.821255]),
    ('lanczos3', True): ([0.497719, 2.902232, 4.976467, 2.317394, 3.589847, 7.937578, 5.502607, 2.301934], [2.398812, 4.487126, 5.150508]),
    ('lanczos5', False): ([0.237881, 3.200269, 4.932413, 2.253252, 3.516632, 7.891787, 5.758102, 2.052931], [2.647912, 2.0, 5.062315]),
    ('lanczos5', True): ([0.237881, 3.200269, 4.932413, 2.253252, 3.516632, 7.891787, 5.758102, 2.052931], [2.265628, 4.604873, 5.087694]),
    ('gaussian', False): ([1.240347, 2.751294, 4.262869, 3.091722, 3.952513, 6.772927, 5.189117, 3.300433], [2.356974, 2.958563, 4.696219]),
    ('gaussian', True): ([1.240347, 2.751294, 4.262869, 3.091722, 3.952513, 6.772927, 5.189117, 3.300433], [2.703424, 4.100309, 4.958651]),
    ('mitchellcubic', False): ([0.943737, 2.759833, 4.609375, 2.801649, 3.821886, 7.312011, 5.267614, 2.929671], [2.316733, 2.500001, 4.69522]),
    ('mitchellcubic', True): ([0.943737, 2.759833, 4.609375, 2.801649, 3.821886, 7.312011, 5.267614, 2.929671], [2.632537, 4.225326, 5.085672]),
}  # fmt: skip
COLORS = [[[0.2, 0.4, 0.9], [0.8, 0.3, 0.1], [0.5, 0.7, 0.2], [0.6, 0.6, 0.6]]]
CHANGED = {
    ('rgb_to_hsv',): [0.619048, 0.777778, 0.9, 0.047619, 0.875, 0.8, 0.233333, 0.714286, 0.7, 0.0, 0.0, 0.6],
    ('rgb_to_yuv',): [0.3972, 0.247433, -0.173, 0.4267, -0.160773, 0.32749, 0.5832, -0.188577, -0.07299, 0.6, 0.0, -0.0],
    ('rgb_to_yiq',): [0.3972, -0.279852, 0.113285, 0.4267, 0.362219, 0.043499, 0.5832, 0.041492, -0.197925, 0.6, -0.0, -2.2e-05],
    ('rgb_to_grayscale',): [0.39718, 0.42662, 0.58315, 0.59994],
    ('adjust_hue', 0.3): [0.9, 0.2, 0.54, 0.1, 0.8, 0.16, 0.2, 0.6, 0.7, 0.6, 0.6, 0.6],
    ('adjust_hue', -0.7): [0.9, 0.2, 0.54, 0.1, 0.8, 0.16, 0.2, 0.6, 0.7, 0.6, 0.6, 0.6],
    ('adjust_saturation', 0.5): [0.55, 0.65, 0.9, 0.8, 0.55, 0.45, 0.6, 0.7, 0.45, 0.6, 0.6, 0.6],
    ('adjust_saturation', 3.0): [0.0, 0.257143, 0.9, 0.8, 0.228571, 0.0, 0.42, 0.7, 0.0, 0.6, 0.6, 0.6],
    ('adjust_contrast', 1.7): [-0.0275, 0.33, 1.215, 0.9925, 0.16, -0.145, 0.4825, 0.84, 0.025, 0.6525, 0.67, 0.705],
    ('adjust_brightness', -0.3): [-0.1, 0.1, 0.6, 0.5, 0.0, -0.2, 0.2, 0.4, -0.1, 0.3, 0.3, 0.3],
    ('adjust_gamma', 2.2): [0.028991, 0.133209, 0.79311, 0.612066, 0.07074, 0.00631, 0.217638, 0.456263, 0.028991, 0.325037, 0.325037, 0.325037],
}  # fmt: skip
BYTES = [[[3, 200, 90], [255, 0, 17]]]
CHANGED_BYTES = {
    ('adjust_hue', 0.3): [50, 3, 200, 68, 255, 0],
    ('adjust_saturation', 0.5): [101, 200, 145, 255, 127, 136],
    ('adjust_contrast', 1.7): [0, 255, 115, 255, 0, 0],
    ('adjust_brightness', 0.4): [105, 255, 192, 255, 102, 119],
    ('adjust_gamma', 2.2): [0, 149, 25, 255, 0, 0],
    ("rgb_to_grayscale",): [128, 78],
}  # fmt: skip
MEASURES = {"psnr": 17.013071, "ssim": 0.917449, "ssim_multiscale": 0.936502}
TRANSFORMED = {
    ('nearest', 'constant'): [0.5, 5.0, 5.0, 10.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
    ('bilinear', 'constant'): [0.5, 3.18762, 6.480769, 8.358492, 0.5, 1.590393, 4.583307, 2.66111, 0.5, 0.5, 0.5, 0.5],
    ('nearest', 'reflect'): [5.0, 5.0, 5.0, 10.0, 10.0, 9.0, 9.0, 10.0, 10.0, 5.0, 5.0, 6.0],
    ('bilinear', 'reflect'): [4.1, 4.921569, 6.480769, 8.358492, 9.789474, 9.0, 9.10101, 9.990099, 8.555554, 6.521739, 5.255319, 4.958332],
    ('nearest', 'wrap'): [8.0, 8.0, 5.0, 10.0, 3.0, 4.0, 1.0, 2.0, 3.0, 8.0, 8.0, 2.0],
    ('bilinear', 'wrap'): [6.5, 7.921569, 6.480769, 8.358492, 3.210526, 4.0, 1.10101, 1.990099, 4.444445, 6.478261, 7.744681, 1.625],
    ('nearest', 'nearest'): [5.0, 5.0, 5.0, 10.0, 9.0, 9.0, 9.0, 10.0, 9.0, 9.0, 9.0, 10.0],
    ('bilinear', 'nearest'): [3.8, 4.921569, 6.480769, 8.358492, 9.0, 9.0, 9.10101, 9.990099, 9.0, 9.0, 9.0, 9.625],
}  # fmt: skip
BOXES, SCORES = (
    [
        [0.0, 0.0, 1.0, 1.0],
        [0.0, 0.1, 1.0, 1.1],
        [0.0, 0.2, 1.0, 0.9],
        [0.5, 0.5, 1.5, 1.5],
        [2.0, 2.0, 3.0, 3.0],
        [0.0, 0.0, 0.0, 5.0],
    ],
    [0.6, 0.9, 0.75, 0.8, 0.3, 0.7],
)
KEPT = {
    (6, 0.5, NO, 0.0): ([1, 3, 5, 4], [0.9, 0.8, 0.7, 0.3]),
    (3, 0.5, NO, 0.0): ([1, 3, 5], [0.9, 0.8, 0.7]),
    (6, 0.1, 0.35, 0.0): ([1, 5], [0.9, 0.7]),
    (6, 0.5, 0.2, 0.3): ([1, 3, 5, 2, 4], [0.9, 0.759537, 0.7, 0.321751, 0.3]),
    (6, 0.5, 0.5, 0.5): ([1, 3, 5], [0.9, 0.77547, 0.7]),
}  # fmt: skip
CROPPED = [
    2.4,
    3.45,
    4.5,
    7.2,
    8.25,
    9.299999,
    7.7,
    8.450001,
    9.200001,
    3.7,
    4.45,
    5.2,
    -1.0,
    -1.0,
    -1.0,
    -1.0,
    -1.0,
    -1.0,
]
CROPPED_NEAREST = [2.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 5.0, 6.0, 7.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]


def rng(seed=0):
    return np.random.default_rng(seed)


def close(got, want, atol=2e-6):
    np.testing.assert_allclose(np.ravel(got.numpy()), want, rtol=2e-6, atol=atol)


# -- resizing -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "antialias"), RESIZED)
def test_resize(method, antialias):
    """The same row as an image one pixel high, and one pixel wide."""
    x = np.array([1, 5, 2, 8, 3], np.float32)
    for n, want in zip((8, 3), RESIZED[method, antialias], strict=True):
        close(tf.image.resize(x.reshape(1, 5, 1), [1, n], method, antialias=antialias), want)
        close(tf.image.resize(x.reshape(1, 5, 1, 1), [n, 1], method, antialias=antialias), want)


@pytest.mark.parametrize("method", sorted({m for m, _ in RESIZED}))
def test_resize_gradient(method):
    size, x = [5, 2], rng().uniform(size=(2, 3, 4, 2))
    for antialias in (False, True):
        f = lambda x: tf.image.resize(x, size, method, antialias=antialias)  # noqa: B023
        with tf.GradientTape() as tape:
            t = tf.constant(x, tf.float32)
            tape.watch(t)
            y = f(t)
        w = rng(1).uniform(size=y.shape).astype(np.float32)
        g = tape.gradient(y, t, w).numpy()
        for _ in range(3):  # it is linear: the gradient is the adjoint
            v = rng(2).uniform(size=x.shape).astype(np.float32)
            np.testing.assert_allclose(np.vdot(g, v), np.vdot(w, f(v).numpy()), rtol=1e-5)


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "area", "lanczos3", "gaussian", "mitchellcubic"])
def test_a_nan_stays_where_it_is(method):
    x = np.ones((1, 64, 1), np.float32)
    x[0, 50] = np.nan
    y = tf.image.resize(x, [1, 9], method, antialias=True).numpy().ravel()
    assert np.isnan(y).any() and not np.isnan(y[:4]).any()


def test_resize_keeps_what_it_is_given():
    x = rng().integers(0, 256, (2, 4, 6, 3)).astype(np.uint8)
    assert tf.image.resize(x, [2, 3], "nearest").dtype == tf.uint8
    assert tf.image.resize(x, [2, 3]).dtype == tf.float32
    assert tf.image.resize(x, (8, 3), preserve_aspect_ratio=True).shape == [2, 2, 3, 3]
    np.testing.assert_allclose(tf.image.resize(x, [4, 6]).numpy(), x, atol=1e-4)
    np.testing.assert_array_equal(
        tf.function(lambda x: tf.image.resize(x, [3, 3], "area"))(x), tf.image.resize(x, [3, 3], "area")
    )
    padded = tf.image.resize_with_pad(np.ones((4, 2, 1), np.float32), 4, 6).numpy()[..., 0]
    np.testing.assert_array_equal(padded, [[0, 0, 1, 1, 0, 0]] * 4)


@pytest.mark.parametrize(("args", "error", "match"), [
    ((np.zeros((3, 3)), [2, 2]), ValueError, "3 or 4 dimensions"), ((np.zeros((3, 3, 1)), [2, 2], "cubic"), ValueError, "bicubic"),
    ((np.zeros((3, 3, 1)), [2]), ValueError, "2 elements"), ((np.zeros((3, 3, 1)), [0, 2]), tf.errors.InvalidArgumentError, "positive"),
])  # fmt: skip
def test_resize_refuses(args, error, match):
    with pytest.raises(error, match=match):
        tf.image.resize(*args)


PICTURE = np.arange(1, 13, dtype=np.float32).reshape(1, 3, 4, 1)
CUTS = np.array([[0.1, 0.2, 0.7, 0.9], [0.8, 0.1, 0.3, 0.6], [-0.2, -0.1, 1.3, 1.2]], np.float32)


@pytest.mark.parametrize("shape", [(4, 5, 3), (2, 4, 5, 3)])
def test_resize_to_a_size_that_is_traced(shape):
    x = tf.random.normal(shape)
    f = tf.function(lambda x, n: image.resize(x, [n, n + 2]))
    for n in (8, 3):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            got, want = f(x, tf.constant(n)), image.resize(x, [n, n + 2])
        np.testing.assert_array_equal(got.numpy(), want.numpy())
        np.testing.assert_allclose(tape.gradient(got, x).numpy(), tape.gradient(want, x).numpy(), rtol=1e-6)
    assert f.experimental_get_tracing_count() == 1
    with pytest.raises(tf.errors.InvalidArgumentError, match="Image sizes must be positive"):
        f(x, tf.constant(0))


def test_crop_and_resize():
    close(tf.image.crop_and_resize(PICTURE, CUTS, [0, 0, 0], [2, 3], extrapolation_value=-1.0), CROPPED)
    close(tf.image.crop_and_resize(PICTURE, CUTS, [0, 0, 0], [2, 3], "nearest", -1.0), CROPPED_NEAREST)
    one = tf.image.crop_and_resize(PICTURE, [[0.0, 0.0, 1.0, 1.0]], [0], [1, 1]).numpy()
    assert one.shape == (1, 1, 1, 1) and one.item() == 6.5
    for args, match in (((PICTURE[0], CUTS, [0, 0, 0], [2, 2]), "4-D"), ((PICTURE, CUTS[:, :3], [0, 0, 0], [2, 2]), "4 columns"),
                        ((PICTURE, CUTS, [0], [2, 2]), "box_indices"), ((PICTURE, CUTS, [0, 0, 0], [0, 2]), "positive"), ((PICTURE, CUTS, [0, 5, 0], [2, 2]), "out of|not in")):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            tf.image.crop_and_resize(*args)


def test_crop_and_resize_gradients():
    """In the image and in the boxes, whose edges lie away from whole pixels. The result is float32, so the differences are wide."""
    x, boxes = (
        tf.constant(rng().uniform(size=(2, 6, 7, 2)), tf.float32),
        tf.constant([[0.17, 0.21, 0.67, 0.93], [0.83, 0.11, 0.31, 0.57]]),
    )
    f = lambda x, b: tf.image.crop_and_resize(x, b, [1, 0], [3, 4])
    with tf.GradientTape() as tape:
        tape.watch([x, boxes])
        y = f(x, boxes)
    w = tf.constant(rng(1).uniform(size=y.shape), tf.float32)
    gs = tape.gradient(y, [x, boxes], w)
    for i, at in enumerate((x, boxes)):
        for _ in range(4):
            step = rng(i).uniform(-1, 1, at.shape).astype(np.float32) * 1e-3
            up, down = ([x, boxes], [x, boxes])
            up[i], down[i] = at + step, at - step
            want = float(tf.reduce_sum(w * (f(*up) - f(*down)))) / 2
            np.testing.assert_allclose(np.vdot(tf.convert_to_tensor(gs[i]).numpy(), step), want, rtol=2e-2, atol=2e-6)


# -- geometry -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [(), (2,)])
def test_turned_and_mirrored(batch):
    x = rng().uniform(size=(*batch, 3, 4, 2)).astype(np.float32)
    h = len(batch)
    cases = [
        (tf.image.flip_left_right(x), np.flip(x, h + 1)),
        (tf.image.flip_up_down(x), np.flip(x, h)),
        (tf.image.transpose(x), np.swapaxes(x, h, h + 1)),
    ]
    cases += [(tf.image.rot90(x, k), np.rot90(x, k, (h, h + 1))) for k in range(-2, 6)]
    for got, want in cases:
        np.testing.assert_array_equal(got.numpy(), want)


@pytest.mark.parametrize(("height", "width"), [(3, 9), (8, 4), (5, 7), (6, 7), (4, 6), (2, 3)])
def test_cropped_and_padded(height, width):
    x = rng().uniform(size=(2, 5, 7, 1)).astype(np.float32)
    y = tf.image.resize_with_crop_or_pad(x, height, width).numpy()
    assert y.shape == (2, height, width, 1)
    want = np.zeros((2, 20, 20, 1), np.float32)
    want[:, 7:12, 6:13] = x  # in a wide frame, the window whose middle is that of the image, or half a pixel from it
    top, left = (
        7 - (height - 5) // 2 if height >= 5 else 7 + (5 - height) // 2,
        6 - (width - 7) // 2 if width >= 7 else 6 + (7 - width) // 2,
    )
    np.testing.assert_array_equal(y, want[:, top : top + height, left : left + width])
    np.testing.assert_array_equal(
        tf.image.crop_to_bounding_box(tf.image.pad_to_bounding_box(x, 1, 2, 9, 9), 1, 2, 5, 7), x
    )


def test_central_crop():
    x = PICTURE
    assert tf.image.central_crop(x, 0.5).numpy().ravel().tolist() == [2, 3, 6, 7, 10, 11]
    assert tf.image.central_crop(x, 1.0).shape == x.shape
    for f in (0.0, 1.1):
        with pytest.raises(ValueError, match="central_fraction"):
            tf.image.central_crop(x, f)


def test_boxes_outside_are_refused():
    for f, match in (
        (lambda: tf.image.crop_to_bounding_box(PICTURE, 1, 2, 3, 2), "height must be >="), (lambda: tf.image.crop_to_bounding_box(PICTURE, -1, 2, 1, 1), "offset_height"),
        (lambda: tf.image.pad_to_bounding_box(PICTURE, 1, 2, 3, 9), "height must be <="), (lambda: tf.image.resize_with_crop_or_pad(PICTURE, 0, 2), "target_height"),
        (lambda: tf.image.flip_left_right(PICTURE[0, 0]), "3 or 4"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            f()


@pytest.mark.parametrize(
    "name",
    [
        "random_flip_left_right",
        "random_flip_up_down",
        "stateless_random_flip_left_right",
        "stateless_random_flip_up_down",
    ],
)
def test_random_flips(name):
    """Each image of a batch as it was or flipped, both in about half of the cases."""
    x = np.broadcast_to(PICTURE, (400, 3, 4, 1))
    args = ([3, 4],) if "stateless" in name else ()
    f = getattr(tf.image, name)
    y = f(x, *args).numpy()
    flipped = np.flip(PICTURE[0], 1 if "left" in name else 0)
    as_was, turned = (y == PICTURE).all((1, 2, 3)), (y == flipped).all((1, 2, 3))
    assert (as_was ^ turned).all() and 140 < turned.sum() < 260
    single = {f(x[0], *([i, 1],) if args else ()).numpy().tobytes() for i in range(20)}
    assert single == {PICTURE.tobytes(), flipped.tobytes()}
    if args:
        np.testing.assert_array_equal(tf.function(f)(x, [3, 4]).numpy(), y)


def test_random_crop():
    x = np.arange(60).reshape(4, 5, 3)
    places = set()
    for i in range(60):
        y = tf.image.stateless_random_crop(x, [2, 3, 3], [i, 0]).numpy()
        top, left = divmod(int(y[0, 0, 0]) // 3, 5)
        np.testing.assert_array_equal(y, x[top : top + 2, left : left + 3])
        places.add((top, left))
    assert len(places) == 9  # every place there is
    assert tf.image.random_crop(x, [4, 5, 3]).numpy().tolist() == x.tolist()
    assert tf.function(lambda: tf.image.random_crop(x, [1, 1, 3]))().shape == [1, 1, 3]
    with pytest.raises(ValueError, match="size"):
        tf.image.random_crop(x, [5, 5, 3])


# -- colours --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", CHANGED, ids=str)
def test_colors(key):
    name, *args = key
    close(getattr(tf.image, name)(np.array(COLORS, np.float32), *args), CHANGED[key])


@pytest.mark.parametrize("key", CHANGED_BYTES, ids=str)
def test_colors_of_bytes(key):
    name, *args = key
    got = getattr(tf.image, name)(np.array(BYTES, np.uint8), *args)
    assert got.dtype == tf.uint8 and got.numpy().ravel().tolist() == CHANGED_BYTES[key]


def test_color_spaces_and_back():
    x = rng().uniform(size=(3, 4, 5, 3)).astype(np.float32)
    for space in ("hsv", "yuv", "yiq"):
        y = getattr(tf.image, f"rgb_to_{space}")(x)
        np.testing.assert_allclose(
            getattr(tf.image, f"{space}_to_rgb")(y).numpy(), x, atol=2e-6 if space == "hsv" else 1e-4
        )  # to so many digits the matrices are each other's inverse
    assert tf.image.grayscale_to_rgb(x[..., :1]).shape == x.shape
    np.testing.assert_allclose(tf.image.adjust_hue(tf.image.adjust_hue(x, 0.3), -0.3).numpy(), x, atol=2e-6)
    np.testing.assert_array_equal(tf.function(tf.image.rgb_to_hsv)(x).numpy(), tf.image.rgb_to_hsv(x).numpy())
    z = tf.image.per_image_standardization(x).numpy()
    np.testing.assert_allclose(z.mean((1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(z.std((1, 2, 3)), 1, rtol=1e-5)
    assert (tf.image.per_image_standardization(np.ones((3, 3, 1))).numpy() == 0).all()


@pytest.mark.parametrize("name", ["rgb_to_hsv", "hsv_to_rgb", "rgb_to_yuv", "yuv_to_rgb", "rgb_to_yiq", "yiq_to_rgb"])
def test_color_gradients(name):
    x = rng(4).uniform(0.1, 0.9, (6, 3))
    f = getattr(tf.image, name)
    assert_gradient(f, x)
    if "hsv" in name:  # the others are linear
        assert_gradient(gradient(f), x)


def test_color_errors():
    x = np.ones((2, 2, 3), np.float32)
    for f, match in (
        (lambda: tf.image.adjust_hue(x, 1.5), "delta"), (lambda: tf.image.adjust_gamma(x, -1), "Gamma"), (lambda: tf.image.rgb_to_hsv(x[..., :2]), "3 channels"),
        (lambda: tf.image.rgb_to_hsv(x.astype(np.uint8)), "uint8"), (lambda: tf.image.grayscale_to_rgb(x), "size 1"), (lambda: tf.image.adjust_contrast(x[0], 2), "3-D"),
        (lambda: tf.image.random_hue(x, 0.6), "max_delta"), (lambda: tf.image.random_contrast(x, 2, 1), "upper"), (lambda: tf.image.random_saturation(x, -2, 1), "lower"),
        (lambda: tf.image.random_brightness(x, -1), "max_delta"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            f()


@pytest.mark.parametrize(
    ("name", "args"), [("brightness", (0.3,)), ("hue", (0.4,)), ("contrast", (0.5, 2.0)), ("saturation", (0.3, 2.0))]
)
def test_random_adjustments(name, args):
    """Each is the adjustment by a number within its range, and the same for the same seed."""
    x = np.array(COLORS, np.float32)
    draw, adjust = getattr(tf.image, f"stateless_random_{name}"), getattr(tf.image, f"adjust_{name}")
    low, high = args if len(args) == 2 else (-args[0], args[0])
    seen = set()
    for i in range(5):
        by = tf.random.stateless_uniform([], [i, 9], low, high)
        assert low <= by.numpy() < high
        np.testing.assert_array_equal(draw(x, *args, [i, 9]).numpy(), adjust(x, by).numpy())
        np.testing.assert_allclose(tf.function(draw)(x, *args, [i, 9]).numpy(), adjust(x, by).numpy(), atol=1e-6)
        seen.add(draw(x, *args, [i, 9]).numpy().tobytes())
    assert len(seen) == 5
    assert getattr(tf.image, f"random_{name}")(x, *args).shape == x.shape


def test_convert_image_dtype():
    f = tf.image.convert_image_dtype
    assert f(np.array([0, 255], np.uint8), tf.float32).numpy().tolist() == [0, 1]
    assert f(np.array([0, 255], np.uint8), tf.uint16).numpy().tolist() == [0, 255 * 256]
    assert f(np.array([0, 65535], np.uint16), tf.uint8).numpy().tolist() == [0, 255]
    assert f([0.0, 0.5, 1.0], tf.int8).numpy().tolist() == [0, 63, 127]
    assert f([-2.0, 2.0], tf.uint8, saturate=True).numpy().tolist() == [0, 255]
    assert f([0.5], tf.float16).dtype == tf.float16
    back = f(f(np.arange(256).astype(np.uint8), tf.float32), tf.uint8).numpy()
    np.testing.assert_array_equal(back, np.arange(256))
    with pytest.raises(AttributeError, match="bool"):
        f([0.5], tf.bool)


# -- measures -------------------------------------------------------------------------------------------------------------------


def two():
    i, j = np.meshgrid(np.arange(30), np.arange(28))
    p = ((np.sin(i * 0.7 + j * 0.3) + 1) / 2).astype(np.float32)[..., None]
    return p, (p * 0.8 + 0.1 * np.cos(i * 1.3)[..., None]).astype(np.float32)


def test_measures():
    p, q = two()
    close(tf.image.psnr(p, q, 1.0), MEASURES["psnr"])
    close(tf.image.ssim(p, q, 1.0), MEASURES["ssim"])
    close(tf.image.ssim_multiscale(p, q, 1.0, power_factors=(0.3, 0.7)), MEASURES["ssim_multiscale"])
    assert tf.image.ssim(p, p, 1.0).numpy() == 1 and np.isposinf(tf.image.psnr(p, p, 1.0).numpy())
    shape = tf.image.ssim(np.stack([p, q]), q, 1.0, filter_size=5, return_index_map=True).shape
    assert shape == [2, 24, 26]
    for f in (tf.image.ssim, tf.image.psnr):
        np.testing.assert_allclose(tf.function(f)(p, q, 1.0).numpy(), f(p, q, 1.0).numpy(), rtol=1e-5)
        with pytest.raises(ValueError, match="one size"):
            f(p, q[:-1], 1.0)
    with pytest.raises(ValueError, match="filter_size"):
        tf.image.ssim(p[:5], q[:5], 1.0)


@pytest.mark.parametrize("name", ["psnr", "ssim", "ssim_multiscale"])
def test_measures_have_gradients(name):
    """Descending along them brings one image nearer to the other."""
    p, q = (tf.constant(t) for t in two())
    f = getattr(tf.image, name)
    more = {"power_factors": (0.3, 0.7)} if name == "ssim_multiscale" else {}
    with tf.GradientTape() as tape:
        tape.watch(q)
        y = f(p, q, 1.0, **more)
    g = tape.gradient(y, q)
    step = 1e-3 * g / tf.norm(g)
    want = (f(p, q + step, 1.0, **more) - f(p, q - step, 1.0, **more)) / 2e-3
    np.testing.assert_allclose(float(tf.norm(g)), float(want), rtol=1e-2)


def test_differences():
    x = rng().uniform(size=(2, 5, 6, 3))
    assert_gradient(tf.image.total_variation, x)
    want = np.abs(np.diff(x, axis=1)).sum((1, 2, 3)) + np.abs(np.diff(x, axis=2)).sum((1, 2, 3))
    np.testing.assert_allclose(tf.image.total_variation(x).numpy(), want)
    assert tf.image.total_variation(x[0]).shape == []
    dy, dx = (t.numpy() for t in tf.image.image_gradients(x))
    np.testing.assert_allclose(dy[:, :-1], np.diff(x, axis=1))
    np.testing.assert_allclose(dx[:, :, :-1], np.diff(x, axis=2))
    assert (dy[:, -1] == 0).all() and (dx[:, :, -1] == 0).all()
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    kernel = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    for k, weights in enumerate((kernel, kernel.T)):
        edges = sum(weights[i, j] * padded[:, i : i + 5, j : j + 6] for i in range(3) for j in range(3))
        np.testing.assert_allclose(tf.image.sobel_edges(x).numpy()[..., k], edges, atol=1e-12)
    with pytest.raises(ValueError, match="wrap"):
        tf.image.total_variation(np.zeros((3, 3, 1), np.uint8))
    with pytest.raises(ValueError, match="4D"):
        tf.image.image_gradients(x[0])


# -- transforms -----------------------------------------------------------------------------------------------------------------

TRANSFORM = [[0.9, -0.4, -1.3, 0.3, 1.2, 0.7, 0.02, -0.05]]


@pytest.mark.parametrize(("interpolation", "fill_mode"), TRANSFORMED)
def test_projective_transform(interpolation, fill_mode):
    f = lambda x: tf.image.projective_transform(x, TRANSFORM, [3, 4], interpolation, fill_mode, 0.5)
    close(f(PICTURE), TRANSFORMED[interpolation, fill_mode], 1e-5)
    close(tf.function(f)(PICTURE[0]), TRANSFORMED[interpolation, fill_mode], 1e-5)
    assert_gradient(f, PICTURE[:, :, :, [0, 0]], atol=1e-6, rtol=1e-4)


def test_gradient_of_a_transform():
    """A picture without corners, so that differences over several pixels may be taken."""
    i, j = np.meshgrid(np.arange(20), np.arange(16))
    x = (0.3 * i + 0.2 * j).astype(np.float32)[None, ..., None]
    t = tf.constant([[1.02, 0.03, 0.6, -0.04, 0.97, 1.3, 0.0, 0.0]])
    f = lambda t: tf.reduce_sum(tf.image.projective_transform(x, t, [8, 8], "bilinear", "nearest"))
    with tf.GradientTape() as tape:
        tape.watch(t)
        y = f(t)
    g = tape.gradient(y, t).numpy()[0]
    for k in range(6):
        step = np.zeros((1, 8), np.float32)
        step[0, k] = 1e-2
        np.testing.assert_allclose(g[k], float(f(t + step) - f(t - step)) / 2e-2, rtol=1e-2)


@pytest.mark.parametrize("mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
@pytest.mark.parametrize("order", [0, 1])
def test_map_coordinates(mode, order):
    """SciPy's, where both mean the same: inside for "constant", whole places everywhere."""
    from scipy import ndimage

    x = rng().uniform(size=(5, 7))
    inside = rng(1).uniform(0, 1, (2, 40)) * np.array([[4], [6]])
    whole = rng(2).integers(-12, 15, (2, 40)).astype(np.float64)
    name = {"wrap": "grid-wrap", "constant": "grid-constant"}.get(mode, mode)
    for at in (inside, whole, rng(3).uniform(-6, 9, (2, 3, 4))):
        want = ndimage.map_coordinates(x, at, order=order, mode=name, cval=0.25)
        np.testing.assert_allclose(tf.image.map_coordinates(x, at, order, mode, 0.25).numpy(), want, atol=1e-12)
    assert tf.image.map_coordinates(np.arange(5), [[1.6, 3.2]], order, mode).numpy().tolist() == [2, 3]


def test_map_coordinates_gradients():
    x, at = rng().uniform(size=(4, 5, 3)), rng(1).uniform(-2, 5, (3, 6))
    at = np.floor(at) + np.clip(at % 1, 0.1, 0.9)  # away from the corners of the interpolation
    for mode in ("constant", "nearest", "wrap", "mirror", "reflect"):
        assert_gradient(lambda x, at: tf.image.map_coordinates(x, at, 1, mode), x, at)  # noqa: B023
    for args, match in (((x, at[:2]), "3 dimensions"), ((x, at, 2), "order"), ((x, at, 1, "edge"), "fill_mode")):
        with pytest.raises(ValueError, match=match):
            tf.image.map_coordinates(*args)


# -- boxes ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEPT, ids=str)
def test_non_max_suppression(key):
    limit, threshold, least, sigma = key
    kept, scores = tf.image.non_max_suppression_with_scores(BOXES, SCORES, limit, threshold, least, sigma)
    assert kept.dtype == tf.int32 and kept.numpy().tolist() == KEPT[key][0]
    close(scores, KEPT[key][1])
    if sigma:
        return
    f = lambda: tf.image.non_max_suppression(BOXES, SCORES, limit, threshold, least)
    assert f().numpy().tolist() == tf.function(f)().numpy().tolist() == KEPT[key][0]
    overlaps = tf.image.iou(np.array(BOXES)[:, None], np.array(BOXES))
    by_overlap = tf.image.non_max_suppression_overlaps(overlaps, np.array(SCORES), limit, threshold, least)
    assert by_overlap.numpy().tolist() == KEPT[key][0]
    padded, count = tf.image.non_max_suppression_padded(
        [BOXES, BOXES], [SCORES, SCORES], limit, threshold, least, pad_to_max_output_size=True
    )
    for row, n in zip(padded.numpy().tolist(), count.numpy().tolist(), strict=True):
        assert row == KEPT[key][0] + [0] * (limit - n) and n == len(KEPT[key][0])


def test_suppression_by_definition():
    """No two kept boxes overlap too much, and each box that went overlaps a better one that was kept."""
    corner = rng().uniform(0, 0.7, (60, 2))
    boxes = np.concatenate([corner, corner + rng(1).uniform(0.05, 0.5, (60, 2))], 1)
    scores = rng(2).uniform(size=60)
    kept = tf.image.non_max_suppression(boxes, scores, 60, 0.3).numpy()
    over = tf.image.iou(boxes[:, None], boxes).numpy()
    assert (np.triu(over[np.ix_(kept, kept)], 1) <= 0.3).all() and (np.diff(scores[kept]) <= 0).all()
    for i in set(range(60)) - set(kept.tolist()):
        assert any(over[i, k] > 0.3 and scores[k] >= scores[i] for k in kept)


def test_combined_non_max_suppression():
    """Every class by itself, then the best of all."""
    boxes = np.stack([np.array(BOXES, np.float32)] * 2)[:, :, None]
    scores = rng().uniform(size=(2, 6, 3)).astype(np.float32)
    out = tf.image.combined_non_max_suppression(boxes, scores, 2, 4, 0.3, 0.1)
    for b in range(2):
        found = []
        for c in range(3):
            kept = tf.image.non_max_suppression(boxes[b, :, 0], scores[b, :, c], 2, 0.3, 0.1).numpy()
            found += [(-scores[b, i, c], c, i) for i in kept]
        found = sorted(found)[:4]
        n = out.valid_detections.numpy()[b]
        assert n == len(found)
        assert out.nmsed_classes.numpy()[b, :n].tolist() == [c for _, c, _ in found]
        np.testing.assert_array_equal(out.nmsed_scores.numpy()[b, :n], [-s for s, _, _ in found])
        np.testing.assert_array_equal(
            out.nmsed_boxes.numpy()[b, :n], np.clip([boxes[b, i, 0] for _, _, i in found], 0, 1)
        )
    assert tf.image.combined_non_max_suppression(boxes, scores, 1, 9, pad_per_class=True).nmsed_scores.shape == [2, 3]


def test_boxes_refuse():
    for f, match in (
        (lambda: tf.image.non_max_suppression(BOXES, SCORES[:3], 3), "scores"), (lambda: tf.image.non_max_suppression(BOXES, SCORES, 3, 1.5), "iou_threshold"),
        (lambda: tf.image.non_max_suppression(np.zeros((2, 3)), [0.0, 1.0], 3), "boxes|dtype"), (lambda: tf.image.non_max_suppression(BOXES, SCORES, -1), "max_output_size"),
        (lambda: tf.image.non_max_suppression_padded([BOXES], [SCORES], 3), "pad_to_max_output_size"), (lambda: tf.image.iou([1.0], [1.0]), "4"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            f()


def test_iou():
    assert tf.image.iou([0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0]).numpy() == np.float32(1 / 7)
    assert tf.image.iou([0.0, 0.0, 1.0, 1.0], [2.0, 2.0, 3.0, 3.0]).numpy() == 0
    assert_gradient(tf.image.iou, [[0.0, 0.1, 2.0, 2.2]], [[1.0, 1.1, 3.0, 3.3]])


def test_draw_bounding_boxes():
    x = np.zeros((1, 4, 5, 3), np.float32)
    y = tf.image.draw_bounding_boxes(x, [[[0.34, 0.25, 1.0, 0.75]]], [[1.0, 0.5, 0.0]]).numpy()[0]
    want = np.zeros((4, 5))
    want[1:4, 1:4] = 1
    want[2, 2] = 0
    np.testing.assert_array_equal(y[..., 0], want)
    np.testing.assert_array_equal(y[..., 1], want / 2)
    assert not x.any()


def test_all_that_is_public_stands_in_the_namespace():
    assert all(callable(getattr(image, name)) for name in image.__all__)
