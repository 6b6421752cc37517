PYTHON ?= python3
TREE ?= .

.PHONY: install test lint bench

install:
	$(PYTHON) -m pip install -e '.[dev]'

test:
	$(PYTHON) -m pytest -q

lint:
	ruff check .
	ruff format --check .
	mypy
	leakguard rules check

bench:
	$(PYTHON) benchmarks/tree.py $(TREE)
