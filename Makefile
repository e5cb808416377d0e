# Paperknife: `make demo` to see it work, `make test` to check it. Each does its own set-up and says what it installs.
# CARGO_TARGET_DIR is honoured.

TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
CRATES := -p paperknife -p keystore -p paperknife-device
CARGO  := cargo
PEERS  := $(TARGET)/peers-venv

.DEFAULT_GOAL := help
.PHONY: help demo test test-full bench deny fuzz fmt tools openssl peers image-tools no-openssl bench-built bench-scale

help:
	@echo "make demo       a gateway, simulated devices and a relay that cheats, for 20 seconds"
	@echo "make test       everything that must hold: format, lints, tests, documentation (< 15 minutes from nothing)"
	@echo "make test-full  the same and the long tests: timing statistics, thousands of crash rounds"
	@echo "make crash      kill -9 under load; also: make faults, powercut, disks, strain, webhooks, schema (RELIABILITY.md)"
	@echo "make deny       licences, bans and sources of dependencies (installs cargo-deny)"
	@echo "make fuzz       each fuzz target for FUZZ_SECONDS (60) seconds (installs cargo-fuzz)"
	@echo "make bench      floors, opening in memory, the whole server; BENCH_MESSAGES (60000), BENCH_RUNS (5) shorten it"
	@echo "make bench-scale  cost a message and time to start up to BENCH_ROWS (1000000) rows, 100,000 devices"
	@echo "make fmt        format the code"

demo: tools
	@echo "Building the gateway (some minutes the first time) ..."
	@$(CARGO) build --quiet --locked -p paperknife
	@$(TARGET)/debug/paperknife demo

test: tools openssl peers image-tools
	$(CARGO) fmt --all --check
	$(CARGO) clippy --quiet --locked $(CRATES) --all-targets -- -D warnings
	$(CARGO) clippy --quiet --locked -p bench --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --locked $(CRATES) --no-deps --document-private-items
	$(CARGO) build --quiet --locked -p paperknife
	@$(MAKE) --no-print-directory no-openssl
	@$(TARGET)/debug/paperknife --help > /dev/null && echo "paperknife --help runs"
	$(CARGO) test --locked $(CRATES)

test-full: test
	$(CARGO) test --locked --release $(CRATES) -- --include-ignored

# The gateway is built alone, never with the workspace, so that no feature of another crate comes into it.
no-openssl:
	@set -e; linked=$$(ldd $(TARGET)/debug/paperknife); \
	  tree=$$($(CARGO) tree --locked -p paperknife -e normal --prefix none); \
	  if echo "$$linked" "$$tree" | grep -E 'lib(ssl|crypto)\.|openssl' | grep -v openssl-probe; then echo "paperknife links OpenSSL"; exit 1; fi
	@echo "paperknife links no OpenSSL"

# Installs, where missing, what tests and benchmarks link or call, and nothing that is shipped: OpenSSL, for josekit and as a
# peer of CMS (Debian: openssl, libssl-dev, pkg-config, as root).
openssl: tools
	@(command -v openssl && command -v pkg-config && pkg-config --exists openssl) > /dev/null || \
	  (echo "installing openssl, libssl-dev and pkg-config"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends openssl libssl-dev pkg-config)

# Installs, where missing: a C compiler, for SQLite and AWS-LC (Debian: gcc and libc6-dev, as root).
tools:
	@command -v $(CARGO) > /dev/null || (echo "Rust 1.95 or later is needed: https://rustup.rs"; exit 1)
	@command -v cc > /dev/null || (echo "installing gcc and libc6-dev"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev)

# Installs, where missing: python3-venv (Debian, as root), and what tests/peers/requirements.txt names into a folder of its
# own in the target folder.
peers: $(PEERS)/installed

$(PEERS)/installed: tests/peers/requirements.txt
	@python3 -c 'import ensurepip' 2> /dev/null || (echo "installing python3-venv"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv)
	@echo "installing the peers of tests/peers/requirements.txt into $(PEERS)"
	@rm -rf $(PEERS) && python3 -m venv $(PEERS) && $(PEERS)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# Installs, where missing and where it can: buildah (Debian, as root), which proves the image without a registry.
image-tools:
	@command -v buildah > /dev/null || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
	  && echo "installing buildah" && apt-get update -qq && apt-get install -y -qq --no-install-recommends buildah > /dev/null; } \
	  || echo "no buildah here: the image is not proven"

