# Every target sets up what it needs in .tools (uv) and .venv (the project); nothing is written elsewhere but caches.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV ?= .tools/bin/uv
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
RUN := $(UV) run --frozen --no-sync
PYTEST := $(RUN) pytest -n 2 --dist worksteal

.PHONY: run test check lint types layers bench soak setup setup-dev docs clean

run: setup
	@.venv/bin/tocsin demo

test: setup-dev
	$(PYTEST)

check: lint types layers
	$(PYTEST) -m "not slow"

lint: setup-dev
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types: setup-dev
	$(RUN) mypy

layers: setup-dev
	$(RUN) lint-imports

bench: setup-dev
	$(RUN) python bench/sdk.py
	$(RUN) python bench/org.py

docs: setup-dev
	$(RUN) python docs/generate.py

setup: $(UV)
	@$(UV) sync --frozen --quiet --inexact --no-dev --python $(PYTHON)

setup-dev: $(UV)
	@$(UV) sync --frozen --quiet --inexact --python $(PYTHON)

# Debian's python3 may lack venv or pip; either one is enough to get uv.
.tools/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit("Tocsin needs Python 3.11 or newer; set PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	@if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	  $(PYTHON) -m venv .tools && .tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools uv==$(UV_VERSION); \
	else \
	  echo "make: no way to get uv: install python3-venv or python3-pip, or set UV=/path/to/uv" >&2; exit 1; \
	fi

clean:
	rm -rf .venv .tools
