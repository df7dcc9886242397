.DEFAULT_GOAL := help
SHELL := /bin/bash
PARTS := $(shell sed -n 's/^parts = "\(.*\)"/\1/p' configuration/native.toml)
BIN = $(PARTS)/environments
TRIBUTARY = $(BIN)/tools/bin/python -m infra
PYTEST = $(BIN)/dev/bin/python -m pytest
# Two parallel workers. loadgroup puts tests that share a lakehouse on one worker.
TOGETHER = -n 2 --dist loadgroup
export PRODUCER SEED USER_ID FAULTS

.PHONY: help run stop status audit logs clean up down env sql marts refresh dbt score docs test-unit test test-all test-compose test-faults bench bench-scaling bench-state bench-freshness bench-marts bench-learning bench-live bench-producer reference lint format locks outdated advisories tools dev go

help: ## Show this list
	@sed -n 's/\$$\$$/$$/; s/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: tools ## Start the whole lakehouse (PRODUCER=off: without the simulated shop)
	@$(TRIBUTARY) run

stop: tools ## Stop cleanly, with a savepoint; the next `make run` continues there
	@$(TRIBUTARY) stop

status: tools ## Show services, the job, and the age of each table (JSON=1 for machines)
	@$(TRIBUTARY) status $(if $(JSON),--json)

audit: tools ## Compare Kafka with the tables, by hour; fails if they differ (JSON=1 for machines)
	@$(TRIBUTARY) audit $(if $(JSON),--json)

logs: tools ## Follow the log of SERVICE=name
	@$(TRIBUTARY) logs "$(SERVICE)"

clean: tools ## Stop and remove everything that was fetched, built and stored
	@$(TRIBUTARY) clean

up: ## Start the lakehouse in containers; needs only Docker, see docs/deploy.md
	@docker compose up --build --wait $(if $(filter off,$(PRODUCER)),--scale producer=0)
	@docker compose run --rm --no-deps --quiet-pull cli welcome

down: ## Stop the containers cleanly; the next `make up` continues there
	@docker compose --profile '*' down

env: tools ## Print addresses and the credentials of ROLE=analyst|etl|sender|admin; use as eval "$$(make -s env)"
	@$(TRIBUTARY) env $(if $(ROLE),"$(ROLE)")

sql: tools ## Open a Trino prompt, or run one file: QUERY=trino/queries/...
	@$(TRIBUTARY) sql $(QUERY)

marts: tools ## Build and test all dbt models now
	@$(TRIBUTARY) marts

refresh: tools ## Build only the hourly marts now, as the schedule does
	@$(TRIBUTARY) refresh

dbt: tools ## Any dbt command: ARGS="run --full-refresh --select revenue_hourly"
	@$(TRIBUTARY) dbt $(ARGS)

score: tools ## Compare each attribution model with the true causes in TRUTH=file (producer --truth)
	@$(TRIBUTARY) score "$(TRUTH)"

docs: tools ## Build the marts' documentation and serve it on loopback (PORT=28090)
	@$(TRIBUTARY) docs $(if $(PORT),--port $(PORT))

test-unit: dev ## Run tests that need no service; takes less than a minute
	@$(PYTEST) $(TOGETHER) -m "not lakehouse and not parts"

test: dev tools ## Run all tests but the thorough ones, on scratch lakehouses (TESTS=file: only that file)
	@$(PYTEST) $(or $(TESTS),$(TOGETHER) -m "not thorough")

test-all: dev tools ## Run `make test` and what it leaves out: random faults, long replays, kills of every service
	@$(PYTEST) $(TOGETHER)

test-compose: dev ## Run the end-to-end tests on containers of their own (TESTS=file: only that file)
	@$(PYTEST) --topology containers $(or $(TESTS),tests/e2e tests/live)

