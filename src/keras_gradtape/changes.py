"""How the modules in which Keras chooses its backend are changed, as syntax trees, so that they know gradtape."""

from __future__ import annotations

import ast
import copy

NAME = "gradtape"
_PEERS = {"tensorflow", "jax", "torch"}

# what a chain does for gradtape, by the module it stands in
BRANCHES = {
    "keras.src.backend": """
from keras_gradtape.src import *
from keras_gradtape.src.variable import Variable as BackendVariable
distribution_lib = None
""",
    "keras.src.layers.layer": "from keras_gradtape.src.layer import GradtapeLayer as BackendLayer",
    "keras.src.models.model": "from keras_gradtape.src.trainer import GradtapeTrainer as Trainer",
    "keras.src.export.saved_model": "from keras_gradtape.src.export import GradtapeExportArchive as BackendSavedModelExportArchive",
    "keras.src.optimizers.optimizer": "from keras_gradtape.src.optimizer import GradtapeOptimizer as BackendOptimizer",
}
_DYNAMIC = "keras.src.utils.backend_utils"
_CONFIGS = "keras.src.saving.serialization_lib"
# the callback that writes with TensorFlow's summaries, whatever the backend; gradtape has its own
_SUMMARIES = "keras.src.callbacks.tensorboard"
# a layer that, with int4 weights, sets an attribute of a tensor
_EMBEDDING = "keras.src.layers.core.embedding"
_OURS = {"tensorflow.summary": "gradtape.summary", "tensorflow.compat.v1": "gradtape.summary"}


def _names(test: ast.expr) -> set[str]:
    return {n.value for n in ast.walk(test) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _links(chain: ast.If) -> list[ast.If]:
    """The if and its elifs."""
    links = [chain]
    while len(links[-1].orelse) == 1 and isinstance(links[-1].orelse[0], ast.If):
        links.append(links[-1].orelse[0])
    return links


def with_branch(tree: ast.Module, module: str) -> ast.Module:
    """The module with the branch for gradtape.

    Raises:
        ImportError: there is not exactly one chain that names the other backends.
    """
    chains = [n for n in tree.body if isinstance(n, ast.If)]
    chains = [c for c in chains if set().union(*[_names(n.test) for n in _links(c)]) >= _PEERS]
    if len(chains) != 1:
        raise ImportError(
            f"{module} has {len(chains)} places where Keras chooses its backend, and 1 is known: this version of Keras is not supported by gradtape."
        )
    links = _links(chains[0])
    last = links[-1]
    test = _renamed(next(link.test for link in links if "tensorflow" in _names(link.test)))
    branch = ast.If(test, ast.parse(BRANCHES[module]).body, last.orelse)
    for node in ast.walk(branch):
        if not hasattr(node, "lineno") or node not in list(ast.walk(ast.Module(last.orelse, []))):
            ast.copy_location(node, last)
    last.orelse = [branch]
    return ast.fix_missing_locations(tree)


def _renamed(test: ast.expr) -> ast.expr:
    """``backend() == "tensorflow"`` for gradtape."""
    return ast.parse(ast.unparse(test).replace("'tensorflow'", repr(NAME)), mode="eval").body


def with_dynamic_backend(tree: ast.Module) -> ast.Module:
    """``DynamicBackend`` with gradtape among the backends it can be."""
    methods = {f.name: f for c in tree.body if isinstance(c, ast.ClassDef) and c.name == "DynamicBackend" for f in c.body if isinstance(f, ast.FunctionDef)}  # fmt: skip
    get, put = methods.get("__getattr__"), methods.get("set_backend")
    lists = [n for n in ast.walk(put) if isinstance(n, ast.Tuple) and _names(n) >= _PEERS] if put else []
    if get is None or len(lists) != 1:
        raise ImportError(f"{_DYNAMIC}.DynamicBackend is not as it is known: this version of Keras is not supported.")
    lists[0].elts.append(ast.Constant(NAME))
    get.body[:0] = ast.parse(
        f"if self._backend == {NAME!r}:\n    return getattr(importlib.import_module('keras_gradtape.src'), name)"
    ).body
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.stmt) and not hasattr(node, "lineno"):
            ast.copy_location(node, get)
    return ast.fix_missing_locations(tree)


class _Summaries(ast.NodeTransformer):
    """Imports of TensorFlow's summaries, which on gradtape are its own."""

    found = 0

    def _ours(self, node: ast.Import | ast.ImportFrom) -> ast.stmt:
        mine = copy.deepcopy(node)
        if isinstance(mine, ast.ImportFrom):
            mine.module = _OURS.get(mine.module or "")
            known = mine.module is not None
        else:
            known = all(a.name in _OURS for a in mine.names)
            for a in mine.names:
                a.name = _OURS.get(a.name, a.name)
        if not known:
            return node
        self.found += 1
        test = ast.parse(f"backend.backend() == {NAME!r}", mode="eval").body
        return ast.fix_missing_locations(ast.copy_location(ast.If(test, [mine], [node]), node))

    visit_Import = visit_ImportFrom = _ours


def with_summaries(tree: ast.Module) -> ast.Module:
    """The TensorBoard callback's module, writing with ``gradtape.summary``."""
    change = _Summaries()
    tree = change.visit(tree)
    if not change.found:
        raise ImportError(f"{_SUMMARIES} is not as it is known: this version of Keras is not supported.")
    return tree


def with_shapes(tree: ast.Module) -> ast.Module:
    """The serialization of configs, which takes gradtape's TensorShapes and DTypes as it takes TensorFlow's."""
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "serialize_keras_object"]
    if len(found) != 1 or [a.arg for a in found[0].args.args] != ["obj"]:
        raise ImportError(f"{_CONFIGS} is not as it is known: this version of Keras is not supported.")
    body = found[0].body
    rule = ast.parse(
        "if type(obj).__module__.startswith('gradtape.') and type(obj).__name__ in ('TensorShape', 'DType'):\n"
        "    return obj.name if type(obj).__name__ == 'DType' else None if obj.rank is None else obj.as_list()"
    ).body
    for node in rule:
        for part in ast.walk(node):
            if isinstance(part, ast.expr | ast.stmt):
                ast.copy_location(part, body[-1])
    at = 1 if ast.get_docstring(found[0]) is not None else 0
    body[at:at] = rule
    return tree


def with_frozen_variable(tree: ast.Module) -> ast.Module:
    """The Embedding layer, whose ``enable_lora`` freezes its variable. Keras 3.15.1 sets ``trainable`` of what the property ``embeddings`` gives,
    which for int4 is a tensor, and gradtape's tensors take no attributes. A later one may do as its other layers do, and needs no change."""
    found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "enable_lora"]
    if len(found) != 1:
        raise ImportError(f"{_EMBEDDING} is not as it is known: this version of Keras is not supported.")
    for node in ast.walk(found[0]):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "self.embeddings.trainable":
            node.value.attr = "_embeddings"
    return tree


OTHERS = {
    _DYNAMIC: with_dynamic_backend,
    _SUMMARIES: with_summaries,
    _CONFIGS: with_shapes,
    _EMBEDDING: with_frozen_variable,
}


def changed(source: bytes, path: str, module: str) -> ast.Module:
    """The syntax tree of one of Keras's modules, changed."""
    tree = ast.parse(source, path)
    other = OTHERS.get(module)
    return other(tree) if other is not None else with_branch(tree, module)
