# Everything starts here: `make help`. Needs Python 3.11 or 3.12 and make, nothing else.
.DEFAULT_GOAL := help
.PHONY: help setup run dev serve test storm lint format typecheck definitions check programs clean FORCE

VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.installed ## Make .venv, install, and fetch the embedded model's weights (TORCH_INDEX=URL takes torch from there)
	@$(BIN)/gather setup >/dev/null

run: setup ## Run the automated gather creation on the sample project (ARGS="--json" and so on)
	@$(BIN)/gather project create --name "The Salt Ledger" --brief gather_pipeline/sample/brief.md --id salt-ledger --if-missing >/dev/null
	@$(BIN)/gather run --project salt-ledger $(ARGS)

dev: setup ## Open Dagster's UI on the same state, at http://127.0.0.1:3000 (ARGS="-p 3001" and so on)
	@exec $(BIN)/python -m gather_pipeline.defs.dev $(ARGS)

serve: setup ## Serve the API and its page, at http://127.0.0.1:8000 (ARGS="--port 8001" and so on)
	@exec $(BIN)/gather serve $(ARGS)

test: $(VENV)/.installed-dev setup check programs ## Set up, check and run the tests, one worker a core (ARGS="-k word -n 0" and so on)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n logical --dist worksteal $(ARGS)

# The browser in which tests look at pages, and Redis. Where they cannot be installed their tests are skipped, but not in continuous integration.
programs:
	@if ! { command -v chromium && command -v redis-server; } >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
	    chromium fonts-liberation redis-server >/dev/null || echo "chromium and redis-server could not be installed" >&2; \
	fi

storm: $(VENV)/.installed-dev setup ## Run the tests that kill processes at random points, which `make test` leaves out (KILLS=10 for fewer)
	STORM_KILLS='$(KILLS)' $(BIN)/pytest -m storm $(ARGS)

check: lint typecheck definitions ## Lint, types, and whether Dagster can load the definitions

lint: $(VENV)/.installed-dev ## Check style and layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev ## Mend style and layout where a tool can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: $(VENV)/.installed-dev ## Check types
	$(BIN)/mypy

definitions: $(VENV)/.installed-dev ## Load the Dagster definitions as the UI would
	$(BIN)/dagster definitions validate -w workspace.yaml

clean: ## Remove caches and build outputs; state, weights and .venv stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find gather_pipeline gather_pipeline_tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in $(PYTHON) python3.11 python3.12 python3 python; do \
	    if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then \
	        echo "Making $(VENV) with $$python"; \
	        "$$python" -m venv $(VENV) && exit 0; \
	        rm -f $@; echo "Error: $$python cannot make a virtual environment (on Debian and Ubuntu: install python3-venv)" >&2; exit 1; \
	    fi; \
	done; \
	echo "Error: no Python 3.11 or 3.12 was found; name one with make setup PYTHON=/path/to/python" >&2; exit 1

# torch is taken first and alone, so that its own index need not have anything else; a changed TORCH_INDEX takes it anew.
TORCH_FROM := $(VENV)/.torch-$(firstword $(shell printf %s '$(TORCH_INDEX)' | cksum))
ifneq ($(TORCH_INDEX),)
ifeq ($(wildcard $(TORCH_FROM)),)
$(VENV)/.installed: FORCE
endif
endif

$(VENV)/.installed: setup.py | $(BIN)/python
	@if [ -n '$(TORCH_INDEX)' ]; then \
	    torch="$$(sed -n 's/.*"\(torch==[^"]*\)".*/\1/p' setup.py)" && echo "Installing $$torch from TORCH_INDEX" && \
	    $(BIN)/pip install --no-deps --force-reinstall --index-url '$(TORCH_INDEX)' "$$torch" && \
	    rm -f $(VENV)/.torch-* && touch $(TORCH_FROM); \
	fi
	$(BIN)/pip install -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install -e '.[dev]'
	@touch $@
