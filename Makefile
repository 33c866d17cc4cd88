# `make demo`, `make test`, `make docs`, `make docs-test` and `make fuzz`; each makes its own virtual environment if there is none.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.docs-installed
DEMO ?= demo
FUZZ_SECONDS ?= 600
FUZZ_READERS ?=

# Where it is set, each of the hundreds of processes that the tests start would compile labeltool anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test types tests docs docs-test fuzz install release-check install-test clean

demo: $(STAMP)
	$(VENV)/bin/labeltool demo $(DEMO)

test: $(STAMP)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(MAKE) --jobs 2 types tests

# mypy beside the tests, since it works on one core alone.
types: $(STAMP)
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# One thread in each process, as the processes fill the cores; the `make`s that tests run are to know nothing of this one.
tests: $(STAMP)
	env -u MAKEFLAGS -u MFLAGS OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
		$(VENV)/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

# The site, in build/docs/index.html; a warning is an error.
docs: $(DOCS_STAMP)
	$(VENV)/bin/python docs/generate.py
	$(VENV)/bin/python -m sphinx -W -n --keep-going -q -b html docs build/docs

# What `make test` leaves to it: the site's links, and the pages whose commands train, export and verify.
docs-test: $(DOCS_STAMP)
	$(VENV)/bin/python -m pytest tests/docs -m docs --numprocesses auto --maxprocesses 4 --dist loadgroup
	PYTHONPATH=tests $(VENV)/bin/python -m helpers.pages

# FUZZ_SECONDS for each reader, one after the other; FUZZ_READERS="aup3 'ESC-50'" for some of them.
fuzz: $(STAMP)
	$(VENV)/bin/python -m pip install --quiet --group fuzz
	PYTHONPATH=tests $(VENV)/bin/python -m fuzz.run --seconds $(FUZZ_SECONDS) $(if $(FUZZ_READERS),--only $(FUZZ_READERS))

install: $(STAMP)

# What `build`, `twine` and others find wrong with a distribution of the last commit.
release-check: $(STAMP)
	$(VENV)/bin/python -m pip install --quiet --group release
	$(VENV)/bin/python .ci/release_check.py

# By pip, uv and pipx, from the wheel and the source distribution, each in an environment of its own.
install-test: $(STAMP)
	$(VENV)/bin/python -m pip install --quiet --group install
	$(VENV)/bin/python .ci/install_test.py

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "labeltool needs Python 3.11 or newer: make PYTHON=python3.11")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --group dev --editable .
	touch $@

$(DOCS_STAMP): $(STAMP)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --group docs
	touch $@

clean:
	rm -rf $(VENV) demo build dist fuzz-findings *.egg-info
