# Every target makes the environment it needs in .venv; Python (3.11 or newer) and make are all that must be there.
#   make demo     train the example network
#   make test     style, types and tests
#   make lint     style and types alone
#   make bench    timings; TF_PYTHON=..., TORCH_PYTHON=... and JAX_PYTHON=... name interpreters that have these libraries
#   make beside-tensorflow TF_PYTHON=...   the same 539 calls in both
#   make keras-tests KERAS_SRC=... KERAS_PYTHON=...   Keras's own tests on gradtape, from a checkout of Keras (docs/keras-tests.md)
#   make clean    take away the environment and what was built
# PYTHON=... chooses the interpreter that makes the environment.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
PYTEST_ARGS ?= -n auto
DEMO_ARGS ?=
BENCH_ARGS ?=
KERAS_SRC ?=
KERAS_PYTHON ?=
KERAS_ARGS ?= --jobs auto

.PHONY: help demo test lint bench beside-tensorflow keras-tests clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' Makefile

# The first of these that runs, is new enough and can make environments. (A name on PATH may be a stub that does not run.)
define MAKE_ENVIRONMENT
set -e; \
if [ -x $(BIN)/python ] && $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then exit 0; fi; \
found=; old=; bare=; \
for p in "$(PYTHON)" $(if $(PYTHON),,python3.14 python3.13 python3.12 python3.11 python3 python); do \
	[ -n "$$p" ] || continue; \
	version=$$("$$p" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	if ! "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then old="$$old $$p ($$version)"; continue; fi; \
	if ! "$$p" -c 'import venv, ensurepip' 2>/dev/null; then bare="$$p"; continue; fi; \
	found="$$p"; break; \
done; \
if [ -z "$$found" ]; then \
	if [ -n "$$bare" ]; then \
		echo "gradtape: $$bare cannot make environments: its modules venv and ensurepip are missing." >&2; \
		echo "Install them (on Debian and Ubuntu the package is python3-venv), or choose another: make PYTHON=/path/to/python" >&2; \
	elif [ -n "$$old" ]; then \
		echo "gradtape needs Python 3.11 or newer; found only:$$old." >&2; \
		echo "Install a newer one, or choose it: make PYTHON=/path/to/python3.11" >&2; \
	else \
		echo "gradtape needs Python 3.11 or newer; found $(if $(PYTHON),no Python at '$(PYTHON)',none on PATH)." >&2; \
	fi; \
	exit 1; \
fi; \
echo "Making $(VENV) with $$found (Python $$version)"; \
"$$found" -m venv --clear $(VENV)
endef

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

# Two depths of one environment, so that the demo need not wait for the developer's tools.
$(VENV)/.for-demo: pyproject.toml constraints.txt
	@$(MAKE_ENVIRONMENT)
	@echo "Installing gradtape and what the demo needs"
	@$(INSTALL) '.[demo]'
	@touch $@

$(VENV)/.for-developers: $(VENV)/.for-demo
	@echo "Installing what the tests need"
	@$(INSTALL) '.[demo,notebook,test,lint]'
	@touch $@

demo: $(VENV)/.for-demo
	$(BIN)/gradtape demo $(DEMO_ARGS)

lint: $(VENV)/.for-developers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check src tests tools benchmarks examples/*.py
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

bench: $(VENV)/.for-demo
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

beside-tensorflow: $(VENV)/.for-demo
	$(BIN)/python tools/beside_tensorflow.py

keras-tests: $(if $(KERAS_PYTHON),,$(VENV)/.for-developers)
	@[ -n "$(KERAS_SRC)" ] || { echo "make keras-tests KERAS_SRC=/path/to/keras: a checkout of Keras is needed (docs/keras-tests.md)" >&2; exit 1; }
	$(if $(KERAS_PYTHON),$(KERAS_PYTHON),$(BIN)/python) tools/keras_tests.py $(KERAS_SRC) $(KERAS_ARGS)

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
