# What a developer calls. `make quickstart` and `make test` need Rust, Python 3 and Go, nothing else.

HYPERSTUDY_SHARED ?= ../shared
export HYPERSTUDY_SHARED

.PHONY: quickstart test lint crds bench bench-run fuzz

## Train a small network with many parameters and show the best.
quickstart:
	cargo run --release --quiet -- run examples/quickstart/study.yaml \
	  --exec 'python3 examples/quickstart/train.py --lr $${parameters.lr} --momentum $${parameters.momentum} \
	    --hidden $${parameters.hidden} --activation $${parameters.activation} --out $${trial.outputDir}'

## All tests; the first time they build etcd and kube-apiserver from their Go modules.
test:
	cargo test

## What has to be clean before a commit.
lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

## Generate crds/ from the types.
crds:
	cargo run --quiet -- crd --dir crds

## Figures for docs/benchmarks.md.
bench:
	cargo bench --bench core
	cargo build --release --quiet
	python3 benches/throughput.py

## Arbitrary bytes as metrics files; needs a nightly toolchain and cargo-fuzz.
fuzz:
	cargo +nightly fuzz run metrics -- -max_total_time=$${SECONDS_TO_FUZZ:-60}
