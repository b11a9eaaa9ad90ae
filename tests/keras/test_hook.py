"""The hook: it adds a branch where Keras chooses its backend, notices a Keras that has changed, and leaves other backends alone."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_gradtape import changes, hook

ROOT = Path(__file__).resolve().parents[2]
CHAIN = """
from keras.src import backend
if backend.backend() == "tensorflow":
    from a import Layer as BackendLayer
elif backend.backend() == "jax":
    from b import Layer as BackendLayer
elif backend.backend() == "torch":
    from c import Layer as BackendLayer
else:
    raise RuntimeError("unknown")
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    """A Python process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)


def test_keras_runs_on_gradtape():
    assert keras.backend.backend() == "gradtape"


def test_a_chain_gets_one_more_branch():
    text = ast.unparse(changes.with_branch(ast.parse(CHAIN), "keras.src.layers.layer"))
    assert text.count("elif backend.backend() == 'gradtape':") == 1
    assert text.index("'torch'") < text.index("'gradtape'") < text.index("raise RuntimeError")
    assert "from keras_gradtape.src.layer import GradtapeLayer as BackendLayer" in text


def test_the_branch_is_taken_from_the_link_that_names_tensorflow():
    turned = CHAIN.replace('"tensorflow"', '"x"').replace('"jax"', '"tensorflow"').replace('"x"', '"jax"')
    text = ast.unparse(changes.with_branch(ast.parse(turned), "keras.src.layers.layer"))
    assert "elif backend.backend() == 'gradtape':" in text


@pytest.mark.parametrize("source", ["", CHAIN + CHAIN, CHAIN.replace("torch", "other")])
def test_a_keras_that_has_changed_is_noticed(source):
    with pytest.raises(ImportError, match="this version of Keras is not supported"):
        changes.with_branch(ast.parse(source), "keras.src.layers.layer")


@pytest.mark.parametrize("name", sorted(changes.OTHERS))
def test_other_changes_notice_it_too(name):
    with pytest.raises(ImportError, match="not supported"):
        changes.OTHERS[name](ast.parse("x = 1"))


@pytest.mark.parametrize("mode", [None, "int8", "int4"])
def test_lora_of_a_quantized_embedding(mode):
    layer = keras.layers.Embedding(5, 4)
    layer.build()
    if mode:
        layer.quantize(mode)
    before = layer(np.arange(5))
    layer.enable_lora(rank=2)
    assert [v.name for v in layer.trainable_variables] == ["lora_embeddings_a", "lora_embeddings_b"]
    np.testing.assert_allclose(layer(np.arange(5)), before, rtol=1e-6)


def test_an_embedding_that_freezes_its_variable_is_left_alone():
    code = "def enable_lora(self):\n    self._embeddings.trainable = False"
    for source in (code, code.replace("_embeddings", "embeddings")):
        assert ast.unparse(changes.OTHERS["keras.src.layers.core.embedding"](ast.parse(source))) == code


def test_every_module_of_the_hook_is_known_to_the_changes():
    assert {*changes.BRANCHES, *changes.OTHERS} - {"keras.src.trainers.trainer_test"} == hook.MODULES


def test_a_line_at_the_start_of_python_suffices(tmp_path):
    code = (ROOT / "setup.py").read_text()
    line = next(n.value.value for n in ast.parse(code).body if isinstance(n, ast.Assign) and n.targets[0].id == "LINE")
    done = run(f"{line}\nimport keras; print(keras.backend.backend(), keras.ops.add(1, 2))", KERAS_BACKEND="gradtape")
    assert done.stdout.startswith("gradtape tf.Tensor(3"), done.stderr
    quiet = run(f"{line}\nimport sys; print('keras_gradtape' in sys.modules)", KERAS_BACKEND="numpy")
    assert quiet.stdout == "False\n", quiet.stderr


def test_other_backends_are_left_alone():
    peer = next((b for b in ("jax", "torch", "tensorflow") if importlib.util.find_spec(b)), None)
    if peer is None:
        pytest.skip("no other backend of Keras is installed")
    code = "from keras_gradtape import hook; hook.install(); import keras, sys; print(keras.backend.backend(), float(keras.ops.add(1, 2)), 'keras_gradtape.src' in sys.modules)"
    done = run(code, KERAS_BACKEND=peer)
    assert done.stdout.split() == [peer, "3.0", "False"], done.stderr


def test_the_changed_code_is_kept_and_found_again(tmp_path):
    code = "from keras_gradtape import hook; hook.install(); import keras, sys; print('keras_gradtape.changes' in sys.modules)"
    environment = {"KERAS_BACKEND": "gradtape", "GRADTAPE_CACHE_DIR": str(tmp_path), "GRADTAPE_CACHE": "1"}
    first, second = (run(code, **environment) for _ in range(2))
    assert first.stdout == "True\n", first.stderr
    assert second.stdout == "False\n", second.stderr
    assert run(code, **{**environment, "GRADTAPE_CACHE": "0"}).stdout == "True\n"


def test_gradtape_keras_needs_no_environment():
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"} | {"PYTHONPATH": str(ROOT / "src")}
    code = "import gradtape as tf; from gradtape import keras; import keras as stock; print(stock.backend.backend(), keras.layers.Layer.__name__)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == "gradtape Layer\n", done.stderr


def test_keras_that_came_first_with_another_backend_is_an_error():
    # a stand-in for a Keras with another backend, which may not be installed
    code = "import sys, types\nkeras = sys.modules['keras'] = types.ModuleType('keras')\nkeras.backend = types.SimpleNamespace(backend=lambda: 'jax')\n"
    done = run(code + "import gradtape as tf\ntf.keras")
    assert (
        "ImportError: Keras was already imported with the backend 'jax', and keeps it. Import gradtape.keras first"
        in done.stderr
    )


def test_without_keras_it_is_said_how_to_install_it():
    done = run("import importlib.abc, sys\nclass No:\n    def find_spec(self, name, path, target=None):\n        if name == 'keras':\n            raise ModuleNotFoundError(\"No module named 'keras'\", name='keras')\nsys.meta_path.insert(0, No())\nimport gradtape as tf\ntf.keras")  # fmt: skip
    assert "gradtape.keras needs Keras 3: pip install 'gradtape[keras]'" in done.stderr


def test_exporting_is_refused_with_a_word_on_what_works(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(NotImplementedError, match=r"model.save\('model.keras'\)"):
        model.export(tmp_path / "x")


def test_shapes_and_dtypes_of_gradtape_go_into_configs():
    import gradtape as tf

    x = tf.zeros((2, 3))
    given = {"shape": x.shape, "dtype": x.dtype, "tensor": x}
    config = keras.saving.serialize_keras_object(given)
    assert config["shape"] == [2, 3] and config["dtype"] == "float32"
    back = keras.saving.deserialize_keras_object(config)
    assert isinstance(back["tensor"], tf.Tensor) and back["tensor"].shape == (2, 3)