test-faults: dev ## Inject FAULTS=100 random kills, hangs and network cuts (SEED=n repeats a run)
	@FAULTS=$(or $(FAULTS),100) SEED=$${SEED:-$$RANDOM} $(PYTEST) tests/live/test_faults.py

bench: tools dev ## Compare our job with others, into benchmarks/results (MESSAGES, REPETITIONS)
	@$(BIN)/dev/bin/python -m benchmarks.stream --messages $(or $(MESSAGES),1000000) --repetitions $(or $(REPETITIONS),3)

bench-scaling: dev ## Measure the whole job with more slots, users and history, and with a bot
	@$(BIN)/dev/bin/python -m benchmarks.stream.scaling --messages $(or $(MESSAGES),300000) --repetitions $(or $(REPETITIONS),3)

bench-state: dev ## Measure the size of the job's state over a day of event time (RATE=12)
	@$(BIN)/dev/bin/python -m benchmarks.stream.state --rate $(or $(RATE),12)

bench-freshness: tools ## Measure seconds from an event to its row in Trino, on the running lakehouse
	@$(BIN)/tools/bin/python -m benchmarks.freshness --seconds $(or $(SECONDS_MEASURED),120) --rates "$(RATES)"

bench-marts: tools dev ## Measure builds of the marts and every chart's query, with DAYS="1 10 30" of history
	@$(BIN)/dev/bin/python -m benchmarks.marts --events-a-day $(or $(EVENTS_A_DAY),1000000) --days "$(or $(DAYS),1 10 30)"

bench-learning: tools dev ## Measure how long the models learn, with 10 to 10,000 sources, on the running lakehouse
	@$(BIN)/dev/bin/python -m benchmarks.learning

bench-live: tools dev ## Measure the live dashboards' queries over a day at RATE=1000 events/s
	@$(BIN)/dev/bin/python -m benchmarks.live --rate $(or $(RATE),1000)

bench-producer: tools ## Measure events per second from the simulated shop into Kafka
	@$(BIN)/tools/bin/python -m benchmarks.producer_throughput

reference: tools ## Write the reference pages in docs/ (events, tables, marts) from the contracts
	@infra/install/bootstrap.sh $(PARTS) dbt
	@$(BIN)/tools/bin/python -m infra.operations.reference

lint: dev ## Run ruff, mypy --strict, clang-format (Java), sqlfluff, shellcheck, yamllint
	@$(BIN)/dev/bin/ruff format --check .
	@$(BIN)/dev/bin/ruff check .
	@$(BIN)/dev/bin/mypy configuration infra producer flink_jobs attribution_models reference tests benchmarks minio/patch.py
	@git ls-files '*.java' | xargs $(BIN)/dev/bin/clang-format --dry-run --Werror
	@$(BIN)/dev/bin/sqlfluff lint --processes 2 dbt/models trino/queries
	@$(BIN)/dev/bin/shellcheck infra/install/bootstrap.sh .ci/run
	@$(BIN)/dev/bin/yamllint --strict .

format: dev ## Format Python and Java files
	@$(BIN)/dev/bin/ruff check --fix .
	@$(BIN)/dev/bin/ruff format .
	@git ls-files '*.java' | xargs $(BIN)/dev/bin/clang-format -i

locks: tools go ## Pin all versions again, then show what is outdated (UPGRADE=1: newer Python packages too)
	@infra/install/locks/update.sh $(PARTS) $(if $(UPGRADE),--upgrade)

outdated: tools go ## Show which pinned parts have a newer version
	@$(BIN)/tools/bin/python -m infra.install.outdated $(PARTS)

advisories: tools ## Ask the OSV database for known vulnerabilities of all parts; needs the internet
	@$(BIN)/tools/bin/python -m infra.install.advisories $(PARTS) $(ARGS)

tools:
	@infra/install/bootstrap.sh $(PARTS) tools

dev:
	@infra/install/bootstrap.sh $(PARTS) dev

go:
	@infra/install/bootstrap.sh $(PARTS) go
