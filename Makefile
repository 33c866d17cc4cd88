# `make demo`, `make test` and `make fuzz`; each makes its own virtual environment if there is none.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
DEMO ?= demo
FUZZ_SECONDS ?= 600
FUZZ_READERS ?=

.PHONY: demo test fuzz install release-check clean

demo: $(STAMP)
	$(VENV)/bin/labeltool demo $(DEMO)

test: $(STAMP)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# FUZZ_SECONDS for each reader, one after the other; FUZZ_READERS="aup3 'ESC-50'" for some of them.
fuzz: $(STAMP)
	$(VENV)/bin/python -m pip install --quiet --group fuzz
	PYTHONPATH=tests $(VENV)/bin/python -m fuzz.run --seconds $(FUZZ_SECONDS) $(if $(FUZZ_READERS),--only $(FUZZ_READERS))

install: $(STAMP)

# What `build`, `twine` and others find wrong with a distribution of the last commit.
release-check: $(STAMP)
	$(VENV)/bin/python -m pip install --quiet --group release
	$(VENV)/bin/python .ci/release_check.py

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "labeltool needs Python 3.11 or newer: make PYTHON=python3.11")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --group dev --editable .
	touch $@

clean:
	rm -rf $(VENV) demo build dist fuzz-findings *.egg-info
