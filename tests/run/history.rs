//! A study that starts from what an earlier one found.

use serde_json::Value;

use super::*;

/// Studies in one place: `small`, as [`Place`] makes it, and `later`, which starts from earlier results.
struct Places(Place);

impl Places {
    /// `small` has run; `later` is written, `from` being where its history is.
    fn new(from: &str) -> Self {
        let place = Place::new("");
        place.run(QUICK).ended(0);
        let places = Self(place);
        places.write_later(from, "");
        places
    }

    fn write_later(&self, from: &str, more: &str) {
        let study = format!(
            "apiVersion: hyperstudy.dev/v1alpha1\nkind: HyperparameterStudy\nmetadata: {{name: later}}\nspec:\n  \
             objectives: [{{metric: loss, goal: Minimize}}]\n  parameters:\n  - {{name: x, double: {{min: 0, max: 0.6}}}}\n  \
             - {{name: k, int: {{min: 1, max: 8}}, default: 4}}\n  algorithm: {{sampler: {{random: {{}}}}, seed: 5}}\n  \
             budget: {{trials: 5}}\n  history: {{from: [{from}]}}\n{more}"
        );
        fs::write(self.0.path("later.yaml"), study).unwrap();
    }

    fn command(&self, exec: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hyperstudy"));
        command
            .args(["run", "later.yaml", "--data", "data", "--exec", exec])
            .current_dir(self.0.dir.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self) -> Ran {
        Ran::from(&self.command(QUICK).output().unwrap())
    }

    fn validate(&self) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hyperstudy"));
        command.args(["validate", "later.yaml", "--data", "data"]);
        Ran::from(&command.current_dir(self.0.dir.path()).output().unwrap())
    }

    /// The best `x` of `small` that `later` may have.
    fn best(&self) -> f64 {
        let x = |row: &String| row.split(',').nth(2).unwrap().parse::<f64>().unwrap();
        let all: Vec<f64> = self.0.rows().values().map(x).collect();
        assert!(all.iter().any(|x| *x > 0.6) && all.iter().any(|x| *x < 0.6), "{all:?}");
        all.into_iter().fold(f64::INFINITY, f64::min)
    }

    /// The configurations of `later`, and what proposed each.
    fn configurations(&self) -> Vec<(String, Value)> {
        let journal = fs::read_to_string(self.0.path("data/.hyperstudy/later/journal.jsonl")).unwrap();
        let entry = |line: &str| serde_json::from_str::<Value>(line).unwrap()["trial"].clone();
        let trials = journal.lines().map(entry).filter(|trial| !trial.is_null());
        trials
            .map(|trial| {
                (
                    trial["origin"]["sampler"].as_str().unwrap().to_owned(),
                    trial["parameters"].clone(),
                )
            })
            .collect()
    }

