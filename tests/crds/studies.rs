//! Good and bad studies.

use serde_json::{Value, json};

use crate::{
    cases::Case,
    parameters::{self, double, int, parameter},
};

/// Changes after which the study is still good.
pub fn good() -> Vec<Value> {
    let long = "x".repeat(1024);
    vec![
        json!({}),
        json!({"/metadata/name": "a".repeat(52)}),
        json!({"/metadata/name": "0"}),
        json!({"/metadata/name": null, "/metadata/generateName": "tune-"}),
        json!({"/spec/objectives/0": {"value": "metrics.a + metrics.b", "goal": "Maximize", "reduce": "Best", "target": 1}}),
        json!({"/spec/constraints": ["parameters.lr > 0.01", long]}),
        json!({"/spec/parallelism": 1000}),
        json!({"/spec/budget": {"trials": 100_000, "failedTrials": 1, "duration": "1h30m"}}),
        json!({"/spec/retries": {"limit": 100}, "/spec/suspend": true, "/spec/shutdown": "Stop"}),
        json!({"/spec/startDeadline": "10m", "/spec/ttlAfterFinished": "0s"}),
        parameter(&json!({"name": "_", "constant": {"any": ["json", 1, 2.5, null]}, "default": 3})),
        parameter(&json!({"name": "P".repeat(63), "constant": false})),
        parameter(
            &json!({"name": "string", "ordinal": {"values": [8, 16.5, "x", null, [1], {"a": 1}]}, "when": "parameters.units > 8"}),
        ),
        parameter(&json!({"name": "c", "categorical": {"values": ["adam", "sgd"], "weights": [2, 0.001]}})),
        parameter(&json!({"name": "int", "ordinal": {"values": [1]}})),
        double(&json!({"min": -1, "max": 1})),
        double(&json!({"min": 0, "max": 1, "step": 0.1})),
        double(&json!({"min": 0.1, "max": 0.7, "step": 0.2})),
        double(&json!({"min": 0, "max": 1, "step": 1})),
        double(&json!({"min": -1e300, "max": 1e300})),
        double(&json!({"min": 0, "max": 1, "step": 1e-9})),
        double(&json!({"min": 1, "max": 101, "step": 10, "scale": "Log"})),
        double(&json!({"normal": {"mean": 0, "stddev": 1}})),
        double(&json!({"normal": {"mean": 0.3, "stddev": 1e-9}, "min": 0, "max": 0.9, "scale": "Linear"})),
        double(&json!({"normal": {"mean": 0, "stddev": 1}, "min": 0})),
        int(&json!({"min": -9_007_199_254_740_992_i64, "max": 9_007_199_254_740_992_i64})),
        int(&json!({"min": 1, "max": 1025, "scale": "Log", "step": 512})),
        int(&json!({"min": 0, "max": 1, "step": 1})),
        json!({"/spec/algorithm": {"sampler": {"grid": {"pointsPerParameter": 2}}, "seed": -1, "duplicates": "Allow"}}),
        // Without a word it is `auto`.
        json!({"/spec/algorithm": null}),
        json!({"/spec/algorithm": {}}),
        json!({"/spec/algorithm": {"seed": 7}}),
        sampler("auto", &json!({})),
        sampler("sobol", &json!({})),
        sampler("tpe", &json!({})),
        sampler("tpe", &json!({"startupTrials": 10_000})),
        sampler("gaussianProcess", &json!({"startupTrials": 1})),
        sampler("cmaEs", &json!({"populationSize": 4, "sigma": 1})),
        sampler("genetic", &json!({"populationSize": 2, "mutationRate": 0})),
        sampler(
            "localSearch",
            &json!({"start": {"lr": 0.1}, "factors": vec![1.5; 16], "repeats": 100}),
        ),
        json!({"/spec/algorithm/sampler": {"list": [{"lr": 0.1, "units": 8}, {}, {"x": [null]}]}}),
        json!({"/spec/algorithm/sampler": {"chain": [{"sampler": {"list": [{}]}}, {"sampler": {"sobol": {}}, "trials": 5}, {"sampler": {"random": {}}}]}}),
        // Without a budget, where it ends by itself or may.
        json!({"/spec/budget": null, "/spec/algorithm/sampler": {"grid": {}}}),
        json!({"/spec/budget": null, "/spec/algorithm/sampler": {"list": [{}]}}),
        json!({"/spec/budget": null, "/spec/algorithm/sampler": {"chain": [{"sampler": {"random": {}}, "trials": 3}]}}),
        json!({"/spec/budget": {"failedTrials": 3}, "/spec/parameters/0": {"name": "lr", "double": {"min": 0, "max": 1, "step": 0.5}}}),
        json!({"/spec/budget": {"duration": "10m"}}),
        json!({"/spec/history": {"from": ["s3://ml-data/runs/earlier/study_results.csv"]}}),
        json!({"/spec/history": {"from": ["s3://ml-data/runs/earlier", {"study": "earlier"}]}}),
        json!({"/spec/trial/workflowTemplateRef": {"name": "a.b-c", "clusterScope": true}}),
        json!({"/spec/trial/entrypoint": "fit", "/spec/trial/timeout": "90s", "/spec/trial/priority": i32::MIN}),
        json!({"/spec/trial/metadata": {
            "labels": {"team": "molding", "example.com/a_b.c": "", "workflows.argoproj.io/controller-instanceid": "x"},
            "annotations": {"note": "any text: ü\n"}
        }}),
        json!({"/spec/trial/arguments": {"parameters": [{"name": "a-b_C9", "value": ""}, {"name": "b", "value": "${parameters.lr} {{x}}"}]}}),
        json!({"/spec/trial/metrics": {"file": "out/..metrics.v1.json"}}),
        json!({"/spec/trial/metrics": {"workflowOutputs": {}}, "/spec/trial/workflowTTL": "0s"}),
        json!({"/spec/trial/workflowTTL": "24h"}),
        json!({"/spec/storage": {"outputPath": "s3://abc", "inputPath": "s3://a.b-c9/x/y z/ü/", "strategy": "Best", "keepTop": 1000}}),
        json!({"/spec/storage/strategy": "Delete", "/spec/storage/keepTop": 1}),
        json!({"/spec/storage/onConflict": "Overwrite", "/spec/storage/onDelete": "Delete"}),
        json!({"/spec/storage/artifactRepositoryRef": {}}),
        json!({"/spec/storage/artifactRepositoryRef": {"configMap": "artifact-repositories", "key": "molding"}}),
        server("s3.amazonaws.com"),
        server("minio.storage:9000"),
        server("MinIO"),
        server("10.0.0.7:65535"),
        server("[fd00::1]:9000"),
        s3(&json!({
            "endpoint": "minio:9000", "region": "eu-central-1", "insecure": true, "addressingStyle": "VirtualHost",
            "accessKeySecret": {"name": "minio", "key": "access"}, "secretKeySecret": {"name": "minio", "key": "secret"},
            "sessionTokenSecret": {"name": "minio", "key": "token"}, "caSecret": {"name": "ca.of-minio", "key": "ca.pem"},
            "encryptionOptions": {"enableEncryption": true, "kmsKeyId": "k", "kmsEncryptionContext": "{}"}
        })),
        s3(&json!({"endpoint": "minio", "useSDKCreds": true, "encryptionOptions": {
            "enableEncryption": true, "serverSideCustomerKeySecret": {"name": "minio", "key": "sse"}
        }})),
    ]
}

