# Every target sets up what it needs in .tools (uv) and .venv (the project); nothing is written elsewhere but caches.
PYTHON ?= python3
UV ?= .tools/bin/uv
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
# Where it is set, as in images for containers, each of hundreds of processes compiles all that it imports, and the tests.
unexport PYTHONDONTWRITEBYTECODE
RUN := $(UV) run --frozen --no-sync
PYTEST := $(RUN) pytest --dist worksteal

.PHONY: run test check lint types layers bench soak setup setup-dev docs clean

run: setup
	@.venv/bin/tocsin demo

# Four on two cores: much of what they do is to wait for processes. The quick ones wait less.
test: setup-dev
	$(PYTEST) -n 4

check: lint types layers
	HYPOTHESIS_PROFILE=quick $(PYTEST) -n 3 -m "not slow"

lint: setup-dev
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types: setup-dev
	$(RUN) mypy

layers: setup-dev
	$(RUN) lint-imports

# The same tests with bigger numbers: a thousand kills, a hundred times the examples.
soak: setup-dev
	TOCSIN_SOAK_ROUNDS=250 TOCSIN_SOAK_EXAMPLES=1000 HYPOTHESIS_PROFILE=soak $(PYTEST) -n 4 --timeout 36000 \
		tests/crash tests/property tests/integration/test_openapi.py tests/integration/test_bad_requests.py

bench: setup-dev
	$(RUN) python bench/sdk.py
	$(RUN) python bench/org.py
	$(RUN) python bench/fleet.py
	$(RUN) python bench/takeover.py
	$(RUN) python bench/relay.py --plot docs/relay-hour.svg
	$(RUN) python bench/look_ups.py
	$(RUN) python bench/sources.py

docs: setup-dev
	$(RUN) python docs/generate.py
	$(RUN) python docs/sources_page.py

setup: $(UV)
	@test -d .venv || echo "setting up .venv: once, less than a minute" >&2
	@$(UV) sync --frozen --quiet --inexact --no-dev --python $(PYTHON)

setup-dev: $(UV)
	@test -d .venv || echo "setting up .venv: once, about a minute" >&2
	@$(UV) sync --frozen --quiet --inexact --python $(PYTHON)

.tools/bin/uv: uv.lock scripts/get_uv.py
	@$(PYTHON) scripts/get_uv.py

clean:
	rm -rf .venv .tools
