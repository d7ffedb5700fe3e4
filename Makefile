PYTHON ?= python3
# Ray 2.6 has no wheels for a newer Python.
LEGACY_PYTHON ?= python3.11
VENV := .venv
LEGACY := .venv-legacy
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
LEGACY_INSTALL := $(LEGACY)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps
# Output goes to log files and CI: no progress bars, no network look-ups by the frameworks under test.
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: demo test lint coverage bench fuzz fuzz-programs fuzz-notebooks fuzz-bytes fuzz-files conformance equivalence faults docs clean

demo: $(VENV)/.installed-demo
	$(BIN)/python fixtures/demo/run.py

test: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not real_ray and not legacy_ray"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What `make test` runs of each package, lines and branches; about twice its time.
coverage: $(VENV)/.installed-dev
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n 2 --dist worksteal -m "not real_ray and not legacy_ray"
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --include "migrate/*"
	$(BIN)/python -m coverage report --include "runtime/*"

bench: $(VENV)/.installed-dev
	$(BIN)/python -m bench

# 20,000 generated programs of ten kinds, 2,000 notebooks and 20,000 files of bytes that no other run takes, and 1,000
# real files. Each part can be made alone: `make fuzz-programs PROGRAMS=500 KIND=tuned` takes 500 of one kind.
fuzz: fuzz-programs fuzz-notebooks fuzz-bytes fuzz-files

fuzz-programs: PROGRAMS ?= 2000
fuzz-programs: $(VENV)/.installed-dev
	PROGRAMS=$(PROGRAMS) KIND=$(KIND) $(BIN)/python -m pytest -rP -n 2 --timeout 0 --dist worksteal tests/migrate_trainers/test_generated_programs.py

fuzz-notebooks: PROGRAMS ?= 2000
fuzz-notebooks: $(VENV)/.installed-dev
	NOTEBOOKS=$(PROGRAMS) $(BIN)/python -m pytest -rP --timeout 0 tests/migrate_trainers/containers/test_generated_notebooks.py

fuzz-bytes: PROGRAMS ?= 20000
fuzz-bytes: $(VENV)/.installed-dev
	PROGRAMS=$(PROGRAMS) $(BIN)/python -m pytest --timeout 0 tests/migrate_trainers/test_generated_bytes.py

fuzz-files: PROGRAMS ?= 1000
fuzz-files: $(VENV)/.installed-dev
	PROGRAMS=$(PROGRAMS) $(BIN)/python -m pytest --timeout 0 tests/migrate_trainers/test_real_files.py

conformance: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m real_ray tests/engines

equivalence: $(VENV)/.installed-dev $(LEGACY)/.installed
	$(BIN)/python -m pytest -m legacy_ray tests/engines
	$(BIN)/python tests/engines/equivalence.py

faults: $(VENV)/.installed-dev
	$(BIN)/python tests/faults/fault_runs.py
	$(BIN)/python tests/faults/random_kills.py

docs: $(VENV)/.installed-dev
	$(BIN)/python tools/findings_table.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) torch==2.13.0
	$(INSTALL) --editable '.[demo]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) torch==2.13.0
	$(INSTALL) --editable '.[dev]'
	touch $@ $(VENV)/.installed-demo

# Other releases of Ray and Transformers lie in folders beside the environment's own.
$(LEGACY)/.installed: $(wildcard tests/engines/legacy/*.txt)
	$(LEGACY_PYTHON) -m venv --clear $(LEGACY)
	$(LEGACY_INSTALL) --requirement tests/engines/legacy/ray-2.6.3.txt
	set -e; for file in tests/engines/legacy/ray-2.7.2.txt tests/engines/legacy/transformers-*.txt; do \
		$(LEGACY_INSTALL) --target $(LEGACY)/$$(basename $$file .txt) --requirement $$file; \
	done
	touch $@

clean:
	rm -rf $(VENV) $(LEGACY) .kept_runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
