# Every target installs what it needs first; nothing has to be there but a Python and the package registries.
PYTHON ?= python3
export VENV ?= .venv
BIN := $(VENV)/bin
# Each process of `make test` imports TFX, which takes a gigabyte: one for every core would be too much for many machines.
WORKERS ?= 2

IMAGE ?= model-monitor:$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help install demo kfp-demo live test test-long test-flink soak image lint format notebook docs lock clean bench-detection bench-throughput bench-startup

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

install: ## an environment in .venv with the locked requirements
	@$(PYTHON) requirements/install.py

demo: install ## train, validate, gate and push on the embedded sample of CIFAR-10
	@$(BIN)/model-monitor train --dataset sample

live: demo ## serve, log and watch that model on this machine: a story of two to five minutes
	@$(BIN)/model-monitor demo --live

# The commands that tests start compile our own sources once: an environment may forbid to keep what was compiled.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: install ## the tests of a change, in WORKERS processes: minutes (TESTS=)
	@$(PYTEST) -m "not long" $(TESTS)

# Where TESTS names no files, those with long tests: no other has to be imported.
test-long: install ## whole pipelines, trainings, containers and attacks: a quarter of an hour more (TESTS=)
	@$(PYTEST) -m long $(TESTS) $(if $(findstring tests/,$(TESTS)),,$$(grep -rlF pytest.mark.long tests --include='test_*.py'))

test-flink: install ## components on a Flink cluster of several processes, which are killed (Java, Maven)
	@$(PYTEST) tests/flink

soak: install build/versitygw ## all attacks in full, with what was tried and what held (an hour; ATTACKS=)
	@$(BIN)/python -m pytest -q tests/attacks --soak $(ATTACKS)

bench-detection: install build/peers ## how well shifts are detected, ours and others, on full CIFAR-10 (hours; MODEL=)
	@$(BIN)/model-monitor data fetch
	@test -n "$(MODEL)" || ls -d runs-full/serving/[0-9]* >/dev/null 2>&1 || \
	  $(BIN)/model-monitor train --dataset full --set root=runs-full
	@model="$(MODEL)"; $(BIN)/python -m benchmarks.detection all --peers-python build/peers/bin/python \
	  --model "$${model:-$$(ls -d runs-full/serving/[0-9]* | tail -n 1)}"

bench-throughput: install build/image-peers ## what images and logs cost, as ratios to a float32 pass, to decoding and to others (a minute)
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.throughput

bench-startup: demo ## what a run costs of which nothing has changed, against a pipeline of TFX's own (minutes)
	@test -d build/bench-logs/1 || $(BIN)/model-monitor replay --logs build/bench-logs --count 500
	@$(BIN)/python -m benchmarks.startup --logs build/bench-logs

# What is compared with ours: an environment of its own, for it wants an older TensorFlow.
build/peers: requirements/bench.txt | install
	@.tools/bin/uv venv -q --clear --python $(BIN)/python $@
	@.tools/bin/uv pip install -q --python $@/bin/python -r $<
	@touch $@

# The same for descriptions of images.
build/image-peers: requirements/bench-images.txt | install
	@.tools/bin/uv venv -q --clear --python $(BIN)/python $@
	@.tools/bin/uv pip install -q --python $@/bin/python -r $<
	@touch $@

image: install ## the container image model-monitor:VERSION, from a base of local files where no registry is in reach
	@$(PYTHON) .ci/with_docker.py $(BIN)/python requirements/image.py --tag $(IMAGE)

# A server of S3 for the attacks on pushes, beside the one in memory that comes with the requirements.
build/versitygw:
	@mkdir -p build
	@if command -v go >/dev/null; then GOFLAGS=-mod=mod GOBIN=$(CURDIR)/build go install github.com/versity/versitygw/cmd/versitygw@v1.8.0; \
	  else echo "no Go on this machine: pushes are attacked in front of the store in memory alone"; fi

kfp-demo: install ## both pipelines in containers by Kubeflow's own kfp.local, without a cluster: ten minutes or so
	@$(PYTHON) .ci/with_docker.py $(BIN)/python -m tests.support.kubeflow.containers_demo

lint: install ## format, lint, types and import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: install ## put the code into its format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

notebook: install ## run docs/inspect.ipynb anew, on runs/ (MODEL_MONITOR_ROOT=)
	@$(BIN)/jupyter nbconvert --log-level ERROR --to notebook --inplace --execute docs/inspect.ipynb \
	  --ExecutePreprocessor.record_timing=False --ExecutePreprocessor.store_widget_state=False
	@$(BIN)/jupyter nbconvert --log-level ERROR --to notebook --inplace docs/inspect.ipynb \
	  --TagRemovePreprocessor.enabled=True --TagRemovePreprocessor.remove_all_outputs_tags=live
	@$(BIN)/ruff format -q docs/inspect.ipynb

docs: install ## the documentation as a site in build/site; any warning is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict -f docs/site/mkdocs.yml

lock: install ## solve the requirements of both lines of TFX anew
	@set -e; solve() { .tools/bin/uv pip compile -q --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --no-emit-find-links --python-version $$2 --python-platform x86_64-manylinux_$$3 \
	  --extra kfp --extra live --extra dev pyproject.toml -o requirements/tfx-$$1.txt; }; \
	  solve 1.16 3.10 2_28; solve 1.21 3.12 2_39

clean: ## remove the environment and the runs
	@rm -rf $(VENV) .tools runs build
