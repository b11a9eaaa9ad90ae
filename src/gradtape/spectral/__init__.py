"""The functions of ``tf.signal``, a file for each subject."""
