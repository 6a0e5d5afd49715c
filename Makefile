# One command each; a fresh machine needs python3 (3.10 to 3.12) with venv, node 20 with npm, and make.
# What has been installed is remembered in .make/, so a second run starts at once.

SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.10 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DONE := .make
AS_ROOT := $(shell [ "$$(id -u)" != 0 ] || echo --allow-root)
PYTEST := $(BIN)/python -m pytest

# What is set in many containers; each of some hundred processes would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

UNIT_TESTS := tests/unit tests/contracts tests/architecture
FAST_TESTS := $(UNIT_TESTS) tests/properties
SERVER_TESTS := tests/conformance tests/integration
IN_PARALLEL := --numprocesses auto --dist worksteal
# These mostly wait, for servers, kernels and deadlines, so there is one more than the two processors there are at least;
# a file's tests share a server.
FILES_IN_PARALLEL := --numprocesses 3 --dist loadfile
# A process's tests share a server, a browser and two pages.
PAGES_IN_PARALLEL := --numprocesses 2 --dist worksteal
# A server, a kernel and a browser on two busy cores now and then miss a deadline: what failed is shown, and run once
# more, alone. What fails twice fails.
twice = $(PYTEST) $(1) $(2) || { echo "--- once more, what failed ---"; \
  $(PYTEST) --last-failed --last-failed-no-failures=none $(2); }
LAB_SOURCES := $(shell find labextension -type d \( -name node_modules -o -name lib \) -prune -o -type f -print 2>/dev/null)

.PHONY: help setup lab check lint types layers front-check test test-fast test-server test-browser test-front picture unit bench soak clean

help:
	@echo "make lab     JupyterLab with the extension on, an example notebook open"
	@echo "make unit    the unit tests: no server, no properties"
	@echo "make check   ruff, mypy, import-linter, eslint, tsc"
	@echo "make test    all of it"
	@echo "make bench   benchmarks; prints medians and ratios"
	@echo "make soak    the long runs: crashes, fuzzing, load"
	@echo "make clean   removes everything that was built or installed here"

# ---- what has to be there -----------------------------------------------------------------------------------------

setup: $(DONE)/venv $(DONE)/js $(DONE)/js-example $(DONE)/labextension

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The front end is built by its own rule below, so the package's build hook is told to keep out of it.
$(DONE)/venv: pyproject.toml jupyter_runtimed/etc/jupyter_runtimed.json | $(BIN)/python
	@mkdir -p $(DONE) jupyter_runtimed/_labextension
	SKIP_JUPYTER_BUILDER=1 $(BIN)/python -m pip install --quiet --editable '.[dev]'
	$(BIN)/python -m bash_kernel.install --sys-prefix
	@touch $@

# A JavaScript Automerge peer for the tests.
$(DONE)/js: tests/js/package.json tests/js/package-lock.json
	@mkdir -p $(DONE)
	cd tests/js && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# The JavaScript example, which the tests run.
$(DONE)/js-example: examples/javascript/package.json examples/javascript/package-lock.json
	@mkdir -p $(DONE)
	cd examples/javascript && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(DONE)/labextension-modules: labextension/package.json labextension/package-lock.json
	@mkdir -p $(DONE)
	cd labextension && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# The front end, built and linked into this environment, so that a rebuild shows at the next page load.
$(DONE)/labextension: $(LAB_SOURCES) $(DONE)/labextension-modules $(DONE)/venv
	cd labextension && PATH="$(CURDIR)/$(BIN):$$PATH" npm run build:prod
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/jupyter-builder develop . --overwrite
	@touch $@

# The other extensions that make notebooks shared, apart from the environment, for the test that they and this one do not
# fight. What they need besides is there already.
$(DONE)/rivals: $(DONE)/venv $(DONE)/rivals-jsd
	$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/rivals --upgrade \
	  jupyter-docprovider==3.0.4 jupyter-server-ydoc==3.0.4 jupyter-server-fileid==0.10.0 jupyter-ydoc==4.2.1 \
	  pycrdt==0.14.13 pycrdt-websocket==0.16.5 pycrdt-store==0.1.5 sqlite-anyio==0.2.3
	@touch $@

$(DONE)/rivals-jsd: $(DONE)/venv
	$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/rivals-jsd --upgrade \
	  jupyter-server-documents==0.3.3 jupyter-docprovider==3.0.4 jupyter-server-fileid==0.9.3 jupyter-ydoc==4.2.1 \
	  pycrdt==0.14.13
	@touch $@

