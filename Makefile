# Kybern. `make` shows the targets.
VENV := .venv/bin
PYTEST := $(VENV)/pytest -q
PARALLEL := -n 2
# What waits for processes and the clock may be late on a busy machine: what failed is run once more, alone.
TWICE = $(PYTEST) $(1) || $(PYTEST) --last-failed $(1)
SRC := libs services tools bench tests

export PATH := $(PATH):$(CURDIR)/build/tools:$(CURDIR)/build/tools/go/bin:/usr/sbin:/sbin

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests up down demo test unit contract mesh clients e2e image conformance compare integration bench lint types imports buf protos golden \
	generated verify lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## install what is missing: system packages, virtual environment, generated code
	@sh tools/setup.sh nodes

setup-tests:
	@sh tools/setup.sh tests

up: setup ## start a cluster on this host
	@$(VENV)/kybern up

down: ## stop it, leaving nothing behind but its data
	@$(VENV)/kybern down

demo: setup ## a cluster, an application, its Service and DNS name, and the trace of a pod's way
	@$(VENV)/python tools/demo.py

test: setup-tests unit contract mesh clients e2e ## every test; what needs root or containerd runs where it can

unit: ## tests of the pure core
	$(call TWICE,$(PARALLEL) tests/unit)

contract: ## one suite for each interface, over every implementation
	$(call TWICE,$(PARALLEL) tests/contract)

mesh: ## services together
	$(call TWICE,$(PARALLEL) tests/mesh)

clients: ## real clients: kubectl, the Python client
	$(call TWICE,tests/clients)

e2e: ## real containers
	$(call TWICE,tests/e2e)

image: ## build the container image of all services
	@sh tools/image.sh

conformance: setup ## cases of Kubernetes' conformance suite, e.g. FOCUS=StatefulSet (all: FLAGS='--processes 6', 40 minutes)
	@$(VENV)/python tests/conformance/run.py --focus '$(FOCUS)' $(FLAGS)

compare: setup ## the same requests to a kube-apiserver 1.36 and to Kybern: every difference is a failure
	@sh tests/compare/build.sh
	$(PYTEST) -n 2 --dist loadfile tests/compare

integration: setup ## Kubernetes' own integration tests of its API: PACKAGES='apiserver auth' (tests/integration/README.md)
	@[ -x build/tools/etcd-3.6 ] || sh tools/etcd.sh
	@$(VENV)/python tests/integration/run.py $(PACKAGES)

bench: ## measure; docs/performance.md explains the figures
	@for b in $$(ls bench/*.py | grep -v -e cluster.py -e load.py); do echo "== $$b"; $(VENV)/python $$b || exit 1; done

lint:
	$(VENV)/ruff check $(SRC)
	$(VENV)/ruff format --check $(SRC)

types:
	MYPYPATH=bench $(VENV)/mypy libs services tools bench

imports:
	$(VENV)/lint-imports

buf: ## lint the contracts and look for breaking changes
	$(VENV)/buf lint
	@if git rev-parse -q --verify HEAD~1 >/dev/null 2>&1; then $(VENV)/buf breaking --against '.git#ref=HEAD~1'; fi

protos: ## generate code from the contracts
	$(VENV)/python tools/protos.py --force

golden: ## rewrite the golden files; read the difference before committing
	KYBERN_GOLDEN=write $(PYTEST) tests/golden tests/unit

generated:
	$(VENV)/python tools/protos.py --check
	$(VENV)/python tools/schema.py --check

verify: setup-tests lint types imports buf generated unit contract mesh clients e2e ## everything that must be green

lock: setup ## pin the dependencies anew
	echo uv | $(VENV)/uv pip compile - --generate-hashes --no-header --no-annotate --python-version 3.11 -o requirements-uv.lock
	$(VENV)/uv pip compile pyproject.toml --generate-hashes --no-header --no-annotate --python-version 3.11 -o requirements.lock
	$(VENV)/uv pip compile pyproject.toml --group dev --generate-hashes --no-header --no-annotate --python-version 3.11 -o requirements-dev.lock

clean: ## remove what was built
	rm -rf build .venv libs/kybern/protos

.PHONY: envtest
envtest: setup-tests ## controller-runtime's own test suites on Kybern, all of them (six minutes)
	KYBERN_ENVTEST=all $(PYTEST) tests/clients/envtest
