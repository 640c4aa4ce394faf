# `make run` starts the panel and the daemon; `make test` tests everything; `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
# Stamps lie in the venv, so that they go when it goes.
INSTALLED := $(VENV)/requirements.stamp
INSTALLED_FOR_TESTS := $(VENV)/requirements-dev.stamp

.PHONY: help setup run test check fix bench demo dev lock clean

help:
	@echo 'make setup   make the virtual environment in $(VENV)'
	@echo 'make run     start the panel and the mail daemon, and print where'
	@echo 'make test    install what the tests need and run them all (about 15 minutes)'
	@echo 'make check   linters, types, import contracts, migrations (a minute)'
	@echo 'make fix     let the linter and the formatter mend what they can'
	@echo 'make bench   measure speed and memory of this checkout on this machine'
	@echo 'make lock    choose the versions of the Python packages anew (needs uv)'
	@echo 'make demo    start it in a scratch folder with invented people and mail'

setup: $(INSTALLED)

$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo 'mailadmin needs Python 3.11 or newer; "$(PYTHON)" is not that.' >&2; \
	  echo 'Name another one: make $(MAKECMDGOALS) PYTHON=/usr/bin/python3.13' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo 'The Python module venv is missing: apt-get install -y git make python3-venv' >&2; exit 1; }
	@$(RUN) -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo 'Installing the Python packages into $(VENV)'
	@$(INSTALL) -r requirements.lock
	@touch $@

$(INSTALLED_FOR_TESTS): requirements-dev.lock $(INSTALLED)
	@echo 'Installing the packages for tests into $(VENV)'
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

dev: $(INSTALLED_FOR_TESTS)

run: setup
	@exec $(RUN) manage.py up

test: dev
	@exec $(RUN) -m tests.suite

check: dev
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check --quiet .
	@$(RUN) -m mypy .
	@$(RUN) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo
	@home=$$(mktemp -d); env -u DATABASE_URL MAILADMIN_HOME="$$home" $(RUN) manage.py makemigrations --check --dry-run; \
	  status=$$?; rm -rf "$$home"; exit $$status

fix: dev
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

# uv is a developer's tool: pip install uv.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-header --output-file requirements.lock pyproject.toml
	uv pip compile --quiet --universal --generate-hashes --no-header --group dev --constraint requirements.lock \
	  --output-file requirements-dev.lock pyproject.toml

# PostgreSQL: make bench DATABASE_URL=postgresql://…; more by BENCH="--help".
bench: setup
	@exec $(RUN) -m bench $(BENCH)

demo: setup
	@home=$$(mktemp -d) && chmod 711 "$$home" && trap 'rm -rf "$$home"' EXIT INT TERM; \
	  export MAILADMIN_HOME="$$home"; unset DATABASE_URL; $(RUN) manage.py demo && $(RUN) manage.py up

clean:
	rm -rf .venv .venv313 .stamps .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis test-results
