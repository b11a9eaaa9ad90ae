"""Checkpoints and saved models: what ``tf.train`` and ``tf.saved_model`` are made of. ``docs/saving.md`` describes the files."""
