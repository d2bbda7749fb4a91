#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value
)]

use serde_json::{Value, json};

use super::*;
use crate::metrics::Report;

/// What a study's rows borrow from.
struct Data {
    spec: StudySpec,
    trials: Vec<Trial>,
}

struct Trial {
    number: u32,
    phase: TrialPhase,
    parameters: ParameterMap,
    objective: Option<f64>,
    metrics: BTreeMap<String, f64>,
    reports: Vec<(f64, Report)>,
}

fn spec(goal: &str, parameters: Value) -> StudySpec {
    serde_json::from_value(json!({
        "objectives": [{"metric": "loss", "goal": goal}],
        "parameters": parameters,
        "algorithm": {"sampler": {"random": {}}},
        "trial": {}, "storage": {}
    }))
    .unwrap()
}

fn numbers(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

fn trial(number: u32, phase: TrialPhase, parameters: Value, objective: Option<f64>) -> Trial {
    Trial {
        number,
        phase,
        parameters: serde_json::from_value(parameters).unwrap(),
        objective,
        metrics: objective.map(|o| numbers(&[("loss", o)])).unwrap_or_default(),
        reports: Vec::new(),
    }
}

impl Data {
    fn rows(&self) -> Vec<Row<'_>> {
        let row = |t: &'_ Trial| {
            let start = Timestamp::from_second(1_700_000_000 + i64::from(t.number)).unwrap();
            (t.number, start)
        };
        self.trials
            .iter()
            .map(|t| {
                let (number, start) = row(t);
                Row {
                    number,
                    phase: t.phase,
                    parameters: &t.parameters,
                    objective: t.objective,
                    iteration: t.objective.map(|_| 3.0),
                    metrics: &t.metrics,
                    reports: &t.reports,
                    output_path: Some(format!("s3://studies/runs/{number}")),
                    start_time: Some(start),
                    completion_time: Some(start + jiff::SignedDuration::from_millis(2500)),
                }
            })
            .collect()
    }

    fn with<T>(&self, name: &str, f: impl FnOnce(&StudyReport<'_>) -> T) -> T {
        let rows = self.rows();
        f(&StudyReport {
            name,
            uid: "8f0b",
            spec: &self.spec,
            trials: &rows,
        })
    }

    fn csv(&self) -> String {
        String::from_utf8(self.with("study", study_results)).unwrap()
    }
}

use TrialPhase::{Failed, Pending, Running, Stopped, Succeeded};

#[test]
fn the_table_has_sherpas_columns() {
    let mut data = Data {
        spec: spec(
            "Minimize",
            json!([{"name": "lr", "double": {"min": 0, "max": 1}}, {"name": "act", "categorical": {"values": ["a"]}}]),
        ),
        trials: vec![
            trial(2, Failed, json!({"lr": 1e-7, "act": "say \"hi\", you"}), None),
            trial(1, Succeeded, json!({"lr": 0.5}), Some(0.25)),
            trial(3, Running, json!({"lr": 0.5}), None),
            trial(4, Stopped, json!({"lr": 1.0, "act": [1, {"b": null}]}), Some(1e300)),
            trial(5, Pending, json!({}), None),
        ],
    };
    data.trials[1].metrics = numbers(&[("loss", 0.25), ("acc", 0.9), ("epochs", 3.0)]);
    data.trials[1].reports = vec![
        (
            0.5,
            Report {
                iteration: 1.0,
                metrics: numbers(&[("loss", 0.5), ("extra", f64::INFINITY)]),
            },
        ),
        (
            f64::NAN,
            Report {
                iteration: 2.0,
                metrics: numbers(&[("loss", f64::NAN)]),
            },
        ),
        (
            0.25,
            Report {
                iteration: 3.0,
                metrics: numbers(&[("loss", 0.25)]),
            },
        ),
    ];
    assert_eq!(
        data.csv(),
        "Trial-ID,Status,Iteration,act,lr,Objective,acc,epochs,extra,loss\n\
         1,INTERMEDIATE,1,,0.5,0.5,,,inf,0.5\n\
         1,INTERMEDIATE,2,,0.5,,,,,NaN\n\
         1,INTERMEDIATE,3,,0.5,0.25,,,,0.25\n\
         1,COMPLETED,3,,0.5,0.25,0.9,3,,0.25\n\
         2,FAILED,,\"say \"\"hi\"\", you\",1e-7,,,,,\n\
         4,STOPPED,3,\"[1,{\"\"b\"\":null}]\",1,1e300,,,,1e300\n"
    );
}

