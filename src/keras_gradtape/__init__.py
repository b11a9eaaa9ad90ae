"""gradtape as a backend of Keras 3.

``KERAS_BACKEND=gradtape`` and a plain ``import keras``, or ``from gradtape import keras``, run Keras on gradtape. The layout is that of Keras's
plan for pluggable backends; until Keras finds such packages by itself, ``hook`` names this one where Keras chooses its backend.
"""
