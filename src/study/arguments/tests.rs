#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::{Argument as Given, Parameter};

fn space() -> Space {
    let parameters: Vec<Parameter> = serde_json::from_value(json!([
        {"name": "lr", "double": {"min": 1e-7, "max": 0.1, "scale": "Log"}},
        {"name": "units", "int": {"min": 8, "max": 64}},
        {"name": "optimizer", "categorical": {"values": ["adam", "sgd"]}},
        {"name": "momentum", "double": {"min": 0, "max": 0.99}, "when": "parameters.optimizer == \"sgd\""},
        {"name": "layers", "categorical": {"values": [[8], [8, 4]]}},
    ]))
    .unwrap();
    Space::compile(&parameters, &[]).unwrap()
}

fn config(value: Value) -> ParameterMap {
    serde_json::from_value(value).unwrap()
}

fn trial() -> TrialFacts {
    TrialFacts {
        number: 17,
        name: "study-17".into(),
        attempt: 2,
        output_path: "s3://bucket/runs/study/17".into(),
        output_key: "runs/study/17".into(),
        output_dir: Some("/data/my runs/17".into()),
        ..TrialFacts::default()
    }
}

fn study() -> StudyFacts {
    StudyFacts {
        name: "study".into(),
        namespace: "ml".into(),
        uid: "u-1".into(),
    }
}

fn given(arguments: &[(&str, &str)]) -> Vec<Given> {
    arguments
        .iter()
        .map(|(name, value)| Given {
            name: (*name).into(),
            value: (*value).into(),
        })
        .collect()
}

fn compile(arguments: &[(&str, &str)]) -> Result<Arguments, FieldErrors> {
    Arguments::compile(&given(arguments), &space(), &["outputDir"])
}

fn adam() -> ParameterMap {
    config(json!({"lr": 1e-7, "units": 32, "optimizer": "adam", "layers": [8, 4]}))
}

fn sgd() -> ParameterMap {
    config(json!({"lr": 0.1, "units": 8, "optimizer": "sgd", "momentum": 0.5, "layers": [8]}))
}

