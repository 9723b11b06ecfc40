# Everything a developer types. `make help` lists it.

CARGO ?= cargo
export CARGO_TERM_COLOR ?= auto

.PHONY: help run test lint bench demo setup check-invariants

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: ## Install what is missing (Postgres), build, serve the API; a first client and key, where there are none
	@./deploy/postgres
	$(CARGO) run --release --locked -- serve --first-run $(ARGS)

test: setup ## Install what the tests need, check the house rules, run every test
	@./tests/run

lint: ## Formatting, clippy and rustdoc with warnings as errors, architecture invariants
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet
	./tests/invariants

bench: ## Measure against the named peers; prints ratios
	./benches/run

demo: ## A simulated mail internet on loopback, every kind of verdict; ARGS=--stay keeps it
	$(CARGO) run --release --locked -p mailsonde-tests --bin demo -- $(ARGS)

setup: ## Install what the tests start: mail and DNS servers, Postgres, a browser (Debian packages), compilers of plugins
	@./tests/setup