# A tool of others that talks to the notebook's kernel, apart from the environment, too.
$(DONE)/tools: $(DONE)/venv
	$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/tools --upgrade lckr-jupyterlab-variableinspector==3.2.4
	@touch $@

# The front end as a program that Python tests drive.
$(DONE)/labextension-tests: $(LAB_SOURCES) $(DONE)/labextension-modules
	cd labextension && npx --no-install tsc -p tests
	@touch $@

# A browser for the browser tests, from the system's packages; one without windows, too, where there is one.
$(DONE)/browser:
	@mkdir -p $(DONE)
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	  apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
	    chromium fonts-dejavu-core fonts-noto-color-emoji; }
	command -v chromium-headless-shell >/dev/null || \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium-headless-shell || true
	@touch $@

# ---- what people type ---------------------------------------------------------------------------------------------

lab: $(DONE)/venv $(DONE)/labextension
	$(BIN)/jupyter lab $(AS_ROOT) --ServerApp.root_dir=examples --LabApp.default_url=/lab/tree/welcome.ipynb $(LAB_ARGS)

check: lint types layers front-check

lint: $(DONE)/venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DONE)/venv
	$(BIN)/mypy

layers: $(DONE)/venv
	$(BIN)/lint-imports

front-check: $(DONE)/venv $(DONE)/labextension-modules
	cd labextension && PATH="$(CURDIR)/$(BIN):$$PATH" npm run check

unit: $(DONE)/venv $(DONE)/js
	$(PYTEST) $(IN_PARALLEL) $(UNIT_TESTS)

test-fast: $(DONE)/venv $(DONE)/js
	$(call twice,$(IN_PARALLEL),$(FAST_TESTS))

test-server: $(DONE)/venv $(DONE)/js $(DONE)/js-example $(DONE)/labextension $(DONE)/labextension-tests $(DONE)/browser
	$(call twice,$(FILES_IN_PARALLEL),$(SERVER_TESTS))

# In processes of their own: the browser's driver runs an event loop that other tests must not meet.
test-browser: $(DONE)/venv $(DONE)/labextension $(DONE)/browser $(DONE)/rivals $(DONE)/tools
	$(call twice,$(PAGES_IN_PARALLEL),tests/browser)

test-front: $(DONE)/venv $(DONE)/labextension-modules
	cd labextension && npm test

# The picture in the README, drawn by a test.
picture: $(DONE)/venv $(DONE)/labextension $(DONE)/browser
	$(PYTEST) -q tests/browser/test_picture.py
	@mkdir -p docs/images
	cp artifacts/browser/two-people.png docs/images/

# One after the other, whatever -j says: the timing of the server tests should be their own.
test: setup $(DONE)/browser
	$(MAKE) --jobs=2 --output-sync=target check
	$(MAKE) test-fast
	$(MAKE) test-front
	$(MAKE) test-server
	$(MAKE) test-browser

# The peers that are measured beside this one, each in an environment of its own.
$(DONE)/venv-jc/ready: | $(BIN)/python
	@mkdir -p $(DONE)
	$(BIN)/python -m venv $(DONE)/venv-jc
	$(DONE)/venv-jc/bin/python -m pip install --quiet jupyter-collaboration==5.0.4 'jupyterlab>=4.6,<4.7' ipykernel
	@touch $@

$(DONE)/venv-jsd/ready: | $(BIN)/python
	@mkdir -p $(DONE)
	$(BIN)/python -m venv $(DONE)/venv-jsd
	$(DONE)/venv-jsd/bin/python -m pip install --quiet jupyter-server-documents==0.3.3 ipykernel
	@touch $@

BENCH_NEEDS := $(DONE)/venv $(DONE)/js $(DONE)/labextension $(DONE)/browser \
  $(DONE)/venv-jc/ready $(DONE)/venv-jsd/ready

# One table after the other; BENCH_ARGS=--quick for a short run.
bench: $(BENCH_NEEDS)
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

soak: $(DONE)/venv $(DONE)/js $(DONE)/labextension-tests
	$(PYTEST) -m soak --timeout=0 tests

clean:
	rm -rf $(VENV) $(DONE) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf jupyter_runtimed/_labextension labextension/node_modules labextension/lib labextension/tsconfig.tsbuildinfo
	rm -rf tests/js/node_modules examples/javascript/node_modules
	find jupyter_runtimed tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
