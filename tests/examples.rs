//! The examples, as their README files say they are run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A finished study's folder.
struct Results {
    folder: PathBuf,
    columns: Vec<String>,
    /// Each row: its cells by their columns.
    rows: Vec<BTreeMap<String, String>>,
}

impl Results {
    fn read(folder: PathBuf) -> Self {
        let mut table = csv::Reader::from_path(folder.join("study_results.csv")).unwrap();
        let columns: Vec<String> = table.headers().unwrap().iter().map(str::to_owned).collect();
        let row = |record: csv::StringRecord| columns.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
        let rows = table.records().map(|record| row(record.unwrap())).collect();
        Self { folder, columns, rows }
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.folder.join(name)).unwrap()).unwrap()
    }

    fn number(&self, row: usize, column: &str) -> f64 {
        self.rows[row][column].parse().unwrap()
    }

    /// The place of the completed row with the least objective; of several the first.
    fn best(&self) -> usize {
        (0..self.rows.len())
            .filter(|row| self.rows[*row]["Status"] == "COMPLETED")
            .reduce(|best, row| {
                let is_better = self.number(row, "Objective") < self.number(best, "Objective");
                if is_better { row } else { best }
            })
            .unwrap()
    }

    /// What is in the study's folder: the numbered folders, and everything else.
    fn entries(&self) -> (Vec<String>, Vec<String>) {
        let names = fs::read_dir(&self.folder).unwrap();
        let mut names: Vec<String> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.into_iter().partition(|name| name.parse::<u32>().is_ok())
    }

    /// That there is a row for each trial with these columns, that `best_result.json` is the best of them, that only its folder is
    /// left, with `files` in it, and that the other result files are there.
    fn check(&self, study: &str, at: &str, trials: usize, columns: &str, files: &[&str]) {
        assert_eq!(self.columns.join(","), columns);
        let numbers: Vec<&str> = self.rows.iter().map(|row| row["Trial-ID"].as_str()).collect();
        let expected: Vec<String> = (1..=trials).map(|n| n.to_string()).collect();
        assert_eq!(numbers, expected);
        assert!(
            self.rows.iter().all(|row| row["Status"] == "COMPLETED"),
            "{:?}",
            self.rows
        );

        let best = &self.rows[self.best()];
        let number = &best["Trial-ID"];
        let result = self.json("best_result.json");
        for (column, cell) in best.iter().filter(|(column, _)| *column != "Status") {
            match &result[column] {
                Value::Number(number) => assert_eq!(number.as_f64(), cell.parse().ok(), "{column}"),
                other => assert_eq!(other.as_str(), Some(cell.as_str()), "{column}"),
            }
        }
        assert_eq!(result["output_path"], format!("{at}/{study}/{number}"));
        assert_eq!(result.as_object().unwrap().len(), self.columns.len(), "{result}");

        let (numbered, others) = self.entries();
        assert_eq!(numbered, [number.as_str()]);
        assert_eq!(
            others,
            [
                ".owner",
                "best_result.json",
                "report.html",
                "study_config.json",
                "study_results.csv"
            ]
        );
        let folder = self.folder.join(number);
        let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, files);
        for file in files {
            let text = fs::read(folder.join(file)).unwrap();
            serde_json::from_slice::<Value>(&text).unwrap();
        }

        let config = self.json("study_config.json");
        assert_eq!(config["name"], study);
        assert_eq!(config["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(config["spec"]["budget"]["trials"], trials);
        let uid = config["uid"].as_str().unwrap();
        assert!(fs::read_to_string(self.folder.join(".owner")).unwrap().contains(uid));
        let report = fs::read_to_string(self.folder.join("report.html")).unwrap();
        assert!(report.contains(study) && report.contains("</html>"));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn succeeded(output: &Output) {
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// What `make quickstart` runs, as make itself says, with the program of this build.
fn quickstart() -> String {
    let mut make = Command::new("make");
    make.args(["--dry-run", "--no-print-directory", "quickstart"])
        .current_dir(root());
    // When `make test` runs this.
    for variable in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "GNUMAKEFLAGS"] {
        make.env_remove(variable);
    }
    let output = make.output().unwrap();
    succeeded(&output);
    let line = text(&output.stdout);
    let rest = line.trim().strip_prefix("cargo run --quiet --");
    let rest = rest.unwrap_or_else(|| panic!("not how the program is started: {line}"));
    format!("{}{rest}", env!("CARGO_BIN_EXE_hyperstudy"))
}

/// A command with its blanks and its ends of lines made one blank each.
fn squeezed(command: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().filter(|word| *word != "\\").collect();
    words.join(" ")
}

#[test]
fn quickstart_beats_the_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let from = root().join("examples/quickstart");
    let to = dir.path().join("examples/quickstart");
    fs::create_dir_all(&to).unwrap();
    for file in ["study.yaml", "train.py"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let command = quickstart();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &command])
        .current_dir(dir.path())
        .stdin(Stdio::null());
    let output = shell.output().unwrap();
    succeeded(&output);

    let results = Results::read(dir.path().join("hyperstudy-data/studies/quickstart"));
    results.check(
        "quickstart",
        "s3://studies",
        24,
        "Trial-ID,Status,Iteration,activation,hidden,lr,momentum,Objective,epochs,validation_accuracy,validation_loss",
        &["metrics.json", "model.json"],
    );
    // The defaults are tried first, and what they are stands in study.yaml.
    let defaults = &results.rows[0];
    let known = [
        ("lr", "0.001"),
        ("momentum", "0"),
        ("hidden", "4"),
        ("activation", "relu"),
    ];
    assert!(
        known.iter().all(|(name, value)| defaults[*name] == *value),
        "{defaults:?}"
    );
    let best = results.best();
    assert!(results.number(best, "Objective") < results.number(0, "Objective") / 2.0);
    assert!((0..24).all(|row| results.number(row, "Iteration") == 30.0));

    let said = text(&output.stdout);
    let row = |mark: &str| {
        let mut lines = said.lines().filter(|line| line.contains(mark));
        lines
            .next()
            .unwrap_or_else(|| panic!("no {mark} in\n{said}"))
            .to_owned()
    };
    assert!(row("(defaults)").contains("0.001"), "{said}");
    let number = &results.rows[best]["Trial-ID"];
    let sentence = row("The best, trial");
    assert!(
        sentence.starts_with(&format!("The best, trial {number}, reaches ")),
        "{sentence}"
    );
    assert!(
        sentence.contains("the defaults reach") && sentence.contains("% less"),
        "{sentence}"
    );
    assert!(
        said.contains("study_results.csv") && said.contains("report.html"),
        "{said}"
    );
}

