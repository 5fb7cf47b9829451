# `make demo` and `make test` need Python 3.11 to 3.13 with pip, and make; they build .venv themselves.
# PYTHON=/path/to/python3 chooses the Python, VENV=folder another place than .venv.
VENV ?= .venv
export VENV PYTHON

.DEFAULT_GOAL := help
.PHONY: help demo test check format docs requirements promises bench clean

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## Index a sample company, print a cited answer, serve the web chat (ONCE=1: exit after the answer)
	@scripts/make_venv.sh runtime
	@CITEBOT_DATA_DIR=$${CITEBOT_DATA_DIR:-.demo} $(VENV)/bin/citebot demo $(if $(ONCE),--once) $(ARGS)

test: ## Everything that CI runs; STEPS="lint types" runs some of it
	@scripts/make_venv.sh dev
	@$(VENV)/bin/python scripts/run_tests.py $(STEPS)

check: ## The quick part: format, lint, import contracts, types, docs
	@scripts/make_venv.sh dev
	@$(VENV)/bin/python scripts/run_tests.py format lint imports types docs

format: ## Format the code and mend what ruff can mend
	@scripts/make_venv.sh dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

docs: ## Write the generated pages of docs/
	@scripts/make_venv.sh dev
	$(VENV)/bin/python scripts/docs.py

requirements: ## Pin the dependencies again (needs uv)
	scripts/requirements.sh

promises: ## The promises that every run tests with few repetitions, at their full counts; takes long
	@scripts/make_venv.sh dev
	CITEBOT_TEST_COUNTS=full $(VENV)/bin/python -m pytest --timeout=7200 tests/faults $(ARGS)

bench: ## All benchmarks; they take long and write docs/benchmarks.md
	@scripts/make_venv.sh dev
	@for script in $$(grep -l '__main__' tests/benchmarks/*.py); do \
		echo "=== $$script"; $(VENV)/bin/python $$script $(ARGS) || exit 1; \
	done

clean: ## Remove what was built, .venv included
	rm -rf $(VENV) .cache .demo dist build .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
