//! What a person may get wrong: each mistake gets one line that names its place and says what to do, exit status 2, and nothing is written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

/// A double between 0 and 1.
const X: &str = "{name: x, double: {min: 0, max: 1}}";

/// A template that declares `x` and `mode`.
const TEMPLATE: &str = "apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: t}
spec:
  entrypoint: fit
  arguments:
    parameters: [{name: x}, {name: mode, value: a, enum: [a, b]}]
  templates:
  - name: fit
    inputs: {parameters: [{name: x}, {name: mode}]}
    container: {image: i, command: [echo], args: ['{{inputs.parameters.x}}']}
";

/// The fields of a study's spec as YAML, each by its name; an empty one is left out.
#[derive(Clone)]
struct Spec(Vec<(&'static str, String)>);

impl Spec {
    fn good() -> Self {
        let fields = [
            ("objectives", "[{metric: loss, goal: Minimize}]"),
            ("parameters", "[{name: x, double: {min: 0, max: 1}}]"),
            ("algorithm", "{sampler: {random: {}}, seed: 3}"),
            ("budget", "{trials: 3}"),
        ];
        Self(fields.map(|(name, value)| (name, value.to_owned())).to_vec())
    }

    fn with(mut self, field: &'static str, value: &str) -> Self {
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some((_, old)) => *old = value.to_owned(),
            None => self.0.push((field, value.to_owned())),
        }
        self
    }

    fn yaml(&self) -> String {
        let mut text =
            "apiVersion: hyperstudy.dev/v1alpha1\nkind: HyperparameterStudy\nmetadata: {name: bad}\nspec:\n".to_owned();
        for (name, value) in self.0.iter().filter(|(_, value)| !value.is_empty()) {
            text.push_str(&format!("  {name}: {value}\n"));
        }
        text
    }
}

fn with(field: &'static str, value: &str) -> String {
    Spec::good().with(field, value).yaml()
}

fn parameters(list: &str) -> String {
    with("parameters", &format!("[{list}]"))
}

/// The program's answer in `dir`.
fn hyperstudy(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hyperstudy"));
    command.args(args).current_dir(dir).stdin(Stdio::null());
    command.output().unwrap()
}

/// What `validate` and `run` say of `study` and, where there is one, `template`; both the same, with exit status 2, and nothing is written.
#[track_caller]
fn refused(study: &str, template: &str, what: &[&str]) -> Vec<String> {
    let mut said = Vec::new();
    for command in ["validate", "run"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("study.yaml"), study).unwrap();
        fs::write(dir.path().join("template.yaml"), template).unwrap();
        let mut args = vec![command, "study.yaml"];
        args.extend(what);
        if command == "run" {
            args.extend(["--data", "data"]);
        }
        let output = hyperstudy(dir.path(), &args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command} of\n{study}\nsays\n{text}");
        assert!(output.stdout.is_empty(), "{command} of\n{study}");
        let mut names: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(
            names,
            ["study.yaml", "template.yaml"],
            "{command} of\n{study}\nleft something behind"
        );
        said.push(text);
    }
    assert_eq!(said[0], said[1], "validate and run differ on\n{study}");
    said[0].lines().map(str::to_owned).collect()
}

/// That there is one line, which starts with the place of the mistake and has these words.
#[track_caller]
fn one_line(lines: &[String], path: &str, words: &[&str], of: &str) {
    let [line] = lines else {
        panic!("one mistake, {} lines:\n{}\nof\n{of}", lines.len(), lines.join("\n"));
    };
    assert!(
        line.starts_with(&format!("{path}: ")),
        "`{path}` is not where this starts: {line}\nof\n{of}"
    );
    for word in words {
        assert!(line.contains(word), "`{word}` is not in: {line}\nof\n{of}");
    }
    assert!(!line.contains("panicked"), "{line}");
}

