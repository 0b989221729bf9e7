# `make demo`, `make demo-web`, `make test` and `make bench`. All prepare the machine first.
.PHONY: help setup demo demo-web test bench bench-render explore
.DEFAULT_GOAL := help
PYTHON ?= python3

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Prepare the machine: system packages, Python, npm, Rust (does only what is missing)
	@scripts/setup

demo: setup ## One live session on this machine: real speech in, captions in three languages out (ARGS="…" for sessionctl rehearse)
	@scripts/demo $(ARGS)

demo-web: setup ## The same in your browser, with your own voice: a page on loopback until Ctrl-C (ARGS="--web-port 8500"; "--web-bind ADDRESS" lets telephones in the network read along)
	@scripts/demo-web $(ARGS)

test: setup ## Every check, a whole session included (STEPS="format clippy" for some of them)
	@scripts/test $(STEPS)

bench: setup ## Every benchmark, one after another, into docs/benchmarks.md (ARGS="ingest captions" for some, ARGS=--list to see them)
	@$(PYTHON) scripts/bench $(ARGS)

bench-render: ## Tables and plots of docs/benchmarks.md again, from what was measured (docs/bench)
	@$(PYTHON) scripts/bench --render

explore: ## Look for new failing cases of every property, with other seeds each time (CASES=6000 of each; some minutes)
	@PROPTEST_CASES=$(or $(CASES),6000) cargo test --no-fail-fast --workspace --exclude e2e --exclude proof --lib --bins --tests
