# Everything a person does with this repository. Bare `make` prints the list.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PACKAGES := libs services embedded cli connectors bench

.DEFAULT_GOAL := help
.PHONY: help setup proto format check lint types layers servers test scenarios services run-server chaos secrets chart \
	bench office scaling docs ui ui-check runner-check run demo clean

help: ## print this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) proto ## create the environment and generate the code

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

proto: libs/proto/headrace/py.typed ## generate the Python code of proto/

libs/proto/headrace/py.typed: $(STAMP) proto/generate.py $(shell find proto -name '*.proto')
	$(BIN)/python proto/generate.py

format: setup ## format the code
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

check: lint types layers ui-check runner-check ## lint, types, layers, contracts

lint: setup
	$(BIN)/ruff check .
	$(BIN)/buf lint
	$(BIN)/python proto/breaking.py
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml deploy/compose.tls.yaml

types: setup
	$(BIN)/mypy $(PACKAGES) docs/generate.py tests/servers tests/appmixer_cli

layers: setup
	$(BIN)/lint-imports

servers: setup ## install what tests run against: the backing servers, Appmixer's command line
	$(BIN)/python -m tests.servers --install
	$(BIN)/python -m tests.appmixer_cli.install

test: setup check servers ui ## check, then every test
	$(PYTHON) ui/build.py test
	$(BIN)/python -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder

services: setup ## run RabbitMQ, Redis, MongoDB's wire and Elasticsearch until Ctrl-C: make services [NAMES="redis mongo"] [DATA=dir]
	$(BIN)/python -m tests.servers $(NAMES) $(if $(DATA),--data $(DATA))

run-server: setup servers ## server mode here: backing servers and two of each service: make run-server [REPLICAS=2] [DATA=dir]
	$(BIN)/python -m tests.system $(if $(REPLICAS),--replicas $(REPLICAS)) $(if $(DATA),--data $(DATA))

scenarios: setup ## play the transcripts of tests/scenarios
	$(BIN)/python -m pytest -q tests/scenarios

BAR ?= R1
LEVEL ?= ci

chaos: setup ## a bar of the scorecard: make chaos BAR=R1|…|R6|R9|R15|R16|Q1|S1|S5|S7|S9…S12|S15|S17 LEVEL=ci [MUTANT=answer_before_commit] [ARGS="--seed 7"]
	$(BIN)/python -m tests.chaos.$(shell echo $(BAR) | tr A-Z a-z) --level $(LEVEL) --mutant "$(MUTANT)" $(ARGS)

secrets: ## passwords and certificates for compose.yaml and the chart, into deploy/secrets; keeps what is there
	deploy/make-secrets deploy/secrets

chart: setup ## lint and render deploy/helm/headrace with the real helm, and look at what comes out
	$(BIN)/python -m tests.deploy.chart

office: setup servers ## the Backoffice over 5,000 flows of 500 users, in a browser: make office MODE=embedded|server
	$(BIN)/python -m tests.ui.large $(or $(MODE),embedded)

bench: setup servers ## speed and memory: make bench SCENARIOS="F1 F2" SECONDS=5 ROUNDS=3 PEERS_HOME=… PEERS="headrace n8n"
	$(BIN)/python -m bench $(if $(SCENARIOS),--scenarios $(SCENARIOS)) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(PEERS),--peers $(PEERS)) $(if $(PEERS_HOME),--peers-home $(PEERS_HOME)) \
		$(ARGS)

scaling: setup ## a model of 10, 100 and 1,000 executors, as docs/concepts/scaling.md shows it
	$(BIN)/python -m bench.scaling

ui: ## build the user interface into ui/dist
	$(PYTHON) ui/build.py build

ui-check: ## types of the user interface
	$(PYTHON) ui/build.py check

runner-check: ## types of the Node runner
	$(PYTHON) ui/build.py check-runner

docs: setup ## write docs/reference from the code
	$(BIN)/python -m docs.generate docs/reference

run: setup ## start the whole platform in one process, with the user interface
	$(PYTHON) ui/build.py build --try
	$(BIN)/headrace up

demo: setup ## start the platform, and a page of another origin that embeds every widget: http://127.0.0.1:2280
	$(PYTHON) ui/build.py build --try
	$(BIN)/python docs/embedding/serve.py --up

clean: ## remove what was generated and installed
	rm -rf $(VENV) libs/proto/headrace build dist ui/dist ui/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
