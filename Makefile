# make demo    simulate a recording with known assemblies, fit it, score it, write the page
# make test    linters, type checker, import floors, doctests and tests
# make lint    the first three of these alone
# make test-avx2   doctests and tests as if the processor had no AVX-512
# make prove   the long proofs (proofs/), make bench the timings (benchmarks/)
# make tutorials   execute the tutorials, the gallery and the code in README and docs
# make docs    the site, into build/site (MkDocs, needs npm), with the tutorials executed
# make dist    build the sdist and the wheel and try them as users would (proofs/wheels.py)
# make release try a release: what is missing, then test, docs and dist; publishes nothing
# make viewer  bundle the scripts of the brain viewer (viewer/, needs npm) into the package
# make clean   remove what these targets write, .venv excepted
#
# Each target makes .venv first, with the versions in constraints.txt. On Linux, pip fetches the CUDA
# build of PyTorch (gigabytes) unless told otherwise; without an NVIDIA GPU, the small one will do:
#   make demo PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"

SHELL := bash
BIN := .venv/bin
STAMP := .venv/.installed
PIP_ARGS ?=
PYTEST_ARGS ?=

# the first that runs and is new enough; override with make PYTHON=...
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.11 python3 python3.13 python3.12; do \
	$$python -c '$(NEW_ENOUGH)' 2>/dev/null && { echo $$python; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help demo test test-avx2 lint prove bench tutorials docs dist release viewer clean

help:
	@sed -n 's/^# \{0,1\}//p; /^$$/q' Makefile

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
		echo "boltzbrain needs Python 3.11 or newer; found: $$($(or $(PYTHON),python3) --version 2>&1)." \
			"Install it, or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt hatchling editables
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt --no-build-isolation -e '.[test]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/boltzbrain demo -o demo

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: lint
	mkdir -p build
	$(BIN)/pytest src tests --doctest-modules -n 2 --dist loadfile --durations=15 --junit-xml=build/tests.xml $(PYTEST_ARGS)
	$(BIN)/python tests/check_skips.py build/tests.xml tests/allowed_skips.txt

test-avx2: $(STAMP)
	$(BIN)/python -m benchmarks.restricted pytest src tests --doctest-modules -n 2 --dist loadfile $(PYTEST_ARGS)

prove: $(STAMP)
	@shopt -s nullglob; for script in proofs/*.py; do \
		echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt --no-build-isolation -e '.[bench]'
	@for name in memory deconvolution small_model viewer covariates; do \
		echo "== $$name"; \
		$(BIN)/python -m benchmarks.$$name --json benchmarks/results/$$name.json || exit 1; done
	@kind=$$($(BIN)/python -m benchmarks.timing); for name in sweep update small_updates scaling bandwidth offsets ladder_steps sweep_parts update_parts; do \
		echo "== $$name, $$kind"; \
		$(BIN)/python -m benchmarks.$$name --json benchmarks/results/$$kind/$$name.json || exit 1; \
		test $$kind = avx512 || continue; \
		echo "== $$name, avx2"; $(BIN)/python -m benchmarks.restricted $$name \
			--json benchmarks/results/avx2/$$name.json || exit 1; done
	@echo "== spills"; $(BIN)/python -m benchmarks.spills | tee benchmarks/results/spills.txt
	$(BIN)/python docs/timings.py
	@echo "== time_to_likelihood"; $(BIN)/python -m benchmarks.time_to_likelihood \
		--json benchmarks/results/time_to_likelihood.json \
		--curves benchmarks/results/time_to_likelihood_curves.json

tutorials: $(STAMP)
	$(BIN)/python docs/site/notebooks.py
	$(BIN)/python docs/site/blocks.py

docs: $(STAMP)
	$(BIN)/python docs/site/notebooks.py
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt --no-build-isolation -e '.[docs]'
	npm ci --prefix docs/site --silent --no-audit --no-fund
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

dist: $(STAMP)
	rm -rf dist
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt twine
	$(BIN)/python -m hatchling build
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python proofs/wheels.py dist

release: $(STAMP)
	$(BIN)/python docs/developer/release.py
	$(MAKE) test tutorials docs dist
	@echo "ready: tag the commit, push the tag, upload dist/*"

viewer:
	cd viewer && npm ci --no-audit --no-fund && npm run build

clean:
	rm -rf viewer/node_modules docs/site/node_modules build dist demo .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
