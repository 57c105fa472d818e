# make run     the whole study on CIFAR-10: environment, data, training, examination, report
# make test    the same environment with the development tools; ruff, mypy, import-linter, pytest
# make docs    the documentation as a site in build/docs, strict about broken links
# make quick   the tests without slow ones, data and browser, in under a minute once the environment is there
# make wheel   sdist and wheel in dist/
# make bench   the benchmark of time to macro-F1 against its peers, each in its own environment

PYTHON ?= python3
BIN := .venv/bin
OUT ?= runs/first
MINUTES ?= 5
WORKERS ?= 2

.PHONY: studies run test quick lint wheel bench docs clean

run: .venv/.installed
	$(BIN)/deepsight run --minutes $(MINUTES) --out $(OUT)

test: lint
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not study"

# whole studies, every kind of model, and a cluster: long, and not part of `make test`
studies: .venv/.developed
	$(BIN)/pytest -n $(WORKERS) -m study

quick: .venv/.developed
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow and not data and not browser"

lint: .venv/.developed
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/.developed
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -c docs . build/docs
	@echo "The first page: build/docs/index.html"

wheel: .venv/.developed
	$(BIN)/python -m build --outdir dist

bench: .venv/.developed
	$(BIN)/python benchmarks/time_to_f1/run.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/.developed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ .venv/.installed

clean:
	rm -rf .venv build dist *.egg-info src/*.egg-info