#[test]
fn columns_never_share_a_name() {
    let mut data = Data {
        spec: spec(
            "Minimize",
            json!([{"name": "lr", "double": {"min": 0, "max": 1}}, {"name": "Status", "int": {"min": 0, "max": 9}}]),
        ),
        trials: vec![trial(1, Succeeded, json!({"lr": 0.5, "Status": 7}), Some(1.0))],
    };
    data.trials[0].metrics = numbers(&[
        ("lr", 1.0),
        ("metric.lr", 2.0),
        ("Objective", 3.0),
        ("Trial-ID", 4.0),
        ("output_path", 5.0),
    ]);
    let csv = data.csv();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header: Vec<_> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header.iter().collect::<BTreeSet<_>>().len(), header.len(), "{header:?}");
    let row: BTreeMap<String, String> = reader.deserialize().next().unwrap().unwrap();
    for (column, value) in [
        ("lr", "0.5"),
        ("parameter.Status", "7"),
        ("Status", "COMPLETED"),
        ("metric.lr", "1"),
        ("metric.metric.lr", "2"),
        ("metric.Objective", "3"),
        ("Objective", "1"),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
}

#[test]
fn the_best_is_an_object() {
    for (goal, number, value) in [("Minimize", 2, 0.25), ("Maximize", 3, 4.0)] {
        let data = Data {
            spec: spec(
                goal,
                json!([{"name": "lr", "double": {"min": 0, "max": 1}}, {"name": "opt", "constant": {"a": 1}}]),
            ),
            trials: vec![
                trial(5, Succeeded, json!({"lr": 0.9}), Some(0.25)),
                trial(2, Stopped, json!({"lr": 0.5, "opt": {"a": 1}}), Some(0.25)),
                trial(3, Succeeded, json!({"lr": 0.5, "opt": {"a": 1}}), Some(4.0)),
                trial(
                    1,
                    Failed,
                    json!({"lr": 0.1}),
                    Some(if goal == "Minimize" { -9.0 } else { 9.0 }),
                ),
                trial(
                    4,
                    Running,
                    json!({"lr": 0.1}),
                    Some(if goal == "Minimize" { -9.0 } else { 9.0 }),
                ),
            ],
        };
        let text = String::from_utf8(data.with("study", best_result).unwrap()).unwrap();
        let best: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            best,
            json!({"Trial-ID": number, "Iteration": 3, "lr": 0.5, "opt": {"a": 1}, "Objective": value, "loss": if value == 4.0 { json!(4) } else { json!(value) },
                   "output_path": format!("s3://studies/runs/{number}")})
        );
        assert!(
            text.find("Trial-ID").unwrap() < text.find("lr").unwrap()
                && text.find("loss").unwrap() < text.find("output_path").unwrap()
        );
    }
    let none = Data {
        spec: spec("Minimize", json!([])),
        trials: vec![trial(1, Failed, json!({}), None)],
    };
    assert_eq!(none.with("study", best_result), None);
    assert_eq!(none.csv(), "Trial-ID,Status,Iteration,Objective\n1,FAILED,,\n");
}

#[test]
fn the_config_holds_the_spec() {
    let data = Data {
        spec: spec(
            "Minimize",
            json!([{"name": "lr", "double": {"min": 1e-7, "max": 0.1, "scale": "Log"}}]),
        ),
        trials: vec![],
    };
    let config: Value = serde_json::from_slice(&data.with("molding", study_config).unwrap()).unwrap();
    assert_eq!(
        (&config["name"], &config["uid"], &config["version"]),
        (&json!("molding"), &json!("8f0b"), &json!(env!("CARGO_PKG_VERSION")))
    );
    let spec: StudySpec = serde_json::from_value(config["spec"].clone()).unwrap();
    assert_eq!(spec, data.spec);
}

