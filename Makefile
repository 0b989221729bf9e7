# Every target prepares the machine first, as far as it needs it.
.PHONY: help setup demo demo-web check test bench bench-render explore
.DEFAULT_GOAL := help
PYTHON ?= python3
# PREBUILT=1: the programs of a release instead of building them.
export PREBUILT REQUIRE

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Prepare the machine for everything: system packages, Python, npm, Rust, test runner (does only what is missing)
	@scripts/setup

demo: ## One live session on this machine: real speech in, captions in three languages out (ARGS="…" for sessionctl rehearse, PREBUILT=1)
	@scripts/demo $(ARGS)

demo-web: ## The same in your browser, with your own voice: a page on loopback until Ctrl-C (ARGS="--web-port 8500", PREBUILT=1; ARGS="--web-bind ADDRESS" lets telephones in the network read along)
	@scripts/demo-web $(ARGS)

check: setup ## The inner loop: format, clippy, unit tests, the schemas' seal
	@scripts/test check

test: setup ## Every check, whole sessions included (STEPS="format clippy" for some of them, REQUIRE=all to fail because of what is skipped)
	@scripts/test $(STEPS)

bench: setup ## Every benchmark, one after another, into docs/benchmarks.md (ARGS="ingest captions" for some, ARGS=--list to see them)
	@$(PYTHON) scripts/bench $(ARGS)

bench-render: ## Tables and plots of docs/benchmarks.md again, from what was measured (docs/bench)
	@$(PYTHON) scripts/bench --render

explore: ## Look for new failing cases of every property, with other seeds each time (CASES=6000 of each; some minutes)
	@PROPTEST_CASES=$(or $(CASES),6000) cargo test --no-fail-fast --workspace --exclude e2e --exclude proof --lib --bins --tests
