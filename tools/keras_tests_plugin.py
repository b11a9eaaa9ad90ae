"""What pytest needs to run Keras's own tests on gradtape: ``-p keras_tests_plugin``, before Keras is imported."""

from keras_gradtape import hook

# the one test file that names the backends itself, and refuses others
hook.BRANCHES["keras.src.trainers.trainer_test"] = "from keras_gradtape.src.trainer import GradtapeTrainer as Trainer"
hook.install()