/// A study of every kind of parameter with `n` trials.
fn large(n: u32, goal: &str) -> Data {
    let spec = spec(
        goal,
        json!([
            {"name": "lr", "double": {"min": 1e-7, "max": 0.1, "scale": "Log"}},
            {"name": "units", "int": {"min": 8, "max": 64, "step": 8}},
            {"name": "batch_size", "ordinal": {"values": [8, 16, 32]}},
            {"name": "optimizer", "categorical": {"values": ["adam", "sgd", "a very long name of an <optimizer> & co"]}},
            {"name": "momentum", "double": {"min": 0, "max": 0.99}, "when": "parameters.optimizer == \"sgd\""},
            {"name": "dropout", "double": {"normal": {"mean": 0.3, "stddev": 0.1}}},
            {"name": "loss_name", "constant": "mse"}
        ]),
    );
    let trials = (1..=n)
        .map(|i| {
            let u = |k: u32| f64::from((i.wrapping_mul(2_654_435_761).wrapping_add(k.wrapping_mul(40_503_217))) >> 8 & 0xffff) / 65536.0;
            let optimizer = ["adam", "sgd", "a very long name of an <optimizer> & co"][(i % 3) as usize];
            let lr = 10f64.powf(-7.0 + 6.0 * u(1));
            let mut parameters = json!({"lr": lr, "units": 8 * (1 + i % 8), "batch_size": 8 << (i % 3), "optimizer": optimizer,
                "dropout": 0.3 + 0.2 * (u(2) - 0.5), "loss_name": "mse"});
            if optimizer == "sgd" {
                parameters["momentum"] = json!(0.99 * u(3));
            }
            let objective = 0.01 + (lr.log10() + 3.0).powi(2) * 0.3 + u(4) * 0.2;
            match i % 11 {
                10 => trial(i, Failed, parameters, None),
                5 => trial(i, Stopped, parameters, Some(objective * 1.3)),
                _ => trial(i, Succeeded, parameters, Some(objective)),
            }
        })
        .collect();
    Data { spec, trials }
}

#[test]
fn the_report_is_one_file_with_one_library() {
    let html = large(30, "Minimize").with("molding", report);
    assert_eq!(html.matches("* plotly.js v").count(), 1);
    assert!(!html.contains("MathJax.js") && html.len() < 5_500_000, "{}", html.len());
    let own = html.replace(super::html::PLOTLY.as_str(), "");
    for outside in ["http://", "https://", "src=", "href=", "@import", "url("] {
        assert!(!own.contains(outside), "{outside}");
    }
    assert!(own.contains("\"type\":\"parcoords\"") && own.contains("Best: trial"));
}

#[test]
fn names_and_values_are_inert() {
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&\u{2028}";
    let mut data = large(12, "Maximize");
    data.spec.objectives[0].metric = Some(evil.to_owned());
    if let Some(categorical) = &mut data.spec.parameters[3].categorical {
        categorical.values.push(json!(evil));
    }
    data.trials[0].parameters.insert("optimizer".to_owned(), json!(evil));
    data.trials[0].objective = Some(1e9);
    let html = data.with(evil, report);
    assert_eq!(
        html.matches("<script>alert").count() + html.matches("<img src=x").count(),
        0
    );
    assert_eq!(html.matches("</script>").count(), 3);
    assert!(html.contains("&lt;/script&gt;&lt;script&gt;alert(1)"));
}

#[test]
fn reports_of_studies_without_results() {
    for phase in [Failed, Running] {
        let data = Data {
            spec: spec("Minimize", json!([{"name": "lr", "double": {"min": 0, "max": 1}}])),
            trials: vec![trial(1, phase, json!({"lr": 0.5}), None)],
        };
        let html = data.with("none", report);
        assert!(html.contains("No best trial") && html.len() < 20_000);
    }
    let data = Data {
        spec: spec("Minimize", json!([])),
        trials: vec![],
    };
    assert!(data.with("none", report).contains("No best trial"));
}

#[test]
fn a_large_study_has_all_its_rows_and_a_report_that_opens() {
    let data = large(10_000, "Minimize");
    assert_eq!(data.csv().lines().count(), 10_001);
    let html = data.with("large", report);
    assert!(html.len() < 12 << 20, "{} bytes", html.len());
}
