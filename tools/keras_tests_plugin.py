"""What pytest needs to run Keras's own tests on gradtape: ``-p keras_tests_plugin``, before Keras is imported.

Four test files name the backends or TensorFlow themselves, and are changed while they are loaded, as ``keras_gradtape.changes`` does with Keras:

- ``trainer_test`` refuses other backends, and has a table of their devices. It gets one more branch and one more line.
- ``tensorboard_test`` has a layer that writes with TensorFlow's summaries. It writes with gradtape's, as the callback does.
- ``dense_test`` and ``einsum_dense_test`` have a step of training for each backend. gradtape's is TensorFlow's, with gradtape imported in its place.
"""

import ast
import copy

from keras_gradtape import changes, hook

TRAINER = "keras.src.trainers.trainer_test"
SUMMARIES = "keras.src.callbacks.tensorboard_test"
DENSE = "keras.src.layers.core.dense_test", "keras.src.layers.core.einsum_dense_test"


def with_trainer(tree: ast.Module) -> ast.Module:
    """The test file; tables by backend get an entry, that of torch."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            by_name = {k.value: v for k, v in zip(node.keys, node.values) if isinstance(k, ast.Constant)}
            if {"tensorflow", "jax", "torch"} <= by_name.keys():
                node.keys.append(ast.Constant(hook.NAME))
                node.values.append(by_name["torch"])
    return changes.with_branch(tree, TRAINER)


def with_summaries(tree: ast.Module) -> ast.Module:
    """The test file, with the changes of the callback; these ask for the backend, which is then imported first."""
    tree = changes.with_summaries(tree)
    tree.body[:0] = ast.parse("from keras.src import backend").body
    return tree


def with_step(tree: ast.Module) -> ast.Module:
    """The test file; where a branch for TensorFlow defines a function, as others do for other backends, there is one for gradtape too."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.If) or ast.unparse(node.test) != "backend.backend() == 'tensorflow'":
            continue
        if (
            node.orelse
            and isinstance(node.body[0], ast.Import)
            and any([isinstance(n, ast.FunctionDef) for n in node.body])
        ):
            mine = copy.deepcopy(node)
            mine.test.comparators[0].value = hook.NAME
            mine.body[0].names[0].name = "gradtape"
            mine.orelse, node.orelse = node.orelse, [mine]
    return tree


changes.BRANCHES[TRAINER] = "from keras_gradtape.src.trainer import GradtapeTrainer as Trainer"
changes.OTHERS.update({TRAINER: with_trainer, SUMMARIES: with_summaries, **dict.fromkeys(DENSE, with_step)})
hook.MODULES.update({TRAINER, SUMMARIES, *DENSE})
hook.SOURCES.append(__file__)
hook.install()