/// Each of a study's file, the path that is said, and words of what is said.
type Case = (String, &'static str, &'static [&'static str]);

#[track_caller]
fn each_is_refused(cases: &[Case]) {
    for (study, path, words) in cases {
        one_line(&refused(study, TEMPLATE, &["--exec", "true"]), path, words, study);
    }
}

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
fn ranges_scales_and_steps() {
    each_is_refused(&[
        (
            parameters("{name: x, double: {min: 1, max: 1}}"),
            "spec.parameters[0].double",
            &["`min`", "below `max`"],
        ),
        (
            parameters("{name: x, double: {min: 2, max: 1}}"),
            "spec.parameters[0].double",
            &["`min`", "below `max`"],
        ),
        (
            parameters("{name: x, int: {min: 3, max: 3}}"),
            "spec.parameters[0].int",
            &["`min`", "below `max`"],
        ),
        (
            parameters("{name: x, int: {min: 4, max: 3}}"),
            "spec.parameters[0].int",
            &["`min`", "below `max`"],
        ),
        (
            parameters("{name: x, double: {max: 1}}"),
            "spec.parameters[0].double",
            &["`min`"],
        ),
        (
            parameters("{name: x, double: {min: 0, max: 1, scale: Log}}"),
            "spec.parameters[0].double",
            &["Log", "`min` above 0"],
        ),
        (
            parameters("{name: x, double: {min: -1, max: 1, scale: Log}}"),
            "spec.parameters[0].double",
            &["Log", "`min` above 0"],
        ),
        (
            parameters("{name: x, int: {min: 0, max: 8, scale: Log}}"),
            "spec.parameters[0].int",
            &["Log", "`min` above 0"],
        ),
        (
            parameters("{name: x, double: {min: 0, max: 1, step: 0.3}}"),
            "spec.parameters[0].double",
            &["`step`", "fit"],
        ),
        (
            parameters("{name: x, int: {min: 0, max: 10, step: 3}}"),
            "spec.parameters[0].int",
            &["`step`", "fit"],
        ),
        (
            parameters("{name: x, int: {min: 0, max: 10, step: 20}}"),
            "spec.parameters[0].int",
            &["`step`", "fit"],
        ),
        (
            parameters("{name: x, double: {min: 0, max: 1, step: 0}}"),
            "spec.parameters[0].double",
            &["`step`", "above 0"],
        ),
        (
            parameters("{name: x, int: {min: 0, max: 1, step: -1}}"),
            "spec.parameters[0].int.step",
            &["at least 1"],
        ),
        (
            parameters("{name: x, double: {normal: {mean: 0, stddev: 0}}}"),
            "spec.parameters[0].double.normal.stddev",
            &["above 0"],
        ),
        (
            parameters("{name: x, double: {min: 0, max: 1}, default: 2}"),
            "spec.parameters[0].default",
            &["2", "between"],
        ),
    ]);
}

#[test]
fn names_and_choices() {
    each_is_refused(&[
        (
            parameters(&format!("{X}, {X}")),
            "spec.parameters[1].name",
            &["`x`", "twice"],
        ),
        (
            parameters("{name: in, double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["reserved"],
        ),
        (
            parameters("{name: 'true', double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["reserved"],
        ),
        // YAML 1.1, as kubectl reads it.
        (
            parameters("{name: y, double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["true", "quotes"],
        ),
        (
            parameters("{name: a-b, double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["letters"],
        ),
        (
            parameters("{name: 1x, double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["digit"],
        ),
        (
            parameters("{double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["missing"],
        ),
        (
            parameters("{name: x}"),
            "spec.parameters[0]",
            &["`double`", "`constant`"],
        ),
        (
            parameters("{name: x, double: {min: 0, max: 1}, int: {min: 0, max: 1}}"),
            "spec.parameters[0]",
            &["only one of"],
        ),
        (parameters(""), "spec.parameters", &["empty"]),
        (with("parameters", ""), "spec.parameters", &["missing"]),
        (
            parameters("{name: x, categorical: {values: []}}"),
            "spec.parameters[0].categorical.values",
            &["empty"],
        ),
        (
            parameters("{name: x, ordinal: {values: []}}"),
            "spec.parameters[0].ordinal.values",
            &["empty"],
        ),
        (
            parameters("{name: x, categorical: {values: [a, a]}}"),
            "spec.parameters[0].categorical.values[1]",
            &["already"],
        ),
        (
            parameters("{name: x, categorical: {values: [a, b], weights: [1]}}"),
            "spec.parameters[0].categorical.weights",
            &["1 numbers for 2 values"],
        ),
        (
            parameters("{name: x, categorical: {values: [a, b], weights: [1, 0]}}"),
            "spec.parameters[0].categorical.weights",
            &["above 0"],
        ),
    ]);
}

#[test]
fn expressions() {
    let when = |condition: &str| {
        parameters(&format!(
            "{X}, {{name: z, double: {{min: 0, max: 1}}, when: '{condition}'}}"
        ))
    };
    each_is_refused(&[
        (
            with("constraints", "['parameters.x <']"),
            "spec.constraints[0]",
            &["column 15", "the end"],
        ),
        (
            with("constraints", "['parameters.xx < 1.0']"),
            "spec.constraints[0]",
            &["no parameter `xx`", "`x`"],
        ),
        (
            with("constraints", "['x < 1.0']"),
            "spec.constraints[0]",
            &["`parameters.x`"],
        ),
        (
            with("constraints", "['parameters.x + 1 < 2']"),
            "spec.constraints[0]",
            &["double + int", "convert"],
        ),
        (
            with("constraints", "['parameters.x']"),
            "spec.constraints[0]",
            &["bool"],
        ),
        (
            when("parameters.x >> 0.5"),
            "spec.parameters[1].when",
            &["column 15", "unexpected"],
        ),
        (
            when("parameters.opt == \"a\""),
            "spec.parameters[1].when",
            &["no parameter `opt`"],
        ),
        (when("parameters.z > 0.5"), "spec.parameters[1].when", &["itself"]),
        (
            with("objectives", "[{value: 'metrics.a +', goal: Minimize}]"),
            "spec.objectives[0].value",
            &["column 12"],
        ),
        (
            parameters(
                "{name: a, int: {min: 0, max: 3}, when: 'parameters.b > 1'}, \
                 {name: b, int: {min: 0, max: 3}, when: 'parameters.c > 1'}, \
                 {name: c, int: {min: 0, max: 3}, when: 'parameters.a > 1'}",
            ),
            "spec.parameters[0].when",
            &["circle", "a needs b needs c needs a"],
        ),
        (
            Spec::good()
                .with("parameters", "[{name: x, double: {min: 0, max: 1}, default: 0.5}]")
                .with("constraints", "['parameters.x > 0.6']")
                .yaml(),
            "spec.constraints[0]",
            &["default", "0.5"],
        ),
        (
            with("constraints", "['parameters.x > 2.0']"),
            "spec.constraints[0]",
            &["none of the", "configurations"],
        ),
        (
            with("constraints", "['parameters.x > 0.6', 'parameters.x < 0.4']"),
            "spec.constraints",
            &["none of the", "all of them"],
        ),
        (
            Spec::good()
                .with("parameters", "[{name: x, int: {min: 0, max: 3}}]")
                .with("constraints", "['parameters.x > 5']")
                .yaml(),
            "spec.constraints[0]",
            &["none of the 4"],
        ),
    ]);
}

#[test]
fn expressions_in_arguments_and_commands() {
    let inactive = "[{name: opt, categorical: {values: [a, b]}}, \
                    {name: z, double: {min: 0, max: 1}, when: 'parameters.opt == \"a\"'}]";
    let argument = |value: &str| {
        let trial = format!("{{arguments: {{parameters: [{{name: mode, value: '{value}'}}]}}}}");
        Spec::good().with("trial", &trial)
    };
    let value = "spec.trial.arguments.parameters[0].value";
    each_is_refused(&[
        (argument("${parameters.").yaml(), value, &["`${`", "never closed"]),
        (argument("${parameters.z}").yaml(), value, &["no parameter `z`"]),
        (argument("${trial.nummer}").yaml(), value, &["`nummer`", "`number`"]),
        (
            argument("${string(parameters.z)}").with("parameters", inactive).yaml(),
            value,
            &["opt=b", "parameters.z", "active only when"],
        ),
    ]);
    let good = Spec::good().yaml();
    let conditional = with("parameters", inactive);
    for (study, command, words) in [
        (&good, "echo ${parameters.xx}", &["no parameter `xx`", "`x`"][..]),
        (&good, "echo ${parameters.x", &["`${`", "column 6"]),
        (&good, "echo ${parameters.x +}", &["column"]),
        (&good, "echo ${trial.outdir}", &["`outputDir`"]),
        (&good, "", &["empty"]),
        (
            &conditional,
            "echo ${parameters.z}",
            &["parameters.z", "active only when"],
        ),
    ] {
        one_line(
            &refused(study, TEMPLATE, &["--exec", command]),
            "--exec",
            words,
            command,
        );
    }
}

#[test]
fn budget_objective_sampler_and_the_rest_of_the_spec() {
    each_is_refused(&[
        (with("budget", ""), "spec.budget", &["random", "`trials` or `duration`"]),
        (
            with("budget", "{failedTrials: 3}"),
            "spec.budget",
            &["random", "`trials` or `duration`"],
        ),
        (
            Spec::good()
                .with("algorithm", "{sampler: {sobol: {}}}")
                .with("budget", "")
                .yaml(),
            "spec.budget",
            &["sobol", "`trials` or `duration`"],
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
        (with("algorithm", ""), "spec.algorithm", &["missing"]),
        (with("algorithm", "{seed: 1}"), "spec.algorithm.sampler", &["missing"]),
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

#[test]
fn the_file_itself() {
    let good = Spec::good().yaml();
    each_is_refused(&[
        (
            format!("{good}  a: [1\n  b: 2\n"),
            "study.yaml:10:4",
            &["no valid YAML"],
        ),
        (format!("{good}\ta: 1\n"), "study.yaml:9:2", &["no valid YAML", "tabs"]),
        (
            format!("{good}  budget: {{trials: 2}}\n"),
            "study.yaml:9:3",
            &["duplicate", "budget"],
        ),
        (
            good.replace("HyperparameterStudy", "HyperparameterStudies"),
            "study.yaml",
            &["`HyperparameterStudies`"],
        ),
        (
            good.replace("v1alpha1", "v2"),
            "apiVersion",
            &["hyperstudy.dev/v1alpha1"],
        ),
        (
            good.replace("metadata: {name: bad}\n", ""),
            "metadata.name",
            &["missing"],
        ),
        (
            good.replace("{name: bad}", "{name: Bad_name}"),
            "metadata.name",
            &["lower-case"],
        ),
        ("hello\n".to_owned(), "study.yaml", &["no `kind`"]),
        ("[1, 2]\n".to_owned(), "study.yaml", &["no `kind`"]),
        (good.split("spec:").next().unwrap().to_owned(), "spec", &["missing"]),
    ]);
    for (study, words) in [
        (String::new(), "0 documents"),
        (format!("{good}---\n{good}"), "2 documents"),
    ] {
        let lines = refused(&study, TEMPLATE, &["--exec", "true"]);
        assert!(
            lines.len() == 1 && lines[0].contains(words) && lines[0].contains("study.yaml"),
            "{lines:?}"
        );
    }
}

#[test]
fn templates() {
    let good = Spec::good().yaml();
    let arguments = |list: &str| with("trial", &format!("{{arguments: {{parameters: [{list}]}}}}"));
    let body = "container: {image: i, command: [echo], args: ['{{inputs.parameters.x}}']}";
    let steps = TEMPLATE.replace(body, "steps: [[{name: a, template: fit}]]");
    let dag = TEMPLATE.replace(body, "dag: {tasks: [{name: a, template: fit}]}");
    let needy = TEMPLATE.replace("{name: x}, {name: mode,", "{name: x}, {name: extra}, {name: mode,");
    let broken = format!("{TEMPLATE} - a: [\n");
    let argument = "spec.trial.arguments.parameters[0]";
    for (study, template, path, words) in [
        (
            arguments("{name: lrr, value: '1'}"),
            TEMPLATE,
            argument,
            &["template.yaml", "declares no parameter `lrr`"][..],
        ),
        (
            arguments("{name: mod, value: a}"),
            TEMPLATE,
            argument,
            &["no parameter `mod`", "`mode`?"],
        ),
        (
            arguments("{name: mode, value: c}"),
            TEMPLATE,
            argument,
            &["`c`", "`a`, `b`"],
        ),
        (
            arguments("{name: mode, value: a}, {name: mode, value: b}"),
            TEMPLATE,
            "spec.trial.arguments.parameters[1].name",
            &["twice"],
        ),
        (
            good.clone(),
            &steps,
            "template.yaml: spec.templates[0]",
            &["list of steps", "needs a cluster"],
        ),
        (
            good.clone(),
            &dag,
            "template.yaml: spec.templates[0]",
            &["a dag", "needs a cluster"],
        ),
        (
            good.clone(),
            &needy,
            "template.yaml: arguments.parameters.extra",
            &["needs a value"],
        ),
        (good.clone(), &broken, "template.yaml:12:2", &["no valid YAML"]),
        (
            good.clone(),
            "kind: Deployment\n",
            "template.yaml",
            &["no WorkflowTemplate"],
        ),
        (
            with("trial", "{entrypoint: fitt}"),
            TEMPLATE,
            "spec.trial.entrypoint",
            &["`fit`?"],
        ),
        (
            with("trial", "{workflowTemplateRef: {name: other}}"),
            TEMPLATE,
            "spec.trial.workflowTemplateRef.name",
            &["no WorkflowTemplate `other`", "`t`"],
        ),
    ] {
        one_line(
            &refused(&study, template, &["--template", "template.yaml"]),
            path,
            words,
            &study,
        );
    }
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    fs::write(dir.path().join("binary.yaml"), b"\xff\xfe\x00a").unwrap();
    fs::write(dir.path().join("study.yaml"), Spec::good().yaml()).unwrap();
    for (args, file) in [
        (&["missing.yaml", "--exec", "true"][..], "missing.yaml"),
        (&["folder", "--exec", "true"], "folder"),
        (&["binary.yaml", "--exec", "true"], "binary.yaml"),
        (&["study.yaml", "--template", "missing.yaml"], "missing.yaml"),
    ] {
        for command in ["validate", "run"] {
            let output = hyperstudy(dir.path(), &[&[command], args].concat());
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
            one_line(&[text.trim_end().to_owned()], &format!("cannot read {file}"), &[], file);
            assert!(!text.trim_end().contains('\n'), "{text}");
        }
    }
    assert!(!dir.path().join("hyperstudy-data").exists());
}

#[test]
fn what_a_trial_runs_is_given_once() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("study.yaml"), Spec::good().yaml()).unwrap();
    fs::write(dir.path().join("template.yaml"), TEMPLATE).unwrap();
    let neither = hyperstudy(dir.path(), &["run", "study.yaml"]);
    let text = String::from_utf8(neither.stderr).unwrap();
    assert_eq!(neither.status.code(), Some(2), "{text}");
    assert!(
        text.lines().count() == 1 && text.contains("--template") && text.contains("--exec"),
        "{text}"
    );
    for command in ["run", "validate"] {
        let both = hyperstudy(
            dir.path(),
            &[command, "study.yaml", "--template", "template.yaml", "--exec", "true"],
        );
        let text = String::from_utf8(both.stderr).unwrap();
        assert_eq!(both.status.code(), Some(2), "{text}");
        assert!(
            text.contains("--template") && text.contains("--exec") && text.contains("cannot be used with"),
            "{text}"
        );
    }
    assert!(!dir.path().join("hyperstudy-data").exists());
    // A study is checked without what its trials run.
    assert_eq!(
        hyperstudy(dir.path(), &["validate", "study.yaml"]).status.code(),
        Some(0)
    );
    let template = ["validate", "study.yaml", "--template", "template.yaml"];
    assert_eq!(hyperstudy(dir.path(), &template).status.code(), Some(0));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn several_mistakes_are_said_at_once_each_on_its_line() {
    let study = Spec::good()
        .with(
            "parameters",
            "[{name: x, double: {min: 1, max: 0}}, {name: in, int: {min: 0, max: 10, step: 3}}, \
             {name: c, categorical: {values: [a, b], weights: [1]}}]",
        )
        .with("budget", "{trials: 3, trails: 4}")
        .with("constraints", "['parameters.zebra > 1']")
        .with("trial", "{metrics: {file: ../m.json}}")
        .yaml();
    let mut lines = refused(&study, TEMPLATE, &["--template", "missing.yaml"]);
    lines.sort();
    let starts = [
        "cannot read missing.yaml",
        "spec.budget.trails: ",
        "spec.constraints[0]: ",
        "spec.parameters[0].double: ",
        "spec.parameters[1].int: ",
        "spec.parameters[1].name: ",
        "spec.parameters[2].categorical.weights: ",
        "spec.trial.metrics.file: ",
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line} does not start with {start}");
    }

    // A study that is wrong in what a template does not depend on, and the template.
    let study = Spec::good()
        .with("paralelism", "2")
        .with("trial", "{arguments: {parameters: [{name: lrr, value: a}]}}")
        .yaml();
    let lines = refused(&study, TEMPLATE, &["--template", "template.yaml"]);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let lines = refused(&with("paralelism", "2"), TEMPLATE, &["--exec", "echo ${parameters.xx}"]);
    assert_eq!(lines.len(), 2, "{lines:#?}");
}

#[test]
fn the_output_folder_of_another_study_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let study = dir.path().join("study.yaml");
    fs::write(&study, with("storage", "{outputPath: s3://runs/here}")).unwrap();
    let exec = r#"echo "{\"loss\": "${parameters.x}} > ${trial.outputDir}/metrics.json"#;
    let run = || hyperstudy(dir.path(), &["run", "study.yaml", "--data", "data", "--exec", exec]);
    assert_eq!(run().status.code(), Some(0));
    let results = dir.path().join("data/runs/here/bad/study_results.csv");
    let before = fs::read(&results).unwrap();

    // Another study of the same name, as the first one's record is gone, and one that would lie inside the first one's folder.
    fs::remove_dir_all(dir.path().join("data/.hyperstudy")).unwrap();
    let inside = with("storage", "{outputPath: s3://runs/here/bad}").replace("{name: bad}", "{name: inner}");
    for text in [fs::read_to_string(&study).unwrap(), inside] {
        fs::write(&study, text).unwrap();
        let output = run();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let last = said.trim_end().lines().last().unwrap();
        assert!(
            last.contains("spec.storage") || last.contains("onConflict") || last.contains("outputPath"),
            "{said}"
        );
        assert!(last.contains("runs/here/bad"), "{said}");
        assert_eq!(fs::read(&results).unwrap(), before);
        assert!(!dir.path().join("data/runs/here/bad/inner").exists());
        assert!(
            !dir.path().join("data/.hyperstudy/bad").exists() && !dir.path().join("data/.hyperstudy/inner").exists()
        );
    }
}