    fn record(&self) -> Value {
        let bytes = fs::read(self.0.path("data/studies/later/history.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

#[test]
fn the_first_trial_repeats_the_best_of_the_earlier_study() {
    for from in [
        "s3://studies/small/study_results.csv",
        "s3://studies/small",
        "{study: small}",
        "data/studies/small",
        "./data/studies/small/study_results.csv",
    ] {
        let places = Places::new(from);
        let best = places.best();
        places.validate().ended(0).says("history: ").says(" of 6 trials from ");
        places.run().ended(0).says(" of 6 trials from ");
        let made = places.configurations();
        assert_eq!(made[0].0, "history", "{from}");
        assert_eq!(made[0].1["x"], best, "{from}");
        assert_eq!(made[0].1["k"], 4, "{from}");
        assert!(made[1..].iter().all(|(sampler, _)| sampler == "random"), "{made:?}");
        assert!(places.0.path("data/studies/later/1/metrics.json").is_file());
        let record = places.record();
        let outside = places.0.rows().len() - record["results"].as_array().unwrap().len();
        assert!(outside > 0);
        let note = record["note"].as_str().unwrap();
        assert!(note.contains("outside the space)"), "{note}");
    }
}

#[test]
fn killed_at_any_moment_it_goes_on_the_same_whatever_becomes_of_the_source() {
    let undisturbed = Places::new("{study: small}");
    undisturbed.run().ended(0);
    let expected = undisturbed.configurations();

    let places = Places::new("{study: small}");
    let table = places.0.path("data/studies/small/study_results.csv");
    let slow = format!("sleep 0.05; {QUICK}; sleep 0.05");
    let folder = places.0.path("data/studies/later");
    for moment in [".owner", "history.json", "history.json", "1", "2", "2", "4"] {
        let mut command = places.command(&slow);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        places.0.wait_for(moment, || folder.join(moment).exists());
        child.kill().unwrap();
        child.wait().unwrap();
        // Once it has begun, the source may change and go.
        match moment {
            "1" => fs::write(&table, "Status,x,Objective\nCOMPLETED,0.5,-7\n").unwrap(),
            "2" => drop(fs::remove_file(&table)),
            _ => {}
        }
    }
    let mut command = places.command(&slow);
    Ran::from(&command.output().unwrap()).ended(0);
    assert_eq!(places.configurations(), expected);
    // What is recorded is used when the study goes on later, too.
    let _ = fs::remove_file(&table);
    places.write_later("{study: small}", "  parallelism: 2\n");
    let text = fs::read_to_string(places.0.path("later.yaml")).unwrap();
    fs::write(places.0.path("later.yaml"), text.replace("trials: 5", "trials: 7")).unwrap();
    places.run().ended(0);
    assert_eq!(places.configurations().len(), 7);
    assert_eq!(places.configurations()[..5], expected);
    places.write_later("s3://studies/small", "");
    places.run().ended(2).says("spec.history");
}

#[test]
fn what_cannot_be_read_is_named_before_anything_is_begun() {
    let places = Places::new("{study: none}");
    let refused = |says: &str| {
        places.run().ended(2).says(says);
        assert!(!places.0.path("data/studies/later").exists());
        assert!(!places.0.path("data/.hyperstudy/later").exists());
    };
    refused("spec.history.from[0]: there is no ");
    places
        .validate()
        .ended(0)
        .says("history: not read here: spec.history.from[0]: there is no ");
    fs::write(places.0.path("bad.csv"), "a,b\n1,2\n").unwrap();
    places.write_later("{study: small}, bad.csv", "");
    refused("spec.history.from[1]: bad.csv cannot be used: its line 1 has no column `Objective`");
    places.write_later("{study: later}", "");
    refused("spec.history.from[0]: is this study itself");
    fs::File::create(places.0.path("large.csv"))
        .unwrap()
        .set_len((64 << 20) + 1)
        .unwrap();
    places.write_later("large.csv", "");
    refused("large.csv has more than 64 MiB");
    fs::create_dir(places.0.path("folder")).unwrap();
    places.write_later("folder", "");
    refused("spec.history.from[0]: there is no ");

    // Nothing in it is of use: that is told, and is no error.
    fs::write(
        places.0.path("far.csv"),
        "Status,x,Objective\nCOMPLETED,7,1\nCOMPLETED,0.1\n",
    )
    .unwrap();
    places.write_later("far.csv", "");
    let told = "history: 0 of 2 trials from far.csv (1 lies outside the space, 1 cannot be read); look at line 3";
    places.validate().ended(0).says(told);
    places.run().ended(0).says(told);
    assert_eq!(places.configurations().len(), 5);
    assert!(places.configurations().iter().all(|(sampler, _)| sampler == "random"));
}

#[test]
fn a_folder_that_is_taken_over_keeps_no_old_history() {
    let places = Places::new("{study: small}");
    places.run().ended(0);
    fs::remove_dir_all(places.0.path("data/.hyperstudy/later")).unwrap();
    fs::write(places.0.path("other.csv"), "Status,x,k,Objective\nCOMPLETED,0.25,8,1\n").unwrap();
    places.write_later("other.csv", "  storage: {onConflict: Overwrite}\n");
    places.run().ended(0);
    assert_eq!(places.configurations()[0].1, serde_json::json!({"x": 0.25, "k": 8}));
    assert_eq!(places.record()["results"].as_array().unwrap().len(), 1);
}
