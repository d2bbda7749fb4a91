//! What a person may get wrong: each mistake gets one line that names its place and says what to do, exit status 2, and nothing is written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod files;
mod program;
mod space;
mod spec;

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
