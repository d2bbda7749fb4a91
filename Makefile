# What a developer calls. `make quickstart` and `make test` need Rust, Python 3 and Go, nothing else.

HYPERSTUDY_SHARED ?= ../shared
export HYPERSTUDY_SHARED

PYTHON ?= target/bench/python/bin/python
SAMPLERS ?= tpe,gaussianProcess,cmaEs,auto
SEEDS ?= 10
ALGORITHM ?=
SEED ?=
CALL ?=
FAULT ?=
FROM ?=
FUZZ_TARGETS = history journal metrics study suggest templates
FUZZ_FLAGS = -max_len=8192 -timeout=20 -rss_limit_mb=2048

.PHONY: quickstart install test e2e lint crds bench bench-cluster bench-samplers sampler-curves fuzz fuzz-minimize simulate simulation planted-bugs

## Train a small model with many parameters and show the best. Built without optimization: a first result counts more here than speed.
quickstart:
	cargo run --quiet -- run examples/quickstart/study.yaml \
	  --exec 'python3 examples/quickstart/train.py --lr $${parameters.lr} --momentum $${parameters.momentum} \
	    --hidden $${parameters.hidden} --activation $${parameters.activation} --out $${trial.outputDir}'

## The program itself, optimized, into cargo's folder for programs.
install:
	cargo install --locked --path .

## All tests; the first time they build etcd and kube-apiserver from their Go modules.
test:
	cargo test

## The scenarios on a real cluster with Argo and S3, which KUBECONFIG and the variables in tests/e2e/run.py name; SCENARIOS chooses some of them.
e2e:
	cargo build --quiet
	python3 tests/e2e/run.py $(SCENARIOS)

## The simulation alone: 2,000 seeds, every fault at every call (docs/reliability.md).
simulation:
	cargo test --test simulation

## The controller in simulated worlds from fresh seeds (docs/reliability.md): `make simulate SEEDS=10000`, `FROM=n` for where they begin; `make simulate SEED=n`
## shows one with its trace, `make simulate CALL=12 FAULT='Refuse(500)'` a study of six trials where that happens to that call.
simulate:
	HYPERSTUDY_CALL=$(CALL) HYPERSTUDY_FAULT='$(FAULT)' HYPERSTUDY_SEED=$(SEED) HYPERSTUDY_SEEDS=$(if $(filter command,$(firstword $(origin SEEDS))),$(SEEDS),10000) HYPERSTUDY_FROM=$(FROM) cargo test --test simulation -- --exact cases::seeds::simulate --ignored --nocapture

## Mistakes, planted one at a time: the simulation has to catch each. tests/simulation/bugs/README.md says what caught it; BUGS chooses some by
## the beginning of their names.
planted-bugs:
	python3 tests/simulation/bugs/run.py $(BUGS)

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

## The controller on a real API server and S3 server: its reaction, throughput, writes and memory. `make bench-cluster ARGS=memory` for one.
bench-cluster:
	cargo bench --bench cluster -- $(ARGS)

## What our samplers reach on the shared benchmark (HYPERSTUDY_SHARED) and on the problems of benches/samplers, and what a suggestion costs;
## `make bench-samplers SAMPLERS=tpe SEEDS=3`, or `ALGORITHM='{"sampler":{"tpe":{}}}'` for any algorithm. PYTHON is one with numpy, coco-experiment
## and matplotlib; without it one is made, with pip.
bench-samplers: $(filter target/bench/python/%,$(PYTHON))
	cargo build --release --quiet
	$(PYTHON) benches/samplers/all.py --samplers $(SAMPLERS) --seeds $(SEEDS) $(if $(ALGORITHM),--algorithm '$(ALGORITHM)')

## The pictures of docs/samplers.md, after `make bench-samplers`.
sampler-curves: $(filter target/bench/python/%,$(PYTHON))
	$(PYTHON) benches/samplers/curves.py target/bench/samplers.json

target/bench/python/bin/python:
	python3 -m venv target/bench/python
	target/bench/python/bin/pip install --quiet numpy coco-experiment matplotlib

## What anybody may hand to the program, in any form: the target TARGET, or each of them in turn, for SECONDS_TO_FUZZ seconds (60). fuzz/README.md
## says what each asserts. Needs a nightly toolchain and cargo-fuzz.
fuzz:
	for target in $${TARGET:-$(FUZZ_TARGETS)}; do \
	  cargo +nightly fuzz run -s none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- $(FUZZ_FLAGS) \
	    -max_total_time=$${SECONDS_TO_FUZZ:-60} -dict=fuzz/dictionaries/$$target.dict || exit; \
	done

## The same corpora, each with few files that reach as much of the code.
fuzz-minimize:
	for target in $${TARGET:-$(FUZZ_TARGETS)}; do cargo +nightly fuzz cmin -s none $$target -- $(FUZZ_FLAGS) -use_counters=0 || exit; done
