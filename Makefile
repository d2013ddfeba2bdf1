# Each target sets up what it needs, the first time and after a change of
# pyproject.toml or constraints.txt. PYTHON picks the interpreter, VENV the place.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := airflow_codebeamer tests dags docs

# Tests start hundreds of processes: each would compile all modules for itself.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test check nightly large access adversary handover bench matrix matrix-celery model schedules seeded rounds outages release fuzz \
	up format clean

define install
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing $(1) into $(VENV); the first time takes a minute or two ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[$(1)]'
	@touch $@
endef

# Where a ring of tests leaves its files and what it printed, for the last search.
left = --basetemp build/tests/$(1) --keep-postgres \
  --junitxml build/tests/$(1).xml -o junit_logging=all

$(VENV)/.demo: pyproject.toml constraints.txt
	$(call install,demo)

$(VENV)/.dev: pyproject.toml constraints.txt
	$(call install,dev)

## demo: the main job under a real Airflow, on a real CAN database
demo: $(VENV)/.demo
	@$(BIN)/python -m airflow_codebeamer.cli demo

## up: a real Airflow with its pages, the emulator and the demo world, until Ctrl-C
up: $(VENV)/.demo
	@$(BIN)/python -m airflow_codebeamer.cli up

## test: all tests; the fast ring on two processes, then 2,000 random stories of a lock,
## then the ones with a real Airflow, then a search through all that they left for secrets
test: $(VENV)/.dev
	@rm -rf build/tests && mkdir -p build/tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not airflow and not nightly and not stories" $(call left,fast)
	$(BIN)/python -m pytest -q -n 2 -m stories tests/schedules
	$(BIN)/python -m pytest -q -m "airflow and not nightly" $(call left,airflow)
	$(BIN)/python -m pytest -q tests/secrets --swept build/tests

## check: everything but the tests
check: $(VENV)/.dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check
	$(BIN)/mkdocs build --quiet --strict --site-dir build/site
	$(BIN)/python -m tests.model --quick

## matrix: every failure of Airflow, done to real processes; writes the docs page
matrix: $(VENV)/.dev
	@$(BIN)/python -m tests.airflow.matrix --write

## matrix-celery: the same for CeleryExecutor, its workers, Redis and the database
matrix-celery: $(VENV)/.dev
	@$(BIN)/python -m tests.airflow.celery --write

## fuzz: 20,000 generated requests at the emulator, written down in a docs page; long random
## stories; generated and public clients. VENDOR is the vendor's description of
## 22.10 (openapi-22.10.json), which is not part of this repository
fuzz: $(VENV)/.dev
	@$(BIN)/python -m tests.fuzz --write $(if $(VENDOR),--vendor $(VENDOR))
	@CODEBEAMER_MACHINE_EXAMPLES=300 $(BIN)/python -m pytest -q --timeout 3000 \
	  tests/emulator/test_world_machine.py
	@CODEBEAMER_VENDOR_DESCRIPTION="$(VENDOR)" CODEBEAMER_FOREIGN_CLIENTS=1 \
	  $(BIN)/python -m pytest -q \
	  tests/emulator/test_contract_suite.py tests/emulator/test_foreign_client.py

## nightly: the tests that `make test` leaves out
nightly: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m nightly

## large: memory and time with 100,000 items (about 20 minutes)
large: $(VENV)/.dev
	@$(BIN)/python -m tests.bench.large

## access: every cell of the emulator's table of rights, over HTTP (some minutes)
access: $(VENV)/.dev
	CODEBEAMER_WHOLE_TABLE=1 $(BIN)/python -m pytest -q -n 2 --timeout 3000 tests/emulator/test_access_table.py

## rounds: random faults at random moments of many runs; COUNT and SEED choose them
COUNT ?= 200
SEED ?= 1
rounds: $(VENV)/.dev
	@$(BIN)/python -m tests.airflow.rounds --count $(COUNT) --seed $(SEED) --write

## release: the tests of the Airflow parts on another release of Airflow (AIRFLOW=3.1) or of
## Python (PYTHON=python3.13) than the pinned ones; TESTS says which. With what an Airflow
## was tested is in tests/airflow/releases
AIRFLOW ?= 3.3
TESTS ?= tests/airflow --ignore tests/airflow/matrix --ignore tests/airflow/celery
current_with = $(firstword $(wildcard tests/airflow/releases/$(AIRFLOW).txt) constraints.txt)
released = build/airflow-$(AIRFLOW)-$(notdir $(PYTHON))

release: $(released)/.dev
	$(released)/bin/python -m pytest -q -W default -m "not nightly" $(TESTS)

$(released)/.dev: pyproject.toml $(current_with)
	$(PYTHON) -m venv $(released)
	$(released)/bin/pip install -q --disable-pip-version-check -c $(current_with) \
	  'apache-airflow==$(AIRFLOW).*' -e '.[dev]'
	touch $@

## outages: ten minutes without server or store in each phase, on a clock of our own
outages: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 2 tests/outages

## model: the lock's protocol in every order, by spin; writes its page (half an hour)
model: $(VENV)/.dev
	@$(BIN)/python -m tests.model --write

## seeded: bugs put into a copy of our own code, each of which turns tests red; writes
## its page (a few minutes)
seeded: $(VENV)/.dev
	@$(BIN)/python -m tests.seeded --write

## adversary: fifty users hammer three trackers while a generator works under the lock;
## writes its page (a minute and a half)
adversary: $(VENV)/.dev
	@$(BIN)/python -m tests.adversary --write

## schedules: crashes, lost answers, late requests and edits in twos and threes on the real
## code; writes its page (about an hour)
schedules: $(VENV)/.dev
	@$(BIN)/python -m tests.schedules --write
	CODEBEAMER_LOCK_SEED=$$(date +%j) $(BIN)/python -m pytest -q -n 2 -m stories tests/schedules

## handover: eight processes pass one tracker on, some are killed; on both stores; ROUNDS
## of each (200 take twenty minutes for each store); writes its page
ROUNDS ?= 200
handover: $(VENV)/.dev
	@$(BIN)/python -m tests.handover --write --rounds $(ROUNDS)

## bench: the benchmarks, a table on stdout, JSON in build/bench.json
bench: $(VENV)/.dev
	@$(BIN)/python -m tests.bench --json build/bench.json

## format: make the sources look as `check` wants them
format: $(VENV)/.dev
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/python docs/generate.py

clean:
	rm -rf build site .mypy_cache .ruff_cache .pytest_cache