deny:
	@command -v cargo-deny > /dev/null || (echo "installing cargo-deny 0.20.2"; \
	  $(CARGO) install --locked --quiet cargo-deny --version 0.20.2)
	$(CARGO) deny --workspace check licenses bans sources

FUZZ_SECONDS ?= 60
fuzz:
	@command -v cargo-fuzz > /dev/null || (echo "installing cargo-fuzz 0.13.2"; \
	  $(CARGO) install --locked --quiet cargo-fuzz --version 0.13.2)
	@set -e; for target in $$($(CARGO) fuzz list); do \
	  RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) -timeout=1 -rss_limit_mb=256; \
	done

# The gateway is built alone here too: what is measured is the binary that is shipped.
BENCH_MESSAGES ?= 60000
BENCH_RUNS ?= 5
BENCH_ROWS ?= 1000000
BENCH := $(TARGET)/release/bench
BENCH_PLACE := --server $(TARGET)/release/paperknife --folder $(TARGET)/bench

bench: bench-built
	@$(BENCH) all --messages $(BENCH_MESSAGES) --runs $(BENCH_RUNS) $(BENCH_PLACE)

bench-scale: bench-built
	@$(BENCH) scale --rows $(BENCH_ROWS) $(BENCH_PLACE)

bench-built: tools openssl
	$(CARGO) build --quiet --locked --release -p paperknife
	$(CARGO) build --quiet --locked --release -p bench
	@mkdir -p $(TARGET)/bench

fmt:
	$(CARGO) fmt --all

# Crashes, power cuts, sick disks, strain (RELIABILITY.md). Each prints its seed; CRASH_SEED repeats it.
IT         := $(CARGO) test --locked -p paperknife --test it
FAILPOINTS := --features failpoints
.PHONY: crash disks faults powercut strain webhooks schema

# A build of its own with what is off by default: points where tests make the process die, never in what is shipped, once
# each; HPKE, against python-cwt.
VARIANTS := --features failpoints,hpke
.PHONY: variants
test: variants
variants: tools peers
	FAULT_ROUNDS=1 $(IT) $(VARIANTS) -- faults:: without_full_synchronisation peers::cose::hpke

# The same code under the lints, and HPKE of COSE against its own sealing.
test-full: hpke
.PHONY: hpke
hpke: tools
	$(CARGO) clippy --quiet --locked -p paperknife $(VARIANTS) --all-targets -- -D warnings
	$(CARGO) test --locked -p paperknife --features hpke --lib -- opening::tests::round_trips

test-full: faults powercut disks webhooks schema

# CRASH_ROUNDS (2,000) rounds of kill -9 under load, over more than a million envelopes.
crash: tools
	$(IT) --release -- --ignored --nocapture nothing_acknowledged_is_lost_in_thousands

# Dies FAULT_ROUNDS (10) times at each named point.
faults: tools
	FAULT_ROUNDS=$(or $(FAULT_ROUNDS),10) $(IT) --release $(FAILPOINTS) -- --nocapture faults::

# POWER_CUTS (20,000) power cuts, half of them after syncs that failed; and the control, which must lose.
powercut: tools
	POWER_CUTS=$(or $(POWER_CUTS),20000) $(IT) --release $(FAILPOINTS) -- --nocapture powercut::

# Full, read-only and sick disks, damaged files. Some rows need root, and say so where they are skipped.
disks: tools
	FAULT_ROUNDS=$(or $(FAULT_ROUNDS),10) $(IT) --release -- --nocapture disk::

# 5,000 slow clients, 200 stops under load.
strain: tools
	$(IT) --release -- --include-ignored --nocapture --test-threads 1 strain::

# 100 kills and 1,000 resumes with webhooks and streams, 100 endpoints at 500 messages a second, 100,000 deliveries that
# wait, and DELIVERY_SEEDS (10,000) seeds of the dispatcher's simulator.
webhooks: tools peers
	$(IT) --release -- --ignored --nocapture --test-threads 1 webhooks:: analysts::
	PAPERKNIFE_DELIVERY_SEEDS=$(or $(DELIVERY_SEEDS),10000) $(CARGO) test --locked --release -p paperknife --lib -- --nocapture in_four_days

# openapi.yaml held against a live gateway by schemathesis, all checks; SCHEMA_SEED repeats a run.
schema: tools peers
	$(IT) --release -- --ignored --nocapture schema::