#[test]
fn the_readme_of_the_quickstart_has_the_command_of_the_makefile() {
    let readme = fs::read_to_string(root().join("examples/quickstart/README.md")).unwrap();
    let shown = readme.split("```").nth(1).unwrap();
    let shown = squeezed(shown.trim().strip_prefix("hyperstudy").unwrap());
    let run = squeezed(quickstart().strip_prefix(env!("CARGO_BIN_EXE_hyperstudy")).unwrap());
    assert_eq!(shown, run);
}

/// A CSV file's numbers without its header and its index column.
fn table(path: &Path) -> Vec<Vec<f64>> {
    let mut table = csv::Reader::from_path(path).unwrap();
    let row = |record: csv::StringRecord| record.iter().skip(1).map(|cell| cell.parse().unwrap()).collect();
    table.records().map(|record| row(record.unwrap())).collect()
}

#[test]
fn injection_molding_finds_a_network_far_better_than_the_mean() {
    let shared = std::env::var_os("HYPERSTUDY_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let data = root().join(shared).join("data/injection-molding");
    if !data.join("x.csv").is_file() {
        eprintln!(
            "left out: the injection-moulding data is not in {}; HYPERSTUDY_SHARED names its folder",
            data.display()
        );
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("data/ml-data/molding");
    fs::create_dir_all(&input).unwrap();
    for file in ["x.csv", "y.csv"] {
        fs::write(input.join(file), fs::read(data.join(file)).unwrap()).unwrap();
    }
    let example = root().join("examples/injection-molding");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hyperstudy"));
    command
        .arg("run")
        .arg(example.join("study.yaml"))
        .arg("--template")
        .arg(example.join("workflowtemplate.yaml"))
        .args(["--data", "data"])
        .current_dir(dir.path())
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    succeeded(&output);

    let results = Results::read(dir.path().join("data/ml-data/runs/injection-molding"));
    results.check(
        "injection-molding",
        "s3://ml-data/runs",
        10,
        "Trial-ID,Status,Iteration,lr,units_1,units_2,Objective,\
         epochs,mean_absolute_error,mean_squared_error,mean_squared_error_of_mean",
        &["metrics.json", "model.json"],
    );

    // Always predicting the mean of all rows leaves their variance.
    let y = table(&input.join("y.csv"));
    assert_eq!(y.len(), 600);
    let mean = y.iter().map(|row| row[0]).sum::<f64>() / 600.0;
    let variance = y.iter().map(|row| (row[0] - mean).powi(2)).sum::<f64>() / 600.0;
    let best = results.best();
    let reached = results.number(best, "mean_squared_error");
    let of_mean = results.number(best, "mean_squared_error_of_mean");
    assert!(reached <= variance / 10.0, "{reached} is not a tenth of {variance}");
    assert!(reached <= of_mean / 10.0, "{reached} is not a tenth of {of_mean}");
    assert!(
        (of_mean / variance - 1.0).abs() < 0.5,
        "{of_mean} on the held-out rows, {variance} on all"
    );

    // The model that is kept has the units that its row says.
    let number = &results.rows[best]["Trial-ID"];
    let model = results.json(&format!("{number}/model.json"));
    for (layer, column) in [(0, "units_1"), (1, "units_2")] {
        let units = model["layers"][layer].as_array().unwrap().len();
        assert_eq!(units.to_string(), results.rows[best][column]);
    }
    let kept = results.json(&format!("{number}/metrics.json"));
    assert_eq!(kept["mean_squared_error"].as_f64(), Some(reached));
    // What was read stays as it was, and nothing else is in the bucket.
    assert_eq!(
        fs::read(input.join("y.csv")).unwrap(),
        fs::read(data.join("y.csv")).unwrap()
    );
    let mut names: Vec<_> = fs::read_dir(dir.path().join("data/ml-data"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["molding", "runs"]);
}
