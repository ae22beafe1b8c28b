# `make demo` runs the main job, `make test` the tests; both set up what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# What shares a stack stays in one process. There are two stacks, which mostly wait for themselves; the rest runs beside them.
PYTEST_ARGS ?= -n 3 --dist loadscope --no-loadscope-reorder
# Compiled once at installation: importing scikit-learn from source costs each task ten seconds.
export UV_COMPILE_BYTECODE := 1

# What the properties draw their examples from; printed, so that a failure can be repeated.
SEED ?= $(shell date +%s)

# The benchmark that `make bench` runs, with its options in ARGS.
BENCH ?= data_validation

.PHONY: setup demo test test-unit test-deep check docs bench lock clean

setup: $(VENV)/.done

$(VENV)/.done: requirements.lock pyproject.toml
	@echo "Installing into $(VENV): about a minute the first time"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

demo: setup
	@$(BIN)/taxiway demo $(ARGS)

test: setup
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

test-unit: setup
	@$(BIN)/python -m pytest $(PYTEST_ARGS) tests/unit

test-deep: SEED := $(SEED)
test-deep: setup
	@echo "Whole simulations, and ten times the examples that each property asks for, from the seed $(SEED)."
	@echo "To repeat: make test-deep SEED=$(SEED)"
	@$(BIN)/python -m pytest $(PYTEST_ARGS) -m "hypothesis or deep" --hypothesis-profile=deep --hypothesis-seed=$(SEED) tests/unit ||\
		{ echo "To repeat: make test-deep SEED=$(SEED)"; exit 1; }

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# The site needs no network to be built or read; a warning is an error, but not with --quiet, which hides it. The variable switches
# off a note of Material about another release of MkDocs.
docs: setup
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean
	@echo "The documentation is in site/. To read it: $(BIN)/python -m http.server --directory site"

# The peers that the benchmarks compare with are in an environment of their own.
bench: .venv-bench/.done
	@.venv-bench/bin/python benchmarks/$(BENCH).py $(ARGS)

.venv-bench/.done: $(VENV)/.done benchmarks/requirements.lock
	@echo "Installing into .venv-bench: about a minute the first time"
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@VIRTUAL_ENV=$(CURDIR)/.venv-bench $(BIN)/uv pip sync --quiet --require-hashes requirements.lock benchmarks/requirements.lock
	@VIRTUAL_ENV=$(CURDIR)/.venv-bench $(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

# After a change of dependencies in pyproject.toml. The old locks are removed first: uv would keep their versions. The image's
# and the benchmarks' locks agree with the other.
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	--custom-compile-command "make lock"
lock: setup
	@rm -f requirements.lock deploy/requirements.lock benchmarks/requirements.lock
	@$(COMPILE) --all-extras --group dev --group docs pyproject.toml -o requirements.lock
	@$(COMPILE) --extra compose --constraint requirements.lock pyproject.toml -o deploy/requirements.lock
	@$(COMPILE) --constraint requirements.lock benchmarks/requirements.in -o benchmarks/requirements.lock

clean:
	@if [ -x $(BIN)/taxiway ] && [ -d .taxiway ]; then $(BIN)/taxiway down; fi
	@rm -rf $(VENV) .venv-bench .taxiway build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache site
