"""``tf.train``: checkpoints of the variables that objects own."""

from .saving.checkpoint import Checkpoint, CheckpointOptions
from .saving.manager import CheckpointManager
from .saving.manifest import CheckpointState, checkpoints_iterator, get_checkpoint_state, latest_checkpoint
from .saving.reading import CheckpointReader, list_variables, load_checkpoint, load_variable

__all__ = [
    "Checkpoint", "CheckpointManager", "CheckpointOptions", "CheckpointReader", "CheckpointState", "checkpoints_iterator", "get_checkpoint_state",
    "latest_checkpoint", "list_variables", "load_checkpoint", "load_variable",
]  # fmt: skip
