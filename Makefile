.DEFAULT_GOAL := help
SHELL := /bin/bash
PARTS := $(shell sed -n 's/^parts = "\(.*\)"/\1/p' configuration/native.toml)
BIN = $(PARTS)/environments
TRIBUTARY = $(BIN)/tools/bin/python -m infra
PYTEST = $(BIN)/dev/bin/python -m pytest
# Side by side on two cores; what shares a lakehouse shares a worker.
TOGETHER = -n 2 --dist loadgroup
export PRODUCER SEED USER_ID FAULTS

.PHONY: help run stop status audit logs clean up down env sql marts refresh score docs test-unit test test-thorough test-all test-compose test-faults bench bench-scaling bench-state bench-freshness bench-marts bench-live bench-producer reference lint format locks tools dev

help: ## Show this list
	@sed -n 's/\$$\$$/$$/; s/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: tools ## Bring the whole lakehouse up (PRODUCER=off: without the simulated shop)
	@$(TRIBUTARY) run

stop: tools ## Stop it cleanly; the next run continues where it was
	@$(TRIBUTARY) stop

status: tools ## Services, the job, how fresh each table is (JSON=1 for machines)
	@$(TRIBUTARY) status $(if $(JSON),--json)

audit: tools ## Does everything add up? Kafka against tables, per hour (JSON=1 for machines)
	@$(TRIBUTARY) audit $(if $(JSON),--json)

logs: tools ## Follow the log of SERVICE=name
	@$(TRIBUTARY) logs "$(SERVICE)"

clean: tools ## Stop it and remove all that it fetched, made and kept
	@$(TRIBUTARY) clean

up: ## The same in containers: needs Docker alone, see docs/deploy.md
	@docker compose up --build --wait $(if $(filter off,$(PRODUCER)),--scale producer=0)
	@docker compose run --rm --no-deps --quiet-pull cli welcome

down: ## Stop the containers cleanly; the next `make up` continues where they were
	@docker compose --profile '*' down

env: tools ## Print addresses and credentials: eval "$$(make -s env)"
	@$(TRIBUTARY) env

sql: tools ## A Trino prompt, or one file: QUERY=trino/queries/...
	@$(TRIBUTARY) sql $(QUERY)

marts: tools ## Build and test the dbt marts now
	@$(TRIBUTARY) marts

refresh: tools ## Build the hourly marts alone now, as the schedule does
	@$(TRIBUTARY) refresh

score: tools ## How much each attribution model recovers of a planted TRUTH=file (producer --truth)
	@$(TRIBUTARY) score "$(TRUTH)"

docs: tools ## Build the marts' documentation and serve it on loopback (PORT=28090)
	@$(TRIBUTARY) docs $(if $(PORT),--port $(PORT))

test-unit: dev ## Tests that need no service: the inner loop, within a minute
	@$(PYTEST) $(TOGETHER) -m "not lakehouse and not parts"

test: dev tools ## All that must be green: unit tests, and each promise on a lakehouse of their own (TESTS=file: that alone)
	@$(PYTEST) $(or $(TESTS),$(TOGETHER) -m "not thorough")

test-thorough: dev tools ## What `make test` leaves out: random faults, long replays, kills of everything
	@$(PYTEST) $(TOGETHER) -m thorough

test-all: dev tools ## Both
	@$(PYTEST) $(TOGETHER)

test-compose: dev ## The end-to-end tests on containers of their own (TESTS=file: that alone)
	@$(PYTEST) --topology containers $(or $(TESTS),tests/e2e tests/live)

test-faults: dev ## FAULTS=100 kills, hangs and partitions of everything, at random (SEED=n replays)
	@FAULTS=$(or $(FAULTS),100) SEED=$${SEED:-$$RANDOM} $(PYTEST) tests/live/test_faults.py

bench: tools dev ## Our job and its peers side by side (MESSAGES, REPETITIONS); into benchmarks/results
	@$(BIN)/dev/bin/python -m benchmarks.stream --messages $(or $(MESSAGES),1000000) --repetitions $(or $(REPETITIONS),3)

bench-scaling: dev ## The whole job with more slots, users, history, and a bot
	@$(BIN)/dev/bin/python -m benchmarks.stream.scaling --messages $(or $(MESSAGES),300000) --repetitions $(or $(REPETITIONS),3)

bench-state: dev ## Size of the job's state while a day of event time goes by (RATE=12)
	@$(BIN)/dev/bin/python -m benchmarks.stream.state --rate $(or $(RATE),12)

bench-freshness: tools ## Seconds from an event to its row in Trino, of the running lakehouse
	@$(BIN)/tools/bin/python -m benchmarks.freshness --seconds $(or $(SECONDS_MEASURED),120) --rates "$(RATES)"

bench-marts: tools dev ## An hourly build at 1 and 10 days of history, and every chart's query then
	@$(BIN)/dev/bin/python -m benchmarks.marts --events-a-day $(or $(EVENTS_A_DAY),1000000)

bench-live: tools dev ## The live dashboards' queries over a day at RATE=1000 events/s
	@$(BIN)/dev/bin/python -m benchmarks.live --rate $(or $(RATE),1000)

bench-producer: tools ## Events a second from the simulated shop into Kafka
	@$(BIN)/tools/bin/python -m benchmarks.producer_throughput

reference: tools ## Write docs/events.md, its JSON Schemas and docs/tables.md from the contracts
	@$(BIN)/tools/bin/python -m infra.operations.reference

lint: dev ## ruff, mypy --strict, clang-format (Java), sqlfluff, shellcheck, yamllint
	@$(BIN)/dev/bin/ruff format --check .
	@$(BIN)/dev/bin/ruff check .
	@$(BIN)/dev/bin/mypy configuration infra producer flink_jobs attribution_models reference tests benchmarks
	@git ls-files '*.java' | xargs $(BIN)/dev/bin/clang-format --dry-run --Werror
	@$(BIN)/dev/bin/sqlfluff lint --processes 2 dbt/models trino/queries
	@$(BIN)/dev/bin/shellcheck infra/install/bootstrap.sh .ci/run
	@$(BIN)/dev/bin/yamllint --strict .

format: dev ## Let the tools format the tree
	@$(BIN)/dev/bin/ruff check --fix .
	@$(BIN)/dev/bin/ruff format .
	@git ls-files '*.java' | xargs $(BIN)/dev/bin/clang-format -i

locks: tools ## Pin everything anew from the .in files and versions
	@infra/install/locks/update.sh $(PARTS)

tools:
	@infra/install/bootstrap.sh $(PARTS) tools

dev:
	@infra/install/bootstrap.sh $(PARTS) dev
