# The same commands for people and for CI. `make` alone tells them.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
# Where `make run` and `make demo` listen: make run LISTEN=127.0.0.1:9000
LISTEN ?=
BIN := $(or $(CARGO_TARGET_DIR),target)/release/call-metrics
DEBUG := $(or $(CARGO_TARGET_DIR),target)/debug
ARGS ?=
DEMO := target/demo

.PHONY: help run demo report watch test check test-rust test-numbers test-browser check-pages test-reliability reliability fuzz bench build vendor clean

help: ## Tell the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: build ## Build, then serve the call page, the collector and a report that stays fresh
	@exec $(BIN) serve --watch $(if $(LISTEN),--listen $(LISTEN))

demo: build ## Show a full dashboard of made-up calls, without any account
	@mkdir -p $(DEMO)
	@$(BIN) sample-log --calls 24 --until "$$(date -u +%Y-%m-%dT%H:%M:00Z)" > $(DEMO)/beacon.log.new
	@mv $(DEMO)/beacon.log.new $(DEMO)/beacon.log
	@exec $(BIN) serve --watch --log $(DEMO)/beacon.log --public $(DEMO)/public $(if $(LISTEN),--listen $(LISTEN))

report: build ## Build public/report from beacon.log once
	@$(BIN) build-report

watch: build ## Build public/report and rebuild it whenever beacon.log changes
	@exec $(BIN) build-report --watch

build: vendor ## Build the release binary, with daily-js inside where npm is there
	@$(CARGO) build --release --locked

vendor: ## Fetch daily-js from npm for the binary, once
	@site-templates/vendor.sh || [ "$${CI:-}" != true ]

# What tests say must not hang on how busy a machine is: Lighthouse's times are told, not judged. `make check-pages` judges them.
test: export TIMES = told
test: check test-rust test-numbers test-browser check-pages test-reliability ## Run every check and test; installs what they need

check: vendor ## Format, lints, docs
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --quiet

test-rust: vendor ## Unit and integration tests
	$(CARGO) test --locked

test-numbers: vendor ## Compare the report's numbers with those of numpy and pandas
	$(CARGO) build --locked
	tests/numbers/run.sh

test-browser: vendor ## Call page, beacons and dashboard in Chromium, with the real daily-js and a fake Daily
	$(CARGO) build --locked
	tests/browser/run.sh

check-pages: vendor ## axe, the W3C's checker and Lighthouse over every kind of page
	$(CARGO) build --locked
	tests/browser/pages.sh

test-reliability: vendor ## Break what can break in a minute and a half, without root
	$(CARGO) build --locked --bins --examples
	tests/reliability/setup.sh
	tests/reliability/run.py --short --bin $(DEBUG)/call-metrics --naive $(DEBUG)/examples/naive

# make reliability ARGS='--only A1,A5', ARGS=--update-readme, ARGS=--strict
reliability: build ## The whole fault plan, best as root: power cuts, full disks, kills, attacks in one table; then a short fuzz
	$(CARGO) build --release --locked --example naive
	tests/reliability/setup.sh all
	tests/reliability/run.py --bin $(BIN) --naive $(dir $(BIN))examples/naive $(ARGS)
	fuzz/run.sh $(or $(SECONDS),20)

fuzz: ## Fuzz gate, beacons and log reader for SECONDS (60) each; needs nightly and cargo-fuzz
	fuzz/run.sh $(or $(SECONDS),60)

bench: build ## Measure beside rivals (bounded, on this machine alone)
	$(CARGO) build --release --locked --example naive
	benches/run.sh $(BIN) $(dir $(BIN))examples/naive $(or $(CARGO_TARGET_DIR),target)

clean: ## Remove what was built
	$(CARGO) clean
	rm -rf tests/browser/node_modules public/report
