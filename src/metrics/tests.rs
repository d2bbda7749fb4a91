#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeMap, io::Write};

use proptest::prelude::*;

use super::{MAX_BYTES, MetricsError, Objective, Reading, json};
use crate::api::{self, Goal, Reduce};

fn spec(metric: &str) -> api::Objective {
    api::Objective {
        metric: Some(metric.to_owned()),
        value: None,
        goal: Goal::Minimize,
        reduce: Reduce::Last,
        target: None,
    }
}

fn mse() -> Objective {
    Objective::compile(&spec("mse")).unwrap()
}

fn best(goal: Goal) -> Objective {
    Objective::compile(&api::Objective {
        goal,
        reduce: Reduce::Best,
        ..spec("mse")
    })
    .unwrap()
}

fn value(expression: &str) -> Objective {
    Objective::compile(&api::Objective {
        metric: None,
        value: Some(expression.to_owned()),
        ..spec("")
    })
    .unwrap()
}

fn reason(file: impl AsRef<[u8]>) -> &'static str {
    mse().read(file.as_ref()).unwrap_err().reason()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn one_object_is_one_report() {
    let reading = mse()
        .read(br#"{"mse": 0.01, "epochs": 30, "note": "ok", "ok": true, "nested": {"x": [1]}, "gap": NaN}"#)
        .unwrap();
    assert_eq!(
        reading,
        Reading {
            objective: 0.01,
            iteration: 30.0,
            metrics: BTreeMap::from([("mse".to_owned(), 0.01), ("epochs".to_owned(), 30.0)]),
            reports: vec![],
        }
    );
}

#[test]
fn a_history_has_a_report_for_each_entry() {
    let file = br#"{"mse": [0.5, 0.2, 0.3], "val": [1, 2], "lr": 0.1}"#;
    let reading = mse().read(file).unwrap();
    assert_eq!((reading.objective, reading.iteration), (0.3, 3.0));
    assert_eq!(reading.reports.len(), 3);
    assert_eq!(
        reading.reports[1].1.metrics,
        BTreeMap::from([("mse".into(), 0.2), ("val".into(), 2.0), ("lr".into(), 0.1)])
    );
    assert_eq!(
        reading.metrics,
        BTreeMap::from([("mse".into(), 0.3), ("lr".into(), 0.1)])
    );
    let reading = best(Goal::Minimize).read(file).unwrap();
    assert_eq!((reading.objective, reading.iteration), (0.2, 2.0));
    let reading = best(Goal::Maximize).read(file).unwrap();
    assert_eq!((reading.objective, reading.iteration), (0.5, 1.0));
}

#[test]
fn a_shorter_list_counts_where_it_ends() {
    let reading = mse().read(br#"{"mse": [0.5, 0.2], "loss": [3, 2, 1]}"#).unwrap();
    assert_eq!((reading.objective, reading.iteration), (0.2, 2.0));
    assert!(reading.reports[2].0.is_nan());
}

#[test]
fn epochs_are_the_iteration() {
    let reading = best(Goal::Minimize)
        .read(br#"{"mse": [0.1, 0.2], "epochs": [10, 20]}"#)
        .unwrap();
    assert_eq!(reading.iteration, 10.0);
    // A total says nothing about the reports before the last.
    let reading = mse().read(br#"{"mse": [0.1, 0.2], "epochs": 20}"#).unwrap();
    let iterations: Vec<f64> = reading.reports.iter().map(|(_, r)| r.iteration).collect();
    assert_eq!(iterations, [1.0, 20.0]);
    assert_eq!(mse().read(br#"{"mse": 1, "epochs": NaN}"#).unwrap().iteration, 1.0);
    assert_eq!(mse().read(br#"{"mse": 1, "epochs": "30"}"#).unwrap().iteration, 1.0);
}

#[test]
fn json_lines_have_a_report_for_each_line() {
    for file in [
        "{\"mse\": 3}\n{\"mse\": 1}\n{\"mse\": 2}\n",
        "{\"mse\": 3}\n{\"mse\": 1}\n{\"mse\": 2}",
        "\u{feff}{\"mse\": 3}\r\n\r\n{\"mse\": 1}\r\n  {\"mse\": 2}  \r\n\n",
    ] {
        let reading = mse().read(file.as_bytes()).unwrap();
        assert_eq!(
            (reading.objective, reading.iteration, reading.reports.len()),
            (2.0, 3.0, 3),
            "{file:?}"
        );
        assert_eq!(best(Goal::Minimize).read(file.as_bytes()).unwrap().objective, 1.0);
    }
}

#[test]
fn a_line_without_the_metric_is_no_value() {
    let file = b"{\"mse\": 3, \"epochs\": 5}\n{\"loss\": 1}\n";
    let reading = mse().read(file).unwrap();
    assert_eq!((reading.objective, reading.iteration), (3.0, 5.0));
    assert!(reading.reports[1].0.is_nan());
}

#[test]
fn every_malformed_file_has_its_reason() {
    for (file, expected) in [
        ("", "MetricsEmpty"),
        (" \n\t\r\n", "MetricsEmpty"),
        ("\u{feff}", "MetricsEmpty"),
        ("mse: 1", "MetricsNotJson"),
        ("{'mse': 1}", "MetricsNotJson"),
        ("{\"mse\": 1", "MetricsNotJson"),
        ("{\"mse\": 01}", "MetricsNotJson"),
        ("{\"mse\": 1.}", "MetricsNotJson"),
        ("{\"mse\": +1}", "MetricsNotJson"),
        ("{\"mse\": nan}", "MetricsNotJson"),
        ("{\"mse\": -NaN}", "MetricsNotJson"),
        ("{\"mse\": 1,}", "MetricsNotJson"),
        ("{\"mse\": 1} {\"mse\": 2}", "MetricsNotJson"),
        ("{\n\"mse\": 1}\n{\"mse\": 2}", "MetricsNotJson"),
        ("{\"mse\": 1}\n{\"mse\":", "MetricsNotJson"),
        ("{\"mse\": 1}\n{\"mse\":\n2}\n", "MetricsNotJson"),
        ("{\"mse\": 1}\n{\"mse\": 2} x\n", "MetricsNotJson"),
        ("{\"m\\x\": 1}", "MetricsNotJson"),
        ("{\"\\ud800\": 1}", "MetricsNotJson"),
        ("NaN", "MetricsNotObject"),
        ("0.5", "MetricsNotObject"),
        ("[1, 2]", "MetricsNotObject"),
        ("[{\"mse\": 1}]", "MetricsNotObject"),
        ("null", "MetricsNotObject"),
        ("\"mse\"", "MetricsNotObject"),
        ("{\"mse\": 1}\n5\n", "MetricsNotObject"),
        ("{}", "MetricMissing"),
        ("{\"rmse\": 1}", "MetricMissing"),
        ("{\"MSE\": 1}\n{\"a\": 1}", "MetricMissing"),
        ("{\"mse\": \"0.1\"}", "MetricWrongType"),
        ("{\"mse\": true}", "MetricWrongType"),
        ("{\"mse\": null}", "MetricWrongType"),
        ("{\"mse\": {}}", "MetricWrongType"),
        ("{\"mse\": []}", "MetricWrongType"),
        ("{\"mse\": [1, null]}", "MetricWrongType"),
        ("{\"mse\": [[1]]}", "MetricWrongType"),
        ("{\"mse\": [1]}\n{\"mse\": 1}", "MetricWrongType"),
        ("{\"mse\": 1}\n{\"mse\": \"x\"}", "MetricWrongType"),
        ("{\"mse\": NaN}", "MetricNotFinite"),
        ("{\"mse\": Infinity}", "MetricNotFinite"),
        ("{\"mse\": [1, -Infinity]}", "MetricNotFinite"),
        ("{\"mse\": 1e999}", "MetricNotFinite"),
        ("{\"mse\": 1, \"mse\": NaN}", "MetricNotFinite"),
    ] {
        assert_eq!(reason(file), expected, "{file:?}");
    }
    assert_eq!(reason(b"{\"mse\": 1, \"\xff\": 2}"), "MetricsNotJson");
    assert_eq!(
        MetricsError::MetricsMissing("s3://b/1".into()).reason(),
        "MetricsMissing"
    );
}

#[test]
fn a_message_says_where() {
    let error = mse()
        .read(b"{\"mse\": 1}\r\n\n{\"\xc3\xa4\": 1, mse: 2}\n")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the metrics file is not JSON: line 3, column 10: a key in double quotes is needed here"
    );
    let error = mse().read(b"{\"mse\": 1}\n{\"mse\": 0.").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the metrics file is not JSON: line 2, column 11: a digit is needed here, but the text ends there"
    );
    let error = mse().read(b"{\"val_mse\": 1, \"loss\": \"x\"}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the metrics file has no `mse`: it has `loss`, `val_mse`"
    );
    let error = mse().read(b"{\"mse_\": 1}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the metrics file has no `mse`: did you mean `mse_`? it has `mse_`"
    );
    let error = mse().read(br#"{"mse": "0.1"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`mse` in the metrics file is a string: it has to be a number, or a list of numbers"
    );
}

#[test]
fn an_error_message_is_bounded() {
    let file = format!(
        "{{{}}}",
        (0..5000)
            .map(|i| format!("\"{}{i}\": 1", "k".repeat(300)))
            .collect::<Vec<_>>()
            .join(",")
    );
    assert!(mse().read(file.as_bytes()).unwrap_err().to_string().len() < 1200);
}

#[test]
fn best_passes_over_what_is_not_finite() {
    let file = b"{\"mse\": [NaN, 0.4, 0.3, -Infinity, NaN]}";
    assert_eq!(best(Goal::Minimize).read(file).unwrap().objective, 0.3);
    assert_eq!(best(Goal::Maximize).read(file).unwrap().objective, 0.4);
    let error = best(Goal::Minimize).read(b"{\"mse\": [NaN, Infinity]}").unwrap_err();
    assert_eq!(error.reason(), "MetricNotFinite");
    // Of equal ones, the first.
    assert_eq!(
        best(Goal::Minimize).read(b"{\"mse\": [2, 1, 1]}").unwrap().iteration,
        2.0
    );
}

#[test]
fn words_inside_strings_stay_words() {
    let reading = mse()
        .read(br#"{"NaN": 1, "note": "-Infinity, \"NaN\" \\", "mse": 2, "\u00e4\n": 3}"#)
        .unwrap();
    assert_eq!(reading.metrics.keys().collect::<Vec<_>>(), ["NaN", "mse", "ä\n"]);
}

#[test]
fn bombs_are_errors() {
    let deep = |n| format!("{{\"mse\": 1, \"x\": {}{}}}", "[".repeat(n), "]".repeat(n));
    assert!(mse().read(deep(100).as_bytes()).is_ok());
    assert_eq!(reason(deep(1_000_000)), "MetricsNotJson");
    assert_eq!(reason("{\"a\":".repeat(1_000_000)), "MetricsNotJson");
    assert_eq!(reason(vec![b' '; MAX_BYTES + 1]), "MetricsTooLarge");
    assert_eq!(reason(gzip(&vec![b' '; 4 * MAX_BYTES])), "MetricsTooLarge");
    assert_eq!(reason(gzip(&vec![b' '; MAX_BYTES])), "MetricsEmpty");
    // A few numbers beside a long list.
    let wide: String = (0..1000).map(|i| format!("\"k{i}\": 1, ")).collect();
    let file = format!("{{{wide}\"mse\": [{}1]}}", "1,".repeat(10_000));
    assert_eq!(reason(file), "MetricsTooLarge");
    assert_eq!(reason("{}\n".repeat(2_000_000)), "MetricsTooLarge");
}

#[test]
fn archives_are_unpacked() {
    let plain = b"{\"mse\": 1}".as_slice();
    for file in [
        gzip(plain),
        gzip(&tar(&[("metrics.json", plain)])),
        tar(&[("metrics.json", plain)]),
        [gzip(b"{\"mse\":"), gzip(b"1}")].concat(),
    ] {
        assert_eq!(mse().read(&file).unwrap().objective, 1.0);
    }
    let two = tar(&[("a", plain), ("b", plain)]);
    for (file, expected) in [
        (
            gzip(&two),
            "the metrics file is a tar archive with several files: write it with `archive: {none: {}}`",
        ),
        (
            two[..700].to_vec(),
            "the metrics file is a tar archive that is damaged: write it with `archive: {none: {}}`",
        ),
        (
            gzip(plain)[..12].to_vec(),
            "the metrics file is a gzip archive that is damaged: write it with `archive: {none: {}}`",
        ),
        (
            vec![0x1f, 0x8b],
            "the metrics file is a gzip archive that is damaged: write it with `archive: {none: {}}`",
        ),
        (
            b"PK\x03\x04...".to_vec(),
            "the metrics file is a zip archive: write it with `archive: {none: {}}`",
        ),
    ] {
        let error = mse().read(&file).unwrap_err();
        assert_eq!(
            (error.reason(), error.to_string().as_str()),
            ("MetricsBadArchive", expected)
        );
    }
}

#[test]
fn a_torn_line_counts_only_against_a_trial_that_ended_by_itself() {
    let file = b"{\"mse\": 2}\n{\"mse\": 1, \"\xc3";
    assert_eq!(reason(file), "MetricsNotJson");
    assert_eq!(mse().read_unfinished(file).unwrap().objective, 2.0);
    assert_eq!(
        mse().read_unfinished(b"{\"mse\": 2}\n{\"mse\": 1}").unwrap().objective,
        1.0
    );
    assert_eq!(mse().read_unfinished(b"{\"mse\"").unwrap_err().reason(), "MetricsEmpty");
    assert_eq!(
        mse().read_unfinished(b"{\"mse\": 2}\nx\n").unwrap_err().reason(),
        "MetricsNotJson"
    );
}

#[test]
fn at_most_64_metrics_go_into_the_status() {
    let entries: String = (0..100).map(|i| format!("\"k{i:03}\": {i}, ")).collect();
    let reading = mse().read(format!("{{{entries}\"mse\": 1}}").as_bytes()).unwrap();
    assert_eq!(reading.metrics.len(), 64);
    assert_eq!(reading.metrics.keys().last().unwrap(), "k063");
}

#[test]
fn a_target_is_reached_from_its_side() {
    for (goal, reached, not) in [(Goal::Minimize, 0.1, 0.11), (Goal::Maximize, 0.1, 0.09)] {
        let objective = Objective::compile(&api::Objective {
            goal,
            target: Some(0.1),
            ..spec("mse")
        })
        .unwrap();
        assert!(objective.is_reached(reached) && !objective.is_reached(not));
    }
    assert!(!mse().is_reached(f64::MIN));
}

#[test]
fn an_objective_that_cannot_be_is_refused() {
    let compile = |metric: Option<&str>, value: Option<&str>, target| {
        Objective::compile(&api::Objective {
            metric: metric.map(Into::into),
            value: value.map(Into::into),
            target,
            ..spec("")
        })
        .unwrap_err()
        .0
    };
    assert_eq!(compile(None, None, None)[0].path, "");
    assert_eq!(compile(Some("a"), Some("metrics.a"), None)[0].path, "");
    assert_eq!(compile(Some(""), None, None)[0].path, "metric");
    assert_eq!(compile(Some(""), None, Some(f64::NAN)).len(), 2);
    assert_eq!(compile(Some("a"), None, Some(f64::INFINITY))[0].path, "target");
    for value in [
        "metrics.a +",
        "parameters.lr",
        "1.0 + 1.0",
        "metrics.a * 2",
        "metrics.a > 0.5",
        "metrics.a == 'x'",
    ] {
        assert_eq!(compile(None, Some(value), None)[0].path, "value", "{value}");
    }
}

#[test]
fn an_expression_over_metrics() {
    let f1 = value("2.0 * metrics.precision * metrics.recall / (metrics.precision + metrics.recall)");
    assert_eq!(f1.read(br#"{"precision": 1, "recall": 1}"#).unwrap().objective, 1.0);
    for (file, expected) in [
        (r#"{"precision": 1, "recal": 1}"#, "MetricMissing"),
        (r#"{"precision": 1, "recall": "1"}"#, "MetricWrongType"),
        (r#"{"precision": 1, "recall": NaN}"#, "MetricNotFinite"),
        (r#"{"precision": 0, "recall": 0}"#, "MetricNotFinite"),
        (r#"{"precision": 1, "recall": -1}"#, "MetricNotFinite"),
        ("{\"precision\": 1}\n{\"recall\": 1}\n", "MetricValueFailed"),
    ] {
        assert_eq!(f1.read(file.as_bytes()).unwrap_err().reason(), expected, "{file}");
    }
    // A report that does not say everything is passed over.
    let reading = f1
        .read(b"{\"precision\": 1, \"recall\": 1}\n{\"recall\": 1}\n")
        .unwrap();
    assert_eq!((reading.objective, reading.iteration), (1.0, 1.0));
    let either = value("has(metrics.val) ? metrics.val : metrics.loss");
    assert_eq!(either.read(br#"{"loss": 3}"#).unwrap().objective, 3.0);
    assert_eq!(either.read(br#"{"loss": 3, "val": 2}"#).unwrap().objective, 2.0);
    let strict = value("metrics.n > 5.0 ? metrics.a : (1 / 0 == 0 ? 1.0 : 2.0)");
    assert_eq!(
        strict.read(br#"{"n": 1, "a": 1}"#).unwrap_err().reason(),
        "MetricValueFailed"
    );
}

/// Values that JSON knows, and the pieces of those that it does not.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"mse\"",
        "\"k\"",
        "\\",
        "\\u00e4",
        "\\ud83d\\ude00",
        "0",
        "1",
        "-",
        ".5",
        "e9",
        "1e999",
        "true",
        "null",
        "NaN",
        "Infinity",
        "ä",
        "😀",
        " ",
        "\n",
        "\r\n",
        "\u{1}",
        "{\"mse\": 1}\n",
        "{\"mse\": [1, 2]}",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[a-c]|.*", inner, 0..6)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in texts()) {
        for file in [bytes.as_slice(), text.as_bytes(), &gzip(&bytes), &gzip(text.as_bytes())] {
            for objective in [mse(), best(Goal::Maximize)] {
                let _ = objective.read_unfinished(file);
                if let Ok(reading) = objective.read(file) {
                    prop_assert!(reading.objective.is_finite() && reading.iteration.is_finite());
                    prop_assert!(reading.metrics.values().all(|number| number.is_finite()));
                }
            }
        }
    }

    #[test]
    fn what_is_json_is_as_serde_json_has_it(value in any_json()) {
        let compact = value.to_string();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(json::parse(&compact), json::parse(&pretty));
        match json::parse(&compact) {
            Ok(json::Document::One(object)) => prop_assert_eq!(object.len(), value.as_object().unwrap().len()),
            Ok(lines) => prop_assert!(false, "{:?}", lines),
            Err(error) => {
                prop_assert_eq!(error.reason(), "MetricsNotObject");
                prop_assert!(!value.is_object());
            }
        }
    }

    #[test]
    fn what_is_not_json_is_refused(text in texts()) {
        let is_json = |text: &str| serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(text).is_ok();
        let plain = !text.contains("NaN") && !text.contains("Infinity") && !text.contains("e9");
        match json::parse(&text) {
            Ok(json::Document::One(_)) if plain => prop_assert!(is_json(&text)),
            Ok(json::Document::Lines(objects)) if plain => {
                let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
                prop_assert_eq!(lines.len(), objects.len());
                prop_assert!(lines.into_iter().all(is_json));
            }
            Ok(_) => {}
            Err(_) => prop_assert!(!is_json(&text)),
        }
    }

    #[test]
    fn every_finite_number_comes_back(mut numbers in prop::collection::btree_map(".*", any::<f64>().prop_filter("finite", |n| n.is_finite()), 0..40), objective in -1e9..1e9) {
        numbers.remove("epochs");
        numbers.insert("mse".to_owned(), objective);
        let reading = mse().read(&serde_json::to_vec(&numbers).unwrap()).unwrap();
        prop_assert_eq!(reading.objective.to_bits(), objective.to_bits());
        prop_assert_eq!(reading.metrics, numbers);
    }

    #[test]
    fn lines_and_a_history_say_the_same(values in prop::collection::vec(any::<f64>(), 2..20)) {
        let show = |v: f64| if v.is_nan() { "NaN".to_owned() } else { format!("{v:?}").replace("inf", "Infinity") };
        let history = format!("{{\"mse\": [{}]}}", values.iter().map(|v| show(*v)).collect::<Vec<_>>().join(", "));
        let lines: String = values.iter().map(|v| format!("{{\"mse\": {}}}\n", show(*v))).collect();
        for objective in [mse(), best(Goal::Minimize), best(Goal::Maximize)] {
            let (a, b) = (objective.read(history.as_bytes()), objective.read(lines.as_bytes()));
            prop_assert_eq!(format!("{a:?}"), format!("{b:?}"));
        }
    }
}
