# The two that matter: `make run` trains the default experiment, `make test` runs the tests. Both set everything up first.
VENV   := .venv
PYTHON := $(VENV)/bin/python
STBENCH := $(PYTHON) -m stbench
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup run smoke rerank sweep leaderboard matrix false-wins ui test servers bench-sweep advice check format wheel lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: $(READY) ## virtual environment with the tested versions

$(READY): pyproject.toml constraints.txt
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[offline,distill,qlora,search,dev]'
	touch $(READY)

run: $(READY) ## the default experiment, or any sentence: make run ARGS="loss=triplet negatives=mined"
	$(STBENCH) $(ARGS)

smoke: $(READY) ## one step on a small slice of any sentence: make smoke ARGS="model=cross_encoder"
	$(STBENCH) training=smoke force=true $(ARGS)

rerank: $(READY) ## train a cross-encoder with Lambda loss on mined lists
	$(STBENCH) model=cross_encoder loss=listwise $(ARGS)

sweep: $(READY) ## three learning rates, one run each
	$(STBENCH) -m training.learning_rate=1e-2,3e-2,1e-1 $(ARGS)

leaderboard: $(READY) ## all finished runs by score, and which of them cannot be told from the best
	$(STBENCH) job=leaderboard $(ARGS)

matrix: $(READY) ## every loss with every model type and shape of data; writes docs/matrix.md (ten minutes)
	$(PYTHON) benchmarks/matrix.py --output docs/matrix.md

false-wins: $(READY) ## how often noise is called a win; writes docs/false-wins.md (half an hour)
	$(PYTHON) benchmarks/false_wins.py --output docs/false-wins.md

ui: $(READY) ## what MLflow has tracked, in the browser
	@echo 'open http://127.0.0.1:5000/#/experiments/1?workflowType=machine_learning'
	$(VENV)/bin/mlflow ui --backend-store-uri sqlite:///logs/mlflow.db --host 127.0.0.1 --port 5000

test: $(READY) ## all tests
	$(PYTHON) -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

servers: $(READY) ## tests of tracking with MLflow servers, and with PostgreSQL where it is installed
	$(PYTHON) -m pytest -m servers

bench: $(READY) ## sentences against the scripts that they replace; writes docs/bench.md: make bench STSB=DIR (an hour)
	$(PYTHON) benchmarks/speed.py --output docs/bench.md $(if $(STSB),--stsb $(STSB))

bench-sweep: $(READY) ## a sweep against the scripts it replaces; writes docs/bench-sweep.md (a quarter of an hour)
	$(PYTHON) benchmarks/sweep.py --output docs/bench-sweep.md

advice: $(READY) ## what weak runs are told, and what comes of it; writes docs/advice.md (a quarter of an hour)
	$(PYTHON) benchmarks/advice.py --output docs/advice.md

check: $(READY) ## lint, format and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(READY) ## mend what lint and format can mend by themselves
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

wheel: $(READY) ## build the wheel into dist/
	$(PYTHON) -m build --wheel --quiet

lock: $(READY) ## write the installed versions to constraints.txt
	$(PYTHON) -m pip freeze --exclude-editable | grep -E '^[A-Za-z0-9_.-]+==' | sed -E 's/\+cpu$$//' > constraints.txt

clean: ## remove what can be made again (never experiments/ and logs/)
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find stbench tests -name __pycache__ -type d -prune -exec rm -rf {} +
