"""Keras's models, whose optimizers have the old spellings too."""

from __future__ import annotations

import functools
from typing import Any

from keras.src import tree
from keras.src.models.functional import Functional as _KerasFunctional
from keras.src.models.model import functional_init_arguments

from . import _keras, optimizers
from ._spelling import thin


def _are_numbers(x: Any) -> bool:
    """Whether what came third is today's weights of the losses; Keras 2 had the metrics there."""
    return x is None or all([isinstance(v, int | float) for v in tree.flatten(x)])


def _without_queue(kwargs: dict) -> dict:
    """The arguments but for those that are today the data's own business."""
    return {k: v for k, v in kwargs.items() if k not in ("max_queue_size", "workers", "use_multiprocessing")}


class _Old:
    """Before any of Keras's models."""

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, *args: Any, **kwargs: Any) -> None:
        """See ``keras.Model.compile``; an optimizer that is given by name also has ``lr`` and ``minimize``, and metrics may come third."""
        if args and not _are_numbers(args[0]):
            kwargs.update(zip(("metrics", "loss_weights"), args))
            args = ()
        super().compile(optimizers.get(optimizer), loss, *args, **kwargs)  # type: ignore[misc]

    def fit_generator(self, generator: Any, *args: Any, **kwargs: Any) -> Any:
        """``fit``, which takes generators."""
        kwargs.update(zip(("steps_per_epoch", "epochs", "verbose", "callbacks"), args, strict=False))
        return self.fit(generator, **_without_queue(kwargs))  # type: ignore[attr-defined]

    def evaluate_generator(self, generator: Any, steps: int | None = None, **kwargs: Any) -> Any:
        """``evaluate``, which takes generators."""
        return self.evaluate(generator, steps=steps, **{"verbose": 0, **_without_queue(kwargs)})  # type: ignore[attr-defined]

    def predict_generator(self, generator: Any, steps: int | None = None, **kwargs: Any) -> Any:
        """``predict``, which takes generators."""
        return self.predict(generator, steps=steps, **{"verbose": 0, **_without_queue(kwargs)})  # type: ignore[attr-defined]


class _OldModel(_Old):
    """Before ``keras.Model``: a functional model where inputs and outputs are given."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and functional_init_arguments(args, kwargs):
            return _Functional(*args, **kwargs)
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if functional_init_arguments(args, kwargs) and not isinstance(self, _KerasFunctional):
            _make_functional(type(self))
            _Functional.__init__(self, *args, **kwargs)
        else:
            super().__init__(*args, **kwargs)


def _make_functional(cls: type) -> None:
    """Put the functional model in the place of ``Model`` among the bases of a class of the user's."""
    if cls is not object and cls is not Model:
        cls.__bases__ = tuple([_Functional if b is Model else b for b in cls.__bases__])
        for b in cls.__bases__:
            if b is not _Functional and Model in b.__mro__:
                _make_functional(b)


Sequential: Any = thin(_Old, _keras.Sequential)
_Functional: Any = thin(_Old, _KerasFunctional, "_Functional")
Model: Any = thin(_OldModel, _keras.Model)


def _old(model: Any) -> Any:
    """A model that Keras made, with the old spellings: of itself, its optimizer and the models in it."""
    for part in (model, *getattr(model, "layers", ())):
        if part is not model and isinstance(part, _keras.Model):
            _old(part)
    for cls in (Sequential, _Functional):
        if type(model) is cls.stock:
            model.__class__ = cls
    if getattr(model, "optimizer", None) is not None:
        optimizers.old(model.optimizer)
    return model


def _making(make: Any) -> Any:
    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> Any:
        return _old(make(*args, **kwargs))

    return made


load_model, clone_model, model_from_json = (
    _making(f) for f in (_keras.models.load_model, _keras.models.clone_model, _keras.models.model_from_json)
)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(_keras.models, name)


def __dir__() -> list[str]:
    return dir(_keras.models)
