//! What trials run: arguments, commands and templates.

use std::fs;

use super::{Spec, TEMPLATE, each_is_refused, hyperstudy, one_line, refused, with};

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
        (good, "kind: Deployment\n", "template.yaml", &["no WorkflowTemplate"]),
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
