//! The file, several mistakes in it, and the folder for the results.

use std::fs;

use super::{Spec, TEMPLATE, each_is_refused, hyperstudy, one_line, refused, with};

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
    // What has no end is not read to its end.
    fs::write(dir.path().join("large.yaml"), "é".repeat(3 << 20)).unwrap();
    for file in ["large.yaml", "/dev/zero"] {
        let output = hyperstudy(dir.path(), &["validate", file]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text, format!("{file} is too large: at most 4194304 bytes are read\n"));
        assert_eq!(output.status.code(), Some(2));
    }
    assert!(!dir.path().join("hyperstudy-data").exists());
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
    // A name that the right one starts with hides nothing of it.
    let study = Spec::good()
        .with("constraint", "['true']")
        .with("constraints", "['parameters.zebra > 1']")
        .yaml();
    let lines = refused(&study, TEMPLATE, &["--exec", "true"]);
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
