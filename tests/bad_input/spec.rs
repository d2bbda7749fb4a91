//! The other fields of the spec.

use super::{Spec, each_is_refused, parameters, with};

#[test]
fn unknown_fields_are_named_with_the_nearest_known_one() {
    each_is_refused(&[
        (
            with("paralelism", "2"),
            "spec.paralelism",
            &["unknown", "`parallelism`"],
        ),
        (
            parameters("{name: x, double: {min: 0, max: 1, stepp: 0.1}}"),
            "spec.parameters[0].double.stepp",
            &["unknown", "`step`"],
        ),
        (
            parameters("{name: x, defualt: 1, double: {min: 0, max: 1}}"),
            "spec.parameters[0].defualt",
            &["unknown", "`default`"],
        ),
        (
            Spec::good()
                .yaml()
                .replace("{name: bad}", "{name: bad, lables: {a: b}}"),
            "metadata.lables",
            &["unknown", "`labels`"],
        ),
        (
            with("algorithm", "{sampler: {sobel: {}}}"),
            "spec.algorithm.sampler.sobel",
            &["unknown", "`sobol`"],
        ),
        (
            with("storage", "{stratgy: Best}"),
            "spec.storage.stratgy",
            &["`strategy`"],
        ),
        (format!("{}sepc: 1\n", Spec::good().yaml()), "sepc", &["`spec`"]),
    ]);
}

#[test]
fn budget_objective_sampler_and_the_rest_of_the_spec() {
    each_is_refused(&[
        (
            with("budget", ""),
            "spec.budget",
            &["`grid`, `list`", "`trials` or `duration`"],
        ),
        (
            with("budget", "{failedTrials: 3}"),
            "spec.budget",
            &["`grid`, `list`", "`trials` or `duration`"],
        ),
        (
            Spec::good()
                .with("algorithm", "{sampler: {sobol: {}}}")
                .with("budget", "")
                .yaml(),
            "spec.budget",
            &["`grid`, `list`", "`trials` or `duration`"],
        ),
        (with("budget", "{trials: 0}"), "spec.budget.trials", &["at least 1"]),
        (
            with("budget", "{trials: many}"),
            "spec.budget.trials",
            &["whole number"],
        ),
        (
            with("budget", "{trials: 3, duration: 5 minutes}"),
            "spec.budget.duration",
            &["30m"],
        ),
        (with("parallelism", "0"), "spec.parallelism", &["at least 1"]),
        (with("objectives", ""), "spec.objectives", &["missing"]),
        (with("objectives", "[]"), "spec.objectives", &["empty"]),
        (
            with(
                "objectives",
                "[{metric: a, goal: Minimize}, {metric: b, goal: Minimize}]",
            ),
            "spec.objectives",
            &["at most 1"],
        ),
        (
            with("objectives", "[{goal: Minimize}]"),
            "spec.objectives[0]",
            &["`metric`", "`value`"],
        ),
        (
            with("objectives", "[{metric: a}]"),
            "spec.objectives[0].goal",
            &["missing"],
        ),
        (
            with("objectives", "[{metric: a, goal: minimise}]"),
            "spec.objectives[0].goal",
            &["`Minimize`"],
        ),
        (with("history", "{}"), "spec.history.from", &["missing"]),
        (
            with("history", "{from: [s3://b]}"),
            "spec.history.from[0]",
            &["no address", "s3://bucket/path/study_results.csv"],
        ),
        (
            with("history", "{from: [{study: bad}]}"),
            "spec.history.from[0]",
            &["this study itself"],
        ),
        (
            with("algorithm", "{sampler: {}}"),
            "spec.algorithm.sampler",
            &["one of", "`random`"],
        ),
        (
            with("algorithm", "{sampler: {random: {}, sobol: {}}}"),
            "spec.algorithm.sampler",
            &["one sampler", "only one of"],
        ),
        (
            with("algorithm", "{sampler: {grid: {}}}"),
            "spec.algorithm.sampler.grid.pointsPerParameter",
            &["`x`", "`step`"],
        ),
        (
            with("algorithm", "{sampler: {list: [{x: 3}]}}"),
            "spec.algorithm.sampler.list[0].x",
            &["between"],
        ),
        (
            with("algorithm", "{sampler: {list: [{}]}}"),
            "spec.algorithm.sampler.list[0].x",
            &["missing"],
        ),
        (
            with("trial", "{metrics: {file: ../metrics.json}}"),
            "spec.trial.metrics.file",
            &["`..`", "output folder"],
        ),
        (
            with("trial", "{metrics: {file: a/../metrics.json}}"),
            "spec.trial.metrics.file",
            &["`..`", "output folder"],
        ),
        (
            with("trial", "{metrics: {file: /tmp/metrics.json}}"),
            "spec.trial.metrics.file",
            &["`/`", "output folder"],
        ),
        (with("trial", "{timeout: 5}"), "spec.trial.timeout", &["quotes"]),
        (
            with("storage", "{strategy: best}"),
            "spec.storage.strategy",
            &["`Best`"],
        ),
        (
            with("storage", "{outputPath: /tmp/x}"),
            "spec.storage.outputPath",
            &["s3://bucket/path"],
        ),
        (
            with("storage", "{outputPath: 's3://bucket/../x'}"),
            "spec.storage.outputPath",
            &["`..`"],
        ),
    ]);
}
