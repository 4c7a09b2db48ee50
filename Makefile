# Two targets do all the set-up on a fresh machine: `make demo` and `make test`.  They need Python 3.11+ and pip.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?=

.PHONY: setup demo test lint format docs bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

demo: setup
	$(BIN)/taskspace demo $(if $(DATA),--data $(DATA))

test: lint
	HF_HUB_OFFLINE=1 $(BIN)/pytest -q -n auto

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup
	$(BIN)/mkdocs build --strict

# Long runs: see benchmarks/README.md; results lie in benchmarks/results.
bench: setup
	for name in model_to_dataset kinds_of_model cost_per_task fisher_cost prompt_speed prompt_choice prompt_cost prompt_bank published_prompts rank_10k killed map page_frames rest_load duplicates; do \
		$(BIN)/python benchmarks/$$name.py || exit; done

clean:
	rm -rf $(VENV) site dist .pytest_cache .ruff_cache
