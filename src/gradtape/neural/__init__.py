"""What ``tf.nn`` is made of: a file for each subject. The public names are those of ``gradtape.nn``."""