/// The study with this sampler.
fn sampler(name: &str, settings: &Value) -> Value {
    json!({"/spec/algorithm": {"sampler": {name: settings}}})
}

/// The study with this S3 server.
fn s3(s3: &Value) -> Value {
    json!({"/spec/storage/s3": s3})
}

/// The study with the S3 server at this address.
fn server(endpoint: &str) -> Value {
    s3(&json!({"endpoint": endpoint}))
}

/// Changes after which it is not.
pub fn bad() -> Vec<Case> {
    let mut cases = parameters::bad();
    for (change, path, says) in [
        (
            json!({"/metadata/name": "a".repeat(53)}),
            "metadata.name",
            "at most 52 characters",
        ),
        (
            json!({"/metadata/name": "a.b"}),
            "metadata.name",
            "a study's name has lower-case letters",
        ),
        (json!({"/metadata/name": "a-"}), "metadata.name", "a study's name has"),
        (json!({"/spec/objectives": []}), "spec.objectives", "may not be empty"),
        (
            json!({"/spec/objectives/-": {"metric": "b", "goal": "Minimize"}}),
            "spec.objectives",
            "at most 1 item, not 2",
        ),
        (json!({"/spec/objectives": null}), "spec.objectives", "is missing"),
        (
            json!({"/spec/objectives": "loss"}),
            "spec.objectives",
            "has to be a list",
        ),
        (
            json!({"/spec/objectives/0/value": "metrics.a"}),
            "spec.objectives[0]",
            "either `metric`",
        ),
        (
            json!({"/spec/objectives/0/metric": null}),
            "spec.objectives[0]",
            "either `metric`",
        ),
        (
            json!({"/spec/objectives/0/metric": ""}),
            "spec.objectives[0].metric",
            "may not be empty",
        ),
        (
            json!({"/spec/objectives/0/goal": null}),
            "spec.objectives[0].goal",
            "is missing",
        ),
        (
            json!({"/spec/objectives/0/goal": "min"}),
            "spec.objectives[0].goal",
            "not one of Minimize, Maximize",
        ),
        (
            json!({"/spec/objectives/0/reduce": "Mean"}),
            "spec.objectives[0].reduce",
            "not one of Last, Best",
        ),
        (
            json!({"/spec/objectives/0/target": "0"}),
            "spec.objectives[0].target",
            "has to be a number",
        ),
        (
            json!({"/spec/constraints": [""]}),
            "spec.constraints[0]",
            "may not be empty",
        ),
        (
            json!({"/spec/constraints": ["x".repeat(1025)]}),
            "spec.constraints[0]",
            "at most 1024 characters, not 1025",
        ),
        (json!({"/spec/parallelism": 0}), "spec.parallelism", "at least 1"),
        (json!({"/spec/parallelism": 1001}), "spec.parallelism", "at most 1000"),
        (
            json!({"/spec/parallelism": 1.5}),
            "spec.parallelism",
            "a whole number, not 1.5",
        ),
        (json!({"/spec/budget/trials": 0}), "spec.budget.trials", "at least 1"),
        (
            json!({"/spec/budget/trials": 100_001}),
            "spec.budget.trials",
            "at most 100000",
        ),
        (
            json!({"/spec/budget/failedTrials": 0}),
            "spec.budget.failedTrials",
            "at least 1",
        ),
        (
            json!({"/spec/budget/duration": "0s"}),
            "spec.budget.duration",
            "a duration of 0",
        ),
        (
            json!({"/spec/budget/duration": "6"}),
            "spec.budget.duration",
            "with its unit",
        ),
        (
            json!({"/spec/budget/duration": "1d"}),
            "spec.budget.duration",
            "with its unit",
        ),
        (
            json!({"/spec/budget/duration": "-5m"}),
            "spec.budget.duration",
            "with its unit",
        ),
        (
            json!({"/spec/budget/duration": "9999999h"}),
            "spec.budget.duration",
            "with its unit",
        ),
        (
            json!({"/spec/retries": {"limit": -1}}),
            "spec.retries.limit",
            "at least 0",
        ),
        (
            json!({"/spec/startDeadline": "0m0s"}),
            "spec.startDeadline",
            "a duration of 0",
        ),
        (
            json!({"/spec/ttlAfterFinished": "soon"}),
            "spec.ttlAfterFinished",
            "with its unit",
        ),
        (json!({"/spec/suspend": "true"}), "spec.suspend", "true or false"),
        (
            json!({"/spec/shutdown": "stop"}),
            "spec.shutdown",
            "did you mean `Stop`?",
        ),
        // The algorithm.
        (json!({"/spec/algorithm": []}), "spec.algorithm", "has to be an object"),
        (
            json!({"/spec/algorithm/sampler": {}}),
            "spec.algorithm.sampler",
            "give one of `",
        ),
        (
            json!({"/spec/algorithm/sampler/sobol": {}}),
            "spec.algorithm.sampler",
            "a study has one sampler",
        ),
        (
            json!({"/spec/algorithm/sampler/list": [{}]}),
            "spec.algorithm.sampler",
            "exactly one of `",
        ),
        (
            json!({"/spec/algorithm/sampler": {"list": []}}),
            "spec.algorithm.sampler.list",
            "may not be empty",
        ),
        (
            json!({"/spec/algorithm/sampler": {"chain": []}}),
            "spec.algorithm.sampler.chain",
            "may not be empty",
        ),
        (
            json!({"/spec/algorithm/sampler": {"chain": [{"sampler": {}}]}}),
            "spec.algorithm.sampler.chain[0].sampler",
            "give one of `",
        ),
        (
            json!({"/spec/algorithm/sampler": {"chain": [{"sampler": {"random": {}, "grid": {}}}]}}),
            "spec.algorithm.sampler.chain[0].sampler",
            "a stage has one sampler",
        ),
        (
            json!({"/spec/algorithm/sampler": {"chain": [{"sampler": {"random": {}}, "trials": 0}]}}),
            "spec.algorithm.sampler.chain[0].trials",
            "at least 1",
        ),
        (
            json!({"/spec/algorithm/sampler": {"grid": {"pointsPerParameter": 1}}}),
            "spec.algorithm.sampler.grid.pointsPerParameter",
            "at least 2",
        ),
        (
            sampler("tpe", &json!({"startupTrials": 0})),
            "spec.algorithm.sampler.tpe.startupTrials",
            "at least 1",
        ),
        (
            sampler("tpe", &json!({"startupTrials": 10_001})),
            "spec.algorithm.sampler.tpe.startupTrials",
            "at most 10000",
        ),
        (
            sampler("gaussianProcess", &json!({"startupTrials": 0})),
            "spec.algorithm.sampler.gaussianProcess.startupTrials",
            "at least 1",
        ),
        (
            sampler("gaussianProcess", &json!({"startupTrials": 10_001})),
            "spec.algorithm.sampler.gaussianProcess.startupTrials",
            "at most 10000",
        ),
        (
            sampler("cmaEs", &json!({"populationSize": 3})),
            "spec.algorithm.sampler.cmaEs.populationSize",
            "at least 4",
        ),
        (
            sampler("cmaEs", &json!({"populationSize": 10_001})),
            "spec.algorithm.sampler.cmaEs.populationSize",
            "at most 10000",
        ),
        (
            sampler("cmaEs", &json!({"sigma": 0})),
            "spec.algorithm.sampler.cmaEs.sigma",
            "between 0.0001 and 1",
        ),
        (
            sampler("cmaEs", &json!({"sigma": 1.5})),
            "spec.algorithm.sampler.cmaEs.sigma",
            "between 0.0001 and 1",
        ),
        (
            sampler("genetic", &json!({"populationSize": 1})),
            "spec.algorithm.sampler.genetic.populationSize",
            "at least 2",
        ),
        (
            sampler("genetic", &json!({"populationSize": 10_001})),
            "spec.algorithm.sampler.genetic.populationSize",
            "at most 10000",
        ),
        (
            sampler("genetic", &json!({"mutationRate": -0.1})),
            "spec.algorithm.sampler.genetic.mutationRate",
            "at least 0",
        ),
        (
            sampler("genetic", &json!({"mutationRate": 1.1})),
            "spec.algorithm.sampler.genetic.mutationRate",
            "at most 1",
        ),
        (
            sampler("localSearch", &json!({"factors": []})),
            "spec.algorithm.sampler.localSearch.factors",
            "may not be empty",
        ),
        (
            sampler("localSearch", &json!({"factors": vec![2; 17]})),
            "spec.algorithm.sampler.localSearch.factors",
            "at most 16 items",
        ),
        (
            sampler("localSearch", &json!({"factors": ["2"]})),
            "spec.algorithm.sampler.localSearch.factors[0]",
            "has to be a number",
        ),
        (
            sampler("localSearch", &json!({"start": []})),
            "spec.algorithm.sampler.localSearch.start",
            "has to be an object",
        ),
        (
            sampler("localSearch", &json!({"repeats": 0})),
            "spec.algorithm.sampler.localSearch.repeats",
            "at least 1",
        ),
        (
            sampler("localSearch", &json!({"repeats": 101})),
            "spec.algorithm.sampler.localSearch.repeats",
            "at most 100",
        ),
        (
            sampler("auto", &json!(true)),
            "spec.algorithm.sampler.auto",
            "has to be an object",
        ),
        (
            json!({"/spec/algorithm/duplicates": "avoid"}),
            "spec.algorithm.duplicates",
            "did you mean `Avoid`?",
        ),
        (
            json!({"/spec/algorithm/seed": "7"}),
            "spec.algorithm.seed",
            "write it without quotes",
        ),
        (
            json!({"/spec/budget": null}),
            "spec.budget",
            "set `trials` or `duration`",
        ),
        (
            json!({"/spec/budget": {"failedTrials": 3}}),
            "spec.budget",
            "set `trials` or `duration`",
        ),
        (
            json!({"/spec/budget": null, "/spec/algorithm": null}),
            "spec.budget",
            "set `trials` or `duration`",
        ),
        (
            json!({"/spec/budget": null, "/spec/algorithm/sampler": {"sobol": {}}}),
            "spec.budget",
            "set `trials` or `duration`",
        ),
        (
            json!({"/spec/budget": null, "/spec/algorithm/sampler": {"chain": [{"sampler": {"list": [{}]}}, {"sampler": {"random": {}}}]}}),
            "spec.budget",
            "set `trials` or `duration`",
        ),
        (
            json!({"/spec/budget": null, "/spec/algorithm/duplicates": "Allow", "/spec/parameters": [{"name": "o", "ordinal": {"values": [1]}}]}),
            "spec.budget",
            "set `trials` or `duration`",
        ),
        // Earlier studies.
        (json!({"/spec/history": {}}), "spec.history.from", "is missing"),
        (
            json!({"/spec/history": {"from": []}}),
            "spec.history.from",
            "may not be empty",
        ),
        (
            json!({"/spec/history": {"from": vec!["s3://ml-data/a"; 17]}}),
            "spec.history.from",
            "at most 16 items",
        ),
        (
            json!({"/spec/history": {"from": "s3://ml-data/a"}}),
            "spec.history.from",
            "has to be a list",
        ),
        // The trial.
        (json!({"/spec/trial": null}), "spec.trial", "is missing"),
        (
            json!({"/spec/trial/workflowTemplateRef": null}),
            "spec.trial.workflowTemplateRef",
            "is missing",
        ),
        (
            json!({"/spec/trial/workflowTemplateRef/name": ""}),
            "spec.trial.workflowTemplateRef.name",
            "a name of a Kubernetes object",
        ),
        (
            json!({"/spec/trial/workflowTemplateRef/name": "A b"}),
            "spec.trial.workflowTemplateRef.name",
            "a name of a Kubernetes object",
        ),
        (
            json!({"/spec/trial/entrypoint": ""}),
            "spec.trial.entrypoint",
            "may not be empty",
        ),
        (
            json!({"/spec/trial/timeout": "0s"}),
            "spec.trial.timeout",
            "a duration of 0",
        ),
        (
            json!({"/spec/trial/priority": 2_147_483_648_i64}),
            "spec.trial.priority",
            "may be at most 2147483647",
        ),
        (
            json!({"/spec/trial/metadata": {"labels": {"a b": "x"}}}),
            "spec.trial.metadata.labels",
            "a key is a name",
        ),
        (
            json!({"/spec/trial/metadata": {"labels": {"hyperstudy.dev/study": "x"}}}),
            "spec.trial.metadata.labels",
            "set by the program itself",
        ),
        (
            json!({"/spec/trial/metadata": {"labels": {"a": "x y"}}}),
            "spec.trial.metadata.labels",
            "a label's value",
        ),
        (
            json!({"/spec/trial/metadata": {"labels": {"a": 1}}}),
            "spec.trial.metadata.labels.a",
            "put it in quotes",
        ),
        (
            json!({"/spec/trial/metadata": {"annotations": {"/a": "x"}}}),
            "spec.trial.metadata.annotations",
            "a key is a name",
        ),
        (
            json!({"/spec/trial/arguments": {"parameters": [{"name": "a.b", "value": ""}]}}),
            "spec.trial.arguments.parameters[0].name",
            "as Argo wants it",
        ),
        (
            json!({"/spec/trial/arguments": {"parameters": [{"name": "a", "value": 1}]}}),
            "spec.trial.arguments.parameters[0].value",
            "put it in quotes",
        ),
        (
            json!({"/spec/trial/arguments": {"parameters": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]}}),
            "spec.trial.arguments.parameters[1].name",
            "`a` is there twice",
        ),
        (
            json!({"/spec/trial/metrics": {"file": ""}}),
            "spec.trial.metrics.file",
            "may not be empty",
        ),
        (
            json!({"/spec/trial/metrics": {"file": "/tmp/m.json"}}),
            "spec.trial.metrics.file",
            "no `/` at its start or end",
        ),
        (
            json!({"/spec/trial/metrics": {"file": "out/"}}),
            "spec.trial.metrics.file",
            "no `/` at its start or end",
        ),
        (
            json!({"/spec/trial/metrics": {"file": "a//b"}}),
            "spec.trial.metrics.file",
            "none twice",
        ),
        (
            json!({"/spec/trial/metrics": {"file": "../m.json"}}),
            "spec.trial.metrics.file",
            "may not be `.` or `..`",
        ),
        (
            json!({"/spec/trial/metrics": {"file": "a/../m.json"}}),
            "spec.trial.metrics.file",
            "may not be `.` or `..`",
        ),
        (
            json!({"/spec/trial/metrics": {"file": "m.json", "workflowOutputs": {}}}),
            "spec.trial.metrics",
            "give either `file` or `workflowOutputs`",
        ),
        (
            json!({"/spec/trial/metrics": {"workflowOutputs": true}}),
            "spec.trial.metrics.workflowOutputs",
            "has to be an object",
        ),
        (
            json!({"/spec/trial/workflowTTL": "1 h"}),
            "spec.trial.workflowTTL",
            "with its unit",
        ),
        (
            json!({"/spec/trial/workflowTTL": 3600}),
            "spec.trial.workflowTTL",
            "put it in quotes",
        ),
        // The storage.
        (json!({"/spec/storage": null}), "spec.storage", "is missing"),
        (
            json!({"/spec/storage/outputPath": null}),
            "spec.storage.outputPath",
            "is missing",
        ),
        (
            json!({"/spec/storage/outputPath": "ml-data/runs"}),
            "spec.storage.outputPath",
            "write it as `s3://bucket/path`",
        ),
        (
            json!({"/spec/storage/outputPath": "s3://"}),
            "spec.storage.outputPath",
            "write it as `s3://bucket/path`",
        ),
        (
            json!({"/spec/storage/outputPath": "s3://Ml_data/runs"}),
            "spec.storage.outputPath",
            "write it as `s3://bucket/path`",
        ),
        (
            json!({"/spec/storage/outputPath": "s3://ml-data//runs"}),
            "spec.storage.outputPath",
            "write it as `s3://bucket/path`",
        ),
        (
            json!({"/spec/storage/outputPath": "s3://ml-data/a/../b"}),
            "spec.storage.outputPath",
            "may not be `.` or `..`",
        ),
        (
            json!({"/spec/storage/outputPath": "s3://ml..data/a"}),
            "spec.storage.outputPath",
            "may not be `.` or `..`",
        ),
        (
            json!({"/spec/storage/inputPath": "s3://ab"}),
            "spec.storage.inputPath",
            "write it as `s3://bucket/path`",
        ),
        (
            json!({"/spec/storage/keepTop": 2}),
            "spec.storage.keepTop",
            "goes with `strategy: Best` only",
        ),
        (
            json!({"/spec/storage/strategy": "Best", "/spec/storage/keepTop": 0}),
            "spec.storage.keepTop",
            "at least 1",
        ),
        (
            json!({"/spec/storage/strategy": "best"}),
            "spec.storage.strategy",
            "did you mean `Best`?",
        ),
        (
            json!({"/spec/storage/onConflict": "Ignore"}),
            "spec.storage.onConflict",
            "not one of Fail, Overwrite",
        ),
        (
            json!({"/spec/storage/onDelete": "Keep"}),
            "spec.storage.onDelete",
            "not one of Retain, Delete",
        ),
        (
            json!({"/spec/storage/s3": {"endpoint": "minio"}, "/spec/storage/artifactRepositoryRef": {}}),
            "spec.storage",
            "give either `artifactRepositoryRef` or `s3`",
        ),
        (
            json!({"/spec/storage/artifactRepositoryRef": {"configMap": "Repositories"}}),
            "spec.storage.artifactRepositoryRef.configMap",
            "a name of a Kubernetes object",
        ),
        (
            json!({"/spec/storage/artifactRepositoryRef": {"key": ""}}),
            "spec.storage.artifactRepositoryRef.key",
            "may not be empty",
        ),
        (s3(&json!({})), "spec.storage.s3.endpoint", "is missing"),
        (server(""), "spec.storage.s3.endpoint", "write the server as `host`"),
        (
            server("https://minio"),
            "spec.storage.s3.endpoint",
            "write the server as `host`",
        ),
        (
            server("minio:9000/"),
            "spec.storage.s3.endpoint",
            "write the server as `host`",
        ),
        (
            server("minio:port"),
            "spec.storage.s3.endpoint",
            "write the server as `host`",
        ),
        (
            server("user@minio"),
            "spec.storage.s3.endpoint",
            "write the server as `host`",
        ),
        (
            server("mi nio"),
            "spec.storage.s3.endpoint",
            "write the server as `host`",
        ),
        (
            server("minio.:9000"),
            "spec.storage.s3.endpoint",
            "write the server as `host`",
        ),
        (
            server(&"m".repeat(261)),
            "spec.storage.s3.endpoint",
            "at most 260 characters",
        ),
        (
            s3(&json!({"endpoint": "minio", "region": ""})),
            "spec.storage.s3.region",
            "may not be empty",
        ),
        (
            s3(&json!({"endpoint": "minio", "insecure": "yes"})),
            "spec.storage.s3.insecure",
            "true or false",
        ),
        (
            s3(&json!({"endpoint": "minio", "addressingStyle": "path"})),
            "spec.storage.s3.addressingStyle",
            "did you mean `Path`?",
        ),
        (
            s3(&json!({"endpoint": "minio", "accessKeySecret": {"name": "minio"}})),
            "spec.storage.s3.accessKeySecret.key",
            "is missing",
        ),
        (
            s3(&json!({"endpoint": "minio", "secretKeySecret": {"name": "A", "key": "k"}})),
            "spec.storage.s3.secretKeySecret.name",
            "a name of a Kubernetes object",
        ),
        (
            s3(&json!({"endpoint": "minio", "caSecret": {"name": "ca", "key": ""}})),
            "spec.storage.s3.caSecret.key",
            "may not be empty",
        ),
        (
            s3(&json!({"endpoint": "minio", "encryptionOptions": {
                "enableEncryption": true, "kmsKeyId": "k", "serverSideCustomerKeySecret": {"name": "a", "key": "b"}
            }})),
            "spec.storage.s3.encryptionOptions",
            "give either `kmsKeyId` or `serverSideCustomerKeySecret`",
        ),
        (json!({"/spec": null}), "spec", "is missing"),
    ] {
        cases.push(Case::new(change, path, says));
    }
    cases.push(Case {
        change: json!({"/spec/parallelism": 0, "/spec/storage/outputPath": "x", "/spec/parameters/0/double/min": 1, "/spec/budget": null}),
        says: [
            ("spec.parallelism", "at least 1"),
            ("spec.storage.outputPath", "write it as"),
            ("spec.parameters[0].double", "below `max`"),
            ("spec.budget", "set `trials`"),
        ]
        .map(|(path, says)| (path.to_owned(), says.to_owned()))
        .into(),
    });
    cases
}
