# Everything below sets up what it needs by itself: a virtual environment and the pinned dependencies.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Where the environment forbids bytecode, every process compiles torch and Ray anew: 3 s more for each worker.
export PYTHONDONTWRITEBYTECODE :=
# In the order of the folders, where the files that take minutes come first: else the last of them runs alone.
TWO_AT_ONCE := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: quickstart test check benchmark fix clean

quickstart: $(READY)
	$(BIN)/sparsweep run sweeps/quickstart.yaml

test: check
	$(BIN)/pytest $(TWO_AT_ONCE) -m "not ray"
	$(BIN)/pytest $(TWO_AT_ONCE) -m ray

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

benchmark: $(READY)
	$(BIN)/python -m benchmarks.planning
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.masked_step
	$(BIN)/python -m benchmarks.attack_step
	$(BIN)/python -m benchmarks.adversarial_step
	$(BIN)/python -m benchmarks.knn
	$(BIN)/python -m benchmarks.tune

fix: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev]'
	@# An independent implementation for tests/workloads/attacks; what it declares to need would hold requests back.
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps torchattacks==3.5.1
	touch $(READY)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache *.egg-info
