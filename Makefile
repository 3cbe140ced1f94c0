# make demo   assess the examples and say where the reports are
# make test   everything that .ci/run runs
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test words lock clean

.venv/demo.done: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/test.done: requirements-dev.txt .venv/demo.done
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	touch $@

demo: .venv/demo.done
	$(BIN)/sharedrange assess examples/two-parks
	$(BIN)/sharedrange assess examples/two-halves
	$(BIN)/sharedrange assess examples/two-shores
	$(BIN)/sharedrange assess examples/three-nodes/secretariat

test: .venv/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/words.py --check
	OPENBLAS_NUM_THREADS=1 MPLBACKEND=Agg $(BIN)/python -m pytest

words: .venv/test.done
	$(BIN)/python tools/words.py

# Locks carry hashes and no addresses; needs uv (pip install uv).
lock:
	bash tools/lock.sh

clean:
	rm -rf .venv build dist examples/*/work examples/*/assessment* examples/three-nodes/*/work examples/three-nodes/*/assessment*