#[test]
fn arguments_are_rendered_in_the_order_they_are_given() {
    let arguments = compile(&[
        ("units", "${parameters.units},${size(parameters.layers)}"),
        (
            "optimizer_config",
            r#"{"class_name": ${json(parameters.optimizer)}, "lr": ${parameters.lr}}"#,
        ),
        ("momentum", "${has(parameters.momentum) ? parameters.momentum : 0.0}"),
        (
            "output",
            "${trial.outputPath} ${trial.outputKey} ${trial.number}.${trial.attempt} ${trial.name}",
        ),
        ("dir", "${trial.outputDir}"),
        ("study", "${study.namespace}/${study.name} ${study.uid}"),
        ("all", "${json(parameters)}"),
        ("argo", "{{workflow.name}} $${x}"),
    ])
    .unwrap();
    assert_eq!(arguments.names().next(), Some("units"));
    let rendered = arguments.render(&variables(&adam(), &trial(), &study())).unwrap();
    let expected = [
        ("units", "32,2"),
        ("optimizer_config", r#"{"class_name": "adam", "lr": 1e-7}"#),
        ("momentum", "0.0"),
        ("output", "s3://bucket/runs/study/17 runs/study/17 17.2 study-17"),
        ("dir", "/data/my runs/17"),
        ("study", "ml/study u-1"),
        ("all", r#"{"layers":[8,4],"lr":1e-7,"optimizer":"adam","units":32}"#),
        ("argo", "{{workflow.name}} ${x}"),
    ];
    let rendered: Vec<_> = rendered
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(rendered, expected);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_place() {
    let errors = compile(&[
        ("a b", "x"),
        ("lr", "${parameters.lrr}"),
        ("lr", "${lr} ${foo}"),
        ("c", "${trial.outputpath}"),
        ("d", "${study.id} ${trial.resource}"),
        ("e", "${parameters.lr"),
        ("f", "${1 +}"),
        ("", ""),
    ])
    .unwrap_err();
    let lines: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    let at = |index: usize, rest: &str| format!("spec.trial.arguments.parameters[{index}].{rest}");
    assert_eq!(
        lines,
        [
            at(
                0,
                "name: `a b` is no name that Argo takes: use letters, digits, `-` and `_`"
            ),
            at(1, "value: there is no parameter `lrr`: do you mean `lr`?"),
            at(
                2,
                "name: `lr` is given already, by spec.trial.arguments.parameters[1]: leave one of them out"
            ),
            at(2, "value: `lr` is not known here: write `parameters.lr`"),
            at(
                2,
                "value: `foo` is not known here: an expression reads `parameters`, `trial` and `study`"
            ),
            at(
                3,
                "value: there is no field of `trial` `outputpath`: do you mean `outputPath`? \
                 (trial has number, name, attempt, outputPath, outputKey, inputPath, modelInputPath, outputDir)"
            ),
            at(
                4,
                "value: there is no field of `study` `id`: do you mean `uid`? (study has name, namespace, uid)"
            ),
            at(
                4,
                "value: there is no field of `trial` `resource` \
                 (trial has number, name, attempt, outputPath, outputKey, inputPath, modelInputPath, outputDir)"
            ),
            at(
                5,
                "value: the `${` at column 1 is never closed; end it with `}`, or write `$${` for the characters themselves"
            ),
            at(
                6,
                "value: in the `${...}` at column 1: column 4: expected a value, found the end"
            ),
            at(
                7,
                "name: `` is no name that Argo takes: use letters, digits, `-` and `_`"
            ),
        ]
    );
    assert!(Arguments::compile(&given(&[("d", "${trial.outputDir}")]), &space(), &[]).is_err());
}

#[test]
fn what_could_fail_later_fails_on_samples() {
    let arguments = compile(&[
        ("ok", "${parameters.lr}"),
        ("m", "--m ${parameters.momentum}"),
        ("behind", "${parameters.optimizer == 'sgd' ? parameters.momentum : 0.0}"),
        ("twice", "${parameters.lr * 2}"),
        ("in", "${trial.inputPath}"),
        ("model", "${trial.modelInputPath}"),
        ("maybe", "${has(trial.modelInputPath) ? trial.modelInputPath : 'none'}"),
        ("third", "${parameters.layers[1]}"),
    ])
    .unwrap();
    let configs = [sgd(), adam()];
    let errors = arguments.check_on(&configs, &trial(), &study()).unwrap_err();
    let lines: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    let at = |index: usize, rest: &str| format!("spec.trial.arguments.parameters[{index}].value: {rest}");
    assert_eq!(
        lines,
        [
            at(
                1,
                "with optimizer=adam: parameters.momentum has no value here: it is active only when `parameters.optimizer == \"sgd\"`; \
                 use it only behind its condition, e.g. `${has(parameters.momentum) ? string(parameters.momentum) : ''}`"
            ),
            at(
                3,
                "with lr=0.1: double * int does not exist: convert with double() or int()"
            ),
            at(
                4,
                "trial.inputPath has no value here: the study gives no storage.inputPath"
            ),
            at(
                5,
                "trial.modelInputPath has no value here: this trial goes on from no other; use it only behind `has(trial.modelInputPath)`"
            ),
            at(7, "with layers=[8]: the list has no item 1"),
        ]
    );
    let facts = TrialFacts {
        input_path: Some("s3://data/in".into()),
        model_input_path: Some("s3://bucket/9".into()),
        ..trial()
    };
    let fine = compile(&[("in", "${trial.inputPath}"), ("model", "${trial.modelInputPath}")]).unwrap();
    assert_eq!(fine.check_on(&configs, &facts, &study()), Ok(()));
    let at_run = arguments.render(&variables(&adam(), &facts, &study())).unwrap_err();
    assert_eq!(
        at_run.0.first().unwrap().message,
        "parameters.momentum has no value here"
    );
}

#[test]
fn a_command_is_quoted_for_the_shell() {
    let command = "python train.py --lr ${parameters.lr} --out=${trial.outputDir} $(dirname ${trial.outputDir}) 'a b' \"$HOME\" # done";
    let command = Command::compile(command, &space(), &["outputDir"]).unwrap();
    assert_eq!(command.check_on(&[adam()], &trial(), &study()), Ok(()));
    assert_eq!(
        command.render(&variables(&adam(), &trial(), &study())).unwrap(),
        "python train.py --lr '1e-7' --out='/data/my runs/17' $(dirname '/data/my runs/17') 'a b' \"$HOME\" # done"
    );
}

#[test]
fn a_value_in_quotes_is_quoted_for_them() {
    let command = r#"echo '{"single": ${json(parameters.optimizer)}}' "double: ${parameters.optimizer} $(printf %s "${parameters.optimizer}")""#;
    let command = Command::compile(command, &space(), &[]).unwrap();
    for hostile in [
        "a b",
        "it's",
        "$(id)`id`",
        "\\\"; id; \"",
        "'; id; '",
        "$HOME",
        "a\\",
        "x\ny",
    ] {
        let variables = variables(&config(json!({"optimizer": hostile})), &trial(), &study());
        let line = command.render(&variables).unwrap();
        let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        // Some shells' echo expands backslashes itself, so what it is given is compared by printf.
        let line = line.replacen("echo", "printf '%s|%s'", 1);
        let printed = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(output.status.success() && printed.status.success(), "{line}");
        let quoted = serde_json::to_string(hostile).unwrap();
        let expected = format!("{{\"single\": {quoted}}}|double: {hostile} {hostile}");
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), expected, "{line}");
    }
}

#[test]
fn a_value_may_not_stand_where_quotes_do_not_hold() {
    let unclear = "stands behind what shells read in different ways: set a variable to it first, in a line before";
    for (source, reason) in [
        ("echo `x ${parameters.lr}`", "stands in back quotes: use `$(...)`"),
        (
            "echo $((1 + ${parameters.lr}))",
            "stands in the shell's arithmetic: compute it in the `${...}`",
        ),
        (
            "echo $((1 + (2 * ${parameters.lr})))",
            "stands in the shell's arithmetic: compute it in the `${...}`",
        ),
        (
            "((x = ${parameters.lr}))",
            "stands in the shell's arithmetic: compute it in the `${...}`",
        ),
        (
            "echo $${x:-${parameters.lr}}",
            "stands in the shell's own `${...}`: set a variable to it first",
        ),
        (
            "echo \"$${x:-${parameters.lr}}\"",
            "stands in the shell's own `${...}`: set a variable to it first",
        ),
        ("echo # ${parameters.lr}", "stands in a comment"),
        (
            "cat <<E\n${parameters.lr}\nE",
            "stands behind a `<<`, where the shell does not know quotes: use a file or a pipe",
        ),
        (
            "echo \\${parameters.lr}",
            "stands right after a `\\`, which would undo its quotes",
        ),
        (
            "((cat <<E) | (cat))\n${parameters.lr}\nE",
            "stands behind a `<<`, where the shell does not know quotes: use a file or a pipe",
        ),
        (
            "echo \"$(case x in a) echo \"${parameters.lr}\";; esac)\"",
            "stands behind what shells read in different ways: set a variable to it first, in a line before",
        ),
        ("echo \"$${x:-it's}\" '}\" ${parameters.lr} '", unclear),
        (
            "echo $[ ${parameters.lr} ]",
            "stands behind what shells read in different ways: set a variable to it first, in a line before",
        ),
        (
            "echo \\\\\\${parameters.lr}",
            "stands right after a `\\`, which would undo its quotes",
        ),
        // A line that goes on in the next one stands between no two characters.
        (
            "cat <\\\n<E\n${parameters.lr}\nE",
            "stands behind a `<<`, where the shell does not know quotes: use a file or a pipe",
        ),
        (
            "echo \"`\\\nx ${parameters.lr}`\"",
            "stands in back quotes: use `$(...)`",
        ),
        (
            "echo $\\\n$${x:-${parameters.lr}}",
            "stands in the shell's own `${...}`: set a variable to it first",
        ),
        (
            "echo $\\\n(( 1 + ${parameters.lr} ))",
            "stands in the shell's arithmetic: compute it in the `${...}`",
        ),
        (
            "echo $\\\n${parameters.lr}",
            "stands right after a `$`, which would change its meaning",
        ),
        ("echo $(ca\\\nse x in a) echo ${parameters.lr};; esac)", unclear),
        ("echo \\\n# ${parameters.lr}", "stands in a comment"),
        // `$'...'` has escapes in some shells.
        ("echo $'a ${parameters.lr}'", unclear),
        ("echo $'a\\' ${parameters.lr}", unclear),
        // Whether these begin a comment.
        ("echo a\u{a0}#'\n${parameters.lr}'", unclear),
        ("echo a\u{b}#'\n${parameters.lr}'", unclear),
        ("echo $(a)#'\n${parameters.lr}'", unclear),
        // The value of arithmetic is evaluated again, in quotes or not.
        (
            "echo $((\"${parameters.lr}\"))",
            "stands in the shell's arithmetic: compute it in the `${...}`",
        ),
    ] {
        let result = Command::compile(source, &space(), &[]);
        let error = result.map(|_| ()).expect_err(source);
        assert!(error.to_string().starts_with("--exec: the `${...}` at "), "{error}");
        assert!(error.to_string().ends_with(reason), "{source}: {error}");
    }
    for source in [
        "echo ${parameters.lr}",
        "echo \"a\\\"${parameters.lr}\"",
        "echo \"$(x \"${parameters.lr}\")\"",
        "echo \\\\${parameters.lr}",
        "echo 'x'${parameters.lr}\"y\"",
        "echo it\\'s ${parameters.lr}",
        "echo \"$(x ${parameters.lr})\"",
        "(cd x; echo ${parameters.lr}) | (cat)",
        "echo a#b ${parameters.lr}",
        "train \\\n  --lr ${parameters.lr} \\\n  --x \"${parameters.lr}\"",
        "echo $((1 + $(x \"${parameters.lr}\")))",
        "echo \"$'\" ${parameters.lr} '$'\n#'\n${parameters.lr}",
        "# it's a comment\necho ${parameters.lr}",
        "echo $((1 + 2)) ${parameters.lr}",
        "x=$(( (1) + 2 )) y=${parameters.lr}",
        "echo \"$${HOME}\" ${parameters.lr}",
        "case x in a) echo ${parameters.lr};; esac",
    ] {
        Command::compile(source, &space(), &[]).expect(source);
    }
    for (source, message) in [
        ("  ", "--exec: the command is empty"),
        (
            "a\0b",
            "--exec: the command holds a NUL character, which no command can",
        ),
        (
            "echo ${parameters.lrr}",
            "--exec: there is no parameter `lrr`: do you mean `lr`?",
        ),
    ] {
        assert_eq!(
            Command::compile(source, &space(), &[]).unwrap_err().to_string(),
            message
        );
    }
    let command = Command::compile("echo ${parameters.optimizer}", &space(), &[]).unwrap();
    let nul = config(json!({"optimizer": "a\0b"}));
    assert!(command.render(&variables(&nul, &trial(), &study())).is_err());
    let errors = Command::compile("echo ${parameters.momentum}", &space(), &[])
        .unwrap()
        .check_on(&[adam()], &trial(), &study());
    assert!(
        errors
            .unwrap_err()
            .to_string()
            .starts_with("--exec: with optimizer=adam: parameters.momentum")
    );
}

/// What the shell makes of a command.
fn run(command: &str) -> String {
    let output = std::process::Command::new("sh").args(["-c", command]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_real_shell_reads_any_value_as_one_word(value in "[^\0]{0,24}|[-'\"$`\\\\(){}|&;#*?~! \n]{0,12}") {
        for source in ["printf %s. ${parameters.optimizer}", "printf %s. \"$(printf %s. ${parameters.optimizer})\""] {
            let command = Command::compile(source, &space(), &[]).unwrap();
            let parameters = config(json!({"optimizer": value}));
            let rendered = command.render(&variables(&parameters, &trial(), &study())).unwrap();
            let dots = source.matches("%s.").count();
            prop_assert_eq!(run(&rendered), format!("{}{}", value, ".".repeat(dots)));
        }
    }

    #[test]
    fn no_command_panics(source in "[-a-z'\"$`\\\\(){}|&;#<> \n]{0,40}") {
        let _ = Command::compile(&source, &space(), &[]);
    }

    #[test]
    fn what_is_accepted_never_lets_a_value_run(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "'", "\"", "`", "$", "\\", "(", ")", "$(", "((", "$((", "))", "$${", "}", "#", "\n", " ", "<<E\n", "\nE\n", "echo ", "x", "; ", "case x in x)", ";; esac", "$[", "<<", "${parameters.optimizer}",
        ]), 1..12)
    ) {
        let source: String = pieces.concat();
        if let Ok(command) = Command::compile(&source, &space(), &[]) {
            for value in ["$(echo PWNED >&2)", "`echo PWNED >&2`", "'; echo PWNED >&2; '", "\\'; echo PWNED >&2; #", "\necho PWNED >&2\n", "\"; echo PWNED >&2; \"", "a[$(echo PWNED >&2)]", ")); echo PWNED >&2; ((", "\nE\necho PWNED >&2\n"] {
                let parameters = config(json!({"optimizer": value}));
                let rendered = command.render(&variables(&parameters, &trial(), &study())).unwrap();
                let output = std::process::Command::new("sh").args(["-c", &rendered])
                    .stdin(std::process::Stdio::null()).output().unwrap();
                let errors = String::from_utf8_lossy(&output.stderr);
                prop_assert!(!errors.lines().any(|line| line == "PWNED"), "{} ran as {}", source, rendered);
            }
        }
    }
}
