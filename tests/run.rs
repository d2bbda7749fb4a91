//! `hyperstudy run`, as a person uses it: the program itself in a folder of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// A command that takes a moment and reports `x`.
const QUICK: &str = r#"echo "{\"loss\": "${parameters.x}} > ${trial.outputDir}/metrics.json"#;

#[path = "run/faults.rs"]
mod faults;
#[path = "run/history.rs"]
mod history;

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// A folder with a study of one parameter in it, `more` being further fields of its spec.
    fn new(more: &str) -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        place.write_study(more);
        place
    }

    fn write_study(&self, more: &str) {
        let trials = if more.contains("budget:") {
            ""
        } else {
            "  budget: {trials: 6}\n"
        };
        let study = format!(
            "apiVersion: hyperstudy.dev/v1alpha1\nkind: HyperparameterStudy\nmetadata: {{name: small}}\nspec:\n  \
             objectives: [{{metric: loss, goal: Minimize}}]\n  parameters: [{{name: x, double: {{min: 0, max: 1}}}}]\n  \
             algorithm: {{sampler: {{random: {{}}}}, seed: 3}}\n{trials}{more}"
        );
        fs::write(self.path("study.yaml"), study).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, exec: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hyperstudy"));
        command
            .args(["run", "study.yaml", "--data", "data", "--exec", exec])
            .current_dir(self.dir.path());
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, exec: &str) -> Ran {
        Ran::from(&self.command(exec).output().unwrap())
    }

    fn start(&self, exec: &str) -> Child {
        let mut command = self.command(exec);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The finished trials: each number once, with its row of the table.
    fn rows(&self) -> BTreeMap<u32, String> {
        let csv = fs::read_to_string(self.path("data/studies/small/study_results.csv")).unwrap();
        let mut rows = BTreeMap::new();
        for line in csv.lines().skip(1) {
            let (number, rest) = line.split_once(',').unwrap();
            assert!(
                rows.insert(number.parse().unwrap(), rest.to_owned()).is_none(),
                "trial {number} is there twice"
            );
        }
        rows
    }

    /// The numbered folders that there are.
    fn folders(&self) -> Vec<u32> {
        let entries = fs::read_dir(self.path("data/studies/small")).unwrap();
        let mut numbers: Vec<u32> = entries
            .filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    fn journal(&self) -> PathBuf {
        self.path("data/.hyperstudy/small/journal.jsonl")
    }

    fn wait_for(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The processes of attempts that belong to the study here.
    fn processes(&self) -> usize {
        let journal = fs::read_to_string(self.journal()).unwrap();
        let uid = journal.split("\"uid\":\"").nth(1).unwrap().split('"').next().unwrap();
        let mark = format!("HYPERSTUDY_ATTEMPT={uid}.");
        let of = |entry: fs::DirEntry| fs::read(entry.path().join("environ")).ok();
        let all = fs::read_dir("/proc").unwrap().filter_map(|e| of(e.ok()?));
        all.filter(|environment| environment.split(|b| *b == 0).any(|v| v.starts_with(mark.as_bytes())))
            .count()
    }
}

#[derive(Debug)]
struct Ran {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn from(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            status: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    #[track_caller]
    fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(
            self.out.contains(text) || self.err.contains(text),
            "not said: {text}\n{self:#?}"
        );
        self
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn finish(child: Child) -> Ran {
    Ran::from(&child.wait_with_output().unwrap())
}

#[test]
fn a_study_runs_to_its_end_and_the_same_command_says_so_again() {
    let place = Place::new("  parallelism: 2\n");
    let first = place.run(QUICK).ended(0).says("study_results.csv").says("report.html");
    assert_eq!(place.rows().len(), 6);
    assert_eq!(place.folders(), [1, 2, 3, 4, 5, 6]);
    for name in ["best_result.json", "study_config.json", "report.html", ".owner"] {
        assert!(place.path("data/studies/small").join(name).is_file(), "{name}");
    }
    let journal = fs::read(place.journal()).unwrap();
    let again = place.run("exit 1").ended(0);
    assert_eq!(again.out, first.out);
    assert_eq!(fs::read(place.journal()).unwrap(), journal);

    place.write_study("  parallelism: 2\n  budget: {trials: 8}\n");
    place.run(QUICK).ended(0);
    assert_eq!(place.rows().len(), 8);
    place.write_study("  parallelism: 2\n  budget: {trials: 8}\n  constraints: ['parameters.x > 0.1']\n");
    place.run(QUICK).ended(2).says("spec");
    assert_eq!(place.rows().len(), 8);
}

#[test]
fn a_trial_finds_its_configuration_in_its_environment() {
    let place = Place::new("  budget: {trials: 1}\n");
    let script = r#"test -n "$AWS_ENDPOINT_URL" && test "$HYPERSTUDY_TRIAL" = 1 && test "$HYPERSTUDY_OUTPUT_PATH" = s3://studies/small/1 &&
        test -z "$AWS_PROFILE" && echo "$HYPERSTUDY_PARAMETERS" | grep -q '"x":' && echo "{\"loss\": $HYPERSTUDY_PARAM_x}" > "$HYPERSTUDY_OUTPUT_DIR/metrics.json""#;
    let mut command = place.command(script);
    let output = command.env("AWS_PROFILE", "misleading").output().unwrap();
    Ran::from(&output).ended(0);
}

#[test]
fn killed_at_any_moment_it_goes_on_as_if_nothing_had_happened() {
    let slow = format!("sleep 0.03; {QUICK}; sleep 0.03");
    let more = "  budget: {trials: 12}\n";
    let undisturbed = Place::new(more);
    undisturbed.run(&slow).ended(0);
    let rows = undisturbed.rows();
    assert_eq!(rows.len(), 12);

    let place = Place::new(more);
    let mut kills = 0;
    // Fixed, but of no pattern with the length of a trial.
    for pause in [31_u64, 170, 97, 263, 142, 58, 201, 115, 333, 77, 180, 240, 290]
        .iter()
        .cycle()
        .take(60)
    {
        let mut child = place.start(&slow);
        std::thread::sleep(Duration::from_millis(*pause));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    place.run(&slow).ended(0);
    assert!(kills > 3, "{kills}");
    assert_eq!(place.rows(), rows);
    assert_eq!(place.processes(), 0);
}

#[test]
fn what_a_killed_run_left_behind_is_ended_before_it_goes_on() {
    let place = Place::new("  budget: {trials: 1}\n");
    let log = place.path("starts");
    let exec = format!(
        "echo start >> {}; test -e {} || sleep 600; {QUICK}",
        log.display(),
        place.path("go").display()
    );
    let mut child = place.start(&exec);
    place.wait_for("the first trial", || log.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(place.processes() > 0);
    fs::write(place.path("go"), "").unwrap();
    place.run(&exec).ended(0);
    assert_eq!(place.processes(), 0);
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 2);
    assert_eq!(place.rows().len(), 1);
}

#[test]
fn a_torn_last_line_is_forgotten_and_a_broken_one_in_the_middle_is_named() {
    let place = Place::new("");
    place.run(QUICK).ended(0);
    let rows = place.rows();
    let journal = fs::read_to_string(place.journal()).unwrap();
    let lines: Vec<&str> = journal.lines().collect();
    let end = lines.iter().position(|l| l.contains("\"number\":4")).unwrap();
    fs::write(
        place.journal(),
        format!("{}\n{}", lines[..end].join("\n"), &lines[end][..10]),
    )
    .unwrap();
    place.run(QUICK).ended(0);
    assert_eq!(place.rows(), rows);

    let mut broken = lines.clone();
    broken[2] = "{\"trial\":{\"number\":";
    fs::write(place.journal(), broken.join("\n")).unwrap();
    place
        .run(QUICK)
        .ended(1)
        .says("line 3 of the journal")
        .says("journal.jsonl");
}

#[test]
fn two_runs_in_one_folder_are_one_too_many() {
    let place = Place::new("  budget: {trials: 1}\n");
    let log = place.path("started");
    let child = place.start(&format!("echo > {}; sleep 600", log.display()));
    place.wait_for("the first trial", || log.exists());
    place
        .run(QUICK)
        .ended(2)
        .says("in use")
        .says(&format!("process {}", child.id()));
    send(&child, Signal::TERM);
    // Two at once would be one.
    std::thread::sleep(Duration::from_millis(200));
    send(&child, Signal::TERM);
    let start = Instant::now();
    place.wait_for("the end", || {
        place.processes() == 0 || start.elapsed() > Duration::from_secs(20)
    });
    finish(child).ended(130);
}

#[test]
fn one_interrupt_lets_what_runs_finish_and_two_end_it() {
    let place = Place::new("  parallelism: 2\n");
    let exec = format!("echo >> started; while ! test -e go; do sleep 0.02; done; {QUICK}");
    let started = || fs::read_to_string(place.path("started")).is_ok_and(|t| t.len() >= 2);
    let child = place.start(&exec);
    place.wait_for("two trials", started);
    send(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(200));
    fs::write(place.path("go"), "").unwrap();
    finish(child)
        .ended(130)
        .says("2 running trials finish")
        .says("The same command goes on");
    assert_eq!(place.rows().len(), 2);

    fs::remove_file(place.path("go")).unwrap();
    fs::remove_file(place.path("started")).unwrap();
    let child = place.start(&exec);
    place.wait_for("two more", started);
    send(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(100));
    send(&child, Signal::INT);
    finish(child).ended(130).says("Ending what runs");
    assert_eq!(place.processes(), 0);

    fs::write(place.path("go"), "").unwrap();
    place.run(&exec).ended(0);
    assert_eq!(place.rows().into_keys().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_trial_that_takes_too_long_fails_and_is_gone() {
    let place = Place::new("  budget: {trials: 2, failedTrials: 1}\n  trial: {timeout: 300ms}\n");
    place
        .run("echo waiting; sleep 600")
        .ended(1)
        .says("ran longer than trial.timeout, 0.3s: waiting")
        .says("small-1-1.log");
    assert_eq!(place.processes(), 0);
}

#[test]
fn a_failed_trial_is_tried_again_as_often_as_allowed() {
    let place = Place::new("  budget: {trials: 2}\n  retries: {limit: 2}\n");
    let exec =
        format!("echo x >> tries-$HYPERSTUDY_TRIAL; test $(wc -l < tries-$HYPERSTUDY_TRIAL) -ge 3 || exit 7; {QUICK}");
    place.run(&exec).ended(0).says("exit code 7");
    assert_eq!(fs::read_to_string(place.path("tries-1")).unwrap().lines().count(), 3);

    let place = Place::new("  budget: {trials: 2}\n  retries: {limit: 1}\n");
    place
        .run("echo x >> tries; echo the reason >&2; exit 7")
        .ended(1)
        .says("exit code 7: the reason");
    assert_eq!(fs::read_to_string(place.path("tries")).unwrap().lines().count(), 4);
    assert!(place.rows().values().all(|row| row.starts_with("FAILED")));
}

#[test]
fn strategies_keep_what_they_say() {
    let best = |place: &Place| {
        let text = fs::read_to_string(place.path("data/studies/small/best_result.json")).unwrap();
        let number = text
            .split("\"Trial-ID\"")
            .nth(1)
            .unwrap()
            .trim_start_matches([':', ' ']);
        number
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    let run = |storage: &str| {
        let place = Place::new(&format!(
            "  budget: {{trials: 11}}\n  parallelism: 2\n  storage: {{{storage}}}\n"
        ));
        place.run(QUICK).ended(0);
        place
    };
    assert_eq!(run("strategy: Keep").folders(), (1..=11).collect::<Vec<_>>());
    assert_eq!(run("strategy: Delete").folders(), [0; 0]);
    let place = run("strategy: Best");
    assert_eq!(place.folders(), [best(&place)]);
    let place = run("strategy: Best, keepTop: 3");
    let mut ranked: Vec<(f64, u32)> = place
        .rows()
        .into_iter()
        .map(|(n, row)| (row.split(',').nth(2).unwrap().parse().unwrap(), n))
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut kept: Vec<u32> = ranked.iter().take(3).map(|r| r.1).collect();
    kept.sort_unstable();
    assert_eq!(place.folders(), kept);
}

#[test]
fn folder_10_survives_the_deletion_of_folder_1() {
    let place = Place::new("  budget: {trials: 10}\n  storage: {strategy: Best}\n");
    place
        .run(r#"echo "{\"loss\": "${10 - trial.number}} > ${trial.outputDir}/metrics.json"#)
        .ended(0);
    assert_eq!(place.folders(), [10]);
}

#[test]
fn a_command_that_does_not_exist_is_named_and_not_tried_again() {
    let place = Place::new("  budget: {trials: 5, failedTrials: 2}\n  retries: {limit: 5}\n");
    place
        .run("cd . && no-such-trainer --lr 1")
        .ended(1)
        .says("no-such-trainer")
        .says("exit code 127")
        .says("The study failed");
    assert_eq!(place.rows().len(), 2);
}

#[test]
fn a_command_that_does_not_exist_is_a_bad_request_where_that_can_be_seen() {
    let place = Place::new("");
    place
        .run("no-such-trainer --lr 1")
        .ended(2)
        .says("--exec: there is no command `no-such-trainer` here");
    assert!(!place.path("data").exists());
}

#[test]
fn a_wrong_metrics_file_fails_its_trial_and_no_other() {
    let place = Place::new("  budget: {trials: 4}\n  retries: {limit: 3}\n");
    let exec = format!(
        "case $HYPERSTUDY_TRIAL in 1) ;; 2) echo nonsense > ${{trial.outputDir}}/metrics.json ;; 3) echo '{{\"loss\": NaN}}' > ${{trial.outputDir}}/metrics.json ;; *) {QUICK} ;; esac"
    );
    place
        .run(&exec)
        .ended(0)
        .says("no metrics file")
        .says("not JSON")
        .says("3 of 4 trials failed");
    let phases: Vec<String> = place
        .rows()
        .values()
        .map(|row| row.split(',').next().unwrap().to_owned())
        .collect();
    assert_eq!(phases, ["FAILED", "FAILED", "FAILED", "COMPLETED"]);
}

#[test]
fn a_bad_request_leaves_nothing_behind() {
    let place = Place::new("  budgett: {trials: 3}\n");
    place.run(QUICK).ended(2).says("budgett").says("budget");
    fs::write(place.path("study.yaml"), "a: [1\nb: 2").unwrap();
    place.run(QUICK).ended(2).says("study.yaml:2:");
    fs::remove_file(place.path("study.yaml")).unwrap();
    place.run(QUICK).ended(2).says("cannot read study.yaml");
    assert!(!place.path("data").exists());
}

#[test]
fn a_folder_that_is_not_the_studys_stays_as_it_is() {
    let place = Place::new("");
    fs::create_dir_all(place.path("data/studies/small")).unwrap();
    fs::write(place.path("data/studies/small/mine.txt"), "x").unwrap();
    place.run(QUICK).ended(2).says("not empty").says("onConflict");
    let names = |path: &str| fs::read_dir(place.path(path)).unwrap().count();
    assert_eq!(names("data/studies/small"), 1);
    assert!(!place.path("data/.hyperstudy/small").exists());
}

#[test]
fn a_data_folder_that_is_none_is_a_bad_request() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let place = Place::new("");
    fs::write(place.path("data"), "mine").unwrap();
    place.run(QUICK).ended(2).says("data: this is no folder");
    assert_eq!(fs::read_to_string(place.path("data")).unwrap(), "mine");
    fs::remove_file(place.path("data")).unwrap();
    symlink("nowhere", place.path("data")).unwrap();
    place.run(QUICK).ended(2).says("data: this is no folder");
    fs::remove_file(place.path("data")).unwrap();
    fs::create_dir_all(place.path("data")).unwrap();
    fs::create_dir_all(place.path("elsewhere")).unwrap();
    symlink("../elsewhere", place.path("data/studies")).unwrap();
    let said = "data/studies has to be a folder, and no link to one, for it is the bucket `studies`";
    place.run(QUICK).ended(2).says(said);
    assert!(!place.path("data/.hyperstudy").exists());
    let name = std::ffi::OsStr::from_bytes(b"d\xff");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hyperstudy"));
    command.args(["run", "study.yaml", "--exec", QUICK, "--data"]).arg(name);
    Ran::from(&command.current_dir(place.dir.path()).output().unwrap())
        .ended(2)
        .says("is not UTF-8");
    assert!(!place.dir.path().join(name).exists());
}

#[test]
fn what_a_link_in_the_place_of_a_trials_folder_leads_to_stays() {
    for more in ["  storage: {strategy: Delete}\n", "  retries: {limit: 1}\n"] {
        let place = Place::new(&format!("  budget: {{trials: 2}}\n{more}"));
        fs::create_dir(place.path("precious")).unwrap();
        fs::write(place.path("precious/model"), "x").unwrap();
        let exec = format!(
            "rmdir ${{trial.outputDir}}; ln -s $PWD/precious ${{trial.outputDir}}; {QUICK}; test ${{trial.attempt}} = 2 || {}",
            if more.contains("retries") { "exit 1" } else { "true" }
        );
        place.run(&exec).ended(0);
        assert_eq!(fs::read_to_string(place.path("precious/model")).unwrap(), "x");
        assert_eq!(place.folders().is_empty(), more.contains("Delete"));
        // The second attempt finds a folder of its own, though the first has left a file in its place.
        let place = Place::new("  budget: {trials: 1}\n  retries: {limit: 1}\n");
        let exec = format!(
            "if test ${{trial.attempt}} = 1; then rmdir ${{trial.outputDir}}; echo > ${{trial.outputDir}}; exit 1; fi; {QUICK}"
        );
        place.run(&exec).ended(0);
    }
}

#[test]
fn folders_too_deep_for_a_path_are_no_obstacle() {
    let place = Place::new("  budget: {trials: 2}\n  storage: {strategy: Delete}\n");
    let deep = "i=0; cd ${trial.outputDir}; while test $i -lt 300; do d=a-folder-with-a-rather-long-name; mkdir $d; cd -P $d; i=$((i+1)); done; echo >file";
    place.run(&format!("{QUICK}; {deep}")).ended(0);
    assert!(place.folders().is_empty());
}

#[test]
fn validate_says_what_would_end_a_study_before_it_begins() {
    let place = Place::new("  constraints: ['parameters.x > 0.99999999']\n");
    let validate = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hyperstudy"));
        command.args(["validate", "study.yaml"]).current_dir(place.dir.path());
        Ran::from(&command.output().unwrap())
    };
    validate().ended(2).says("spec.constraints: they hold for so few");
    place.write_study("");
    validate().ended(0);
    let text = fs::read_to_string(place.path("study.yaml")).unwrap();
    let request = "apiVersion: hyperstudy.dev/v1alpha1\nkind: HyperparameterTrial\nmetadata: {name: mine}\n\
                   spec: {studyRef: {name: small}, parameters: {x: 7}}\n";
    fs::write(place.path("study.yaml"), format!("{text}---\n{request}")).unwrap();
    validate().ended(2).says("request mine: spec.parameters.x: 7");
}

#[test]
fn a_value_that_a_template_does_not_allow_is_said_once() {
    let place = Place::new("");
    let template = "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: t}\nspec:\n  \
                    entrypoint: fit\n  templates: [{name: fit, inputs: {parameters: [{name: x, enum: ['1', '2']}]}, \
                    container: {image: i, command: [echo]}}]\n";
    fs::write(place.path("t.yaml"), template).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hyperstudy"));
    command.args(["run", "study.yaml", "--template", "t.yaml", "--data", "data"]);
    let ran = Ran::from(&command.current_dir(place.dir.path()).output().unwrap());
    let ran = ran.ended(2).says("arguments.parameters.x: ").says("`1`, `2`");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    assert!(!place.path("data").exists());
}

#[test]
fn a_study_that_failed_says_what_a_trial_failed_of() {
    let place = Place::new("  budget: {trials: 9, failedTrials: 1}\n  parallelism: 2\n");
    place
        .run("test ${trial.number} = 1 || exec sleep 60; sleep 0.3; echo the cause; exit 3")
        .ended(1)
        .says("trial 1: exit code 3: the cause");
}

#[test]
fn requests_in_the_file_come_first_and_each_once() {
    let place = Place::new("  budget: {trials: 4}\n");
    let mut text = fs::read_to_string(place.path("study.yaml")).unwrap();
    for x in ["0.125", "7", "0.25"] {
        text.push_str(&format!(
            "---\napiVersion: hyperstudy.dev/v1alpha1\nkind: HyperparameterTrial\nmetadata: {{generateName: wish-}}\nspec:\n  studyRef: {{name: small}}\n  parameters: {{x: {x}}}\n"
        ));
    }
    fs::write(place.path("study.yaml"), text).unwrap();
    place.run(QUICK).ended(0).says("request wish-2 cannot be run");
    let values: Vec<String> = place
        .rows()
        .values()
        .take(2)
        .map(|row| row.split(',').nth(2).unwrap().to_owned())
        .collect();
    assert_eq!(values, ["0.125", "0.25"]);
    let again = place.run(QUICK).ended(0);
    assert!(!again.err.contains("wish"), "{again:?}");
    assert_eq!(place.rows().len(), 4);
}

#[test]
fn a_file_that_may_not_grow_ends_the_run_and_nothing_is_half_written() {
    let place = Place::new("  budget: {trials: 400}\n  parallelism: 2\n  storage: {strategy: Delete}\n");
    // In blocks of 512 bytes: too little for the report, and for the journal of so many trials.
    let limited = place.command(QUICK);
    let args: Vec<&str> = limited.get_args().map(|a| a.to_str().unwrap()).collect();
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg("ulimit -f 64; exec \"$0\" \"$@\"")
        .arg(limited.get_program())
        .args(args);
    let ran = Ran::from(
        &shell
            .current_dir(place.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap(),
    );
    let ran = ran
        .ended(1)
        .says("cannot write to the journal")
        .says("may not grow further");
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    assert_eq!(place.processes(), 0);
    assert!(fs::read(place.journal()).unwrap().ends_with(b"\n"));
    place.run(QUICK).ended(0);
    assert_eq!(place.rows().len(), 400);
}

#[test]
fn a_full_disk_ends_the_run_and_room_lets_it_go_on() {
    let place = Place::new("  budget: {trials: 40}\n");
    let data = place.path("data");
    let Some(_mounted) = mounted(&data, "12m") else { return };
    let exec = format!("head -c 1500000 /dev/zero > ${{trial.outputDir}}/model || true; {QUICK}");
    let ran = place.run(&exec).ended(1);
    assert!(ran.err.contains("full") || ran.err.contains("No space"), "{ran:?}");
    assert_eq!(place.processes(), 0);
    assert!(fs::read(place.journal()).unwrap().ends_with(b"\n"));
    let more = Command::new("mount")
        .args(["-o", "remount,size=200m"])
        .arg(&data)
        .status()
        .unwrap();
    assert!(more.success());
    place.run(&exec).ended(0);
    // A trial that failed for want of room was none of its own fault.
    let undisturbed = Place::new("  budget: {trials: 40}\n");
    undisturbed.run(QUICK).ended(0);
    assert_eq!(place.rows(), undisturbed.rows());
}

/// Makes the folder, and mounts a file system of that size there; `None` where that cannot be done.
fn mounted<'a>(folder: &'a Path, size: &str) -> Option<Unmount<'a>> {
    fs::create_dir(folder).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={size}"), "full-disk-test"])
        .arg(folder)
        .output();
    if !mounted.is_ok_and(|m| m.status.success()) {
        eprintln!("left out: no file system can be mounted here, which needs root");
        return None;
    }
    Some(Unmount(folder))
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}
