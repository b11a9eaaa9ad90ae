"""What pytest needs to run Keras's own tests on gradtape: ``-p keras_tests_plugin``, before Keras is imported.

One test file names the backends itself: it refuses others, and has a table of their devices. It is loaded with one more branch and one more line.
"""

import ast

from keras_gradtape import changes, hook

TEST = "keras.src.trainers.trainer_test"


def with_test(tree: ast.Module) -> ast.Module:
    """The test file; tables by backend get an entry, that of torch."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            by_name = {k.value: v for k, v in zip(node.keys, node.values) if isinstance(k, ast.Constant)}
            if {"tensorflow", "jax", "torch"} <= by_name.keys():
                node.keys.append(ast.Constant(hook.NAME))
                node.values.append(by_name["torch"])
    return changes.with_branch(tree, TEST)


changes.BRANCHES[TEST] = "from keras_gradtape.src.trainer import GradtapeTrainer as Trainer"
changes.OTHERS[TEST] = with_test
hook.MODULES.add(TEST)
hook.install()
