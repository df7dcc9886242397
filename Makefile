.DEFAULT_GOAL := help
SHELL := /bin/bash
PARTS := $(shell sed -n 's/^parts = "\(.*\)"/\1/p' infra/config/native.toml)
BIN = $(PARTS)/environments
TRIBUTARY = $(BIN)/tools/bin/python -m infra
export PRODUCER

.PHONY: help run stop status audit logs clean env sql marts docs test bench-freshness bench-producer lint format locks tools dev

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

env: tools ## Print addresses and credentials: eval "$$(make -s env)"
	@$(TRIBUTARY) env

sql: tools ## A Trino prompt, or one file: QUERY=trino/queries/...
	@$(TRIBUTARY) sql $(QUERY)

marts: tools ## Build and test the dbt marts now
	@$(TRIBUTARY) marts

docs: tools ## Build the marts' documentation
	@$(TRIBUTARY) docs

test: dev ## Unit, contract and end-to-end tests, on a lakehouse of their own
	@$(BIN)/dev/bin/python -m pytest $(TESTS)

bench-freshness: tools ## Seconds from an event to its row in Trino, of the running lakehouse
	@$(BIN)/tools/bin/python -m benchmarks.freshness --seconds $(or $(SECONDS_MEASURED),120)

bench-producer: tools ## Events a second from the simulated shop into Kafka
	@$(BIN)/tools/bin/python -m benchmarks.producer_throughput

lint: dev ## ruff, mypy --strict, sqlfluff, shellcheck, yamllint
	@$(BIN)/dev/bin/ruff format --check .
	@$(BIN)/dev/bin/ruff check .
	@$(BIN)/dev/bin/mypy infra producer flink_jobs tests benchmarks
	@$(BIN)/dev/bin/sqlfluff lint --processes 2 dbt/models trino/queries
	@$(BIN)/dev/bin/shellcheck infra/bootstrap.sh .ci/run
	@$(BIN)/dev/bin/yamllint --strict .

format: dev ## Let the tools format the tree
	@$(BIN)/dev/bin/ruff check --fix .
	@$(BIN)/dev/bin/ruff format .

locks: tools ## Pin everything anew from the .in files and versions
	@infra/locks/update.sh $(PARTS)

tools:
	@infra/bootstrap.sh $(PARTS) tools

dev:
	@infra/bootstrap.sh $(PARTS) dev
