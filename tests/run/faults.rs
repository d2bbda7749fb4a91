//! Killed at every write of the journal and at random moments, with a torn journal, on a full disk, beside another run: nothing is lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::{
        fs::{FileExt, MetadataExt},
        process::ExitStatusExt,
    },
    sync::OnceLock,
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::*;

/// Two folders are kept, so that others go on the way; a failed attempt is tried again once.
const SPEC: &str = "  retries: {limit: 1}\n  storage: {strategy: Best, keepTop: 2}\n";

/// A command that writes down each of its attempts and reports `x`. Every attempt of trial 3 fails.
fn noted() -> String {
    format!("echo ${{trial.number}} ${{trial.attempt}} >> ran; test ${{trial.number}} != 3 || exit 1; {QUICK}")
}

/// What came out, but for times and the study's UID.
#[derive(Debug, PartialEq)]
struct Outcome {
    table: String,
    best: Value,
    spec: Value,
    folders: Vec<u32>,
    phase: Value,
    conditions: Vec<(String, String, String)>,
}

impl Place {
    /// The lines of the journal; it ends with a whole one.
    fn entries(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.journal()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "torn: {text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn outcome(&self) -> Outcome {
        let json = |name: &str| -> Value {
            let text = fs::read(self.path("data/studies/small").join(name)).unwrap();
            serde_json::from_slice(&text).unwrap()
        };
        let entries = self.entries();
        let status = entries.iter().rev().find_map(|e| e.get("studyStatus")).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let conditions = status["conditions"].as_array().unwrap().iter();
        let conditions = conditions.map(|c| (text(&c["type"]), text(&c["status"]), text(&c["reason"])));
        let table = fs::read_to_string(self.path("data/studies/small/study_results.csv")).unwrap();
        Outcome {
            table,
            best: json("best_result.json"),
            spec: json("study_config.json")["spec"].take(),
            folders: self.folders(),
            phase: status["phase"].clone(),
            conditions: conditions.collect(),
        }
    }

    /// How often each attempt was begun, as the commands wrote it down.
    fn begun(&self) -> BTreeMap<(u32, u32), u32> {
        let text = fs::read_to_string(self.path("ran")).unwrap_or_default();
        let mut begun = BTreeMap::new();
        for line in text.lines() {
            let (number, attempt) = line.split_once(' ').unwrap();
            *begun
                .entry((number.parse().unwrap(), attempt.parse().unwrap()))
                .or_default() += 1;
        }
        begun
    }

    /// The trials whose end is recorded.
    fn finished(&self) -> BTreeSet<u32> {
        let end = |entry: &Value| {
            let status = entry.get("status")?;
            let phase = status["status"]["phase"].as_str()?;
            ["Succeeded", "Failed"].contains(&phase).then(|| {
                let number = status["number"].as_u64().unwrap();
                u32::try_from(number).unwrap()
            })
        };
        self.entries().iter().filter_map(end).collect()
    }

    /// Nothing is there that the study does not need.
    fn is_tidy(&self) {
        assert_eq!(self.processes(), 0);
        let names = |path: &str| -> BTreeSet<String> {
            let entries = fs::read_dir(self.path(path)).unwrap();
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
        };
        let others = names("data").into_iter().filter(|name| name != "inputs");
        assert_eq!(others.collect::<Vec<_>>(), [".hyperstudy", "studies"]);
        let own = ["journal.jsonl", "logs", "scratch"].map(str::to_owned);
        assert_eq!(names("data/.hyperstudy/small"), own.into());
        assert!(names("data/.hyperstudy/small/scratch").is_empty());
    }

    /// Leaves so many lines of the journal, with a `torn` one without its second half.
    fn cut(&self, lines: usize, torn: usize) {
        let text = fs::read_to_string(self.journal()).unwrap();
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let end = |lines: usize| lines.checked_sub(1).map_or(0, |last| ends[last]);
        let whole = end(lines.saturating_sub(torn));
        let kept = if torn == 0 { whole } else { whole.midpoint(end(lines)) };
        fs::write(self.journal(), &text[..kept]).unwrap();
    }

    /// Goes on to the end, with an outcome like an undisturbed run's.
    #[track_caller]
    fn ends_alike(&self, exec: &str, expected: &Outcome, what: &str) {
        let ran = self.run(exec);
        assert_eq!(ran.status, Some(0), "{what}: {ran:#?}");
        assert_eq!(self.outcome(), *expected, "{what}");
        self.is_tidy();
    }

    /// The same. What was over stays so, and no attempt runs a second time.
    #[track_caller]
    fn goes_on(&self, exec: &str, expected: &Outcome, what: &str) {
        let (over, before) = (self.finished(), self.begun());
        self.ends_alike(exec, expected, what);
        for ((number, attempt), times) in self.begun() {
            assert_eq!(
                times, 1,
                "{what}: attempt {attempt} of trial {number} was begun {times} times"
            );
            let is_new = !before.contains_key(&(number, attempt));
            assert!(
                !is_new || !over.contains(&number),
                "{what}: trial {number} was run again"
            );
        }
    }

    /// A copy of it as it is, without what runs there.
    fn copy(&self) -> Self {
        let copy = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        copy_all(self.dir.path(), copy.dir.path());
        copy
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A journal while it is written. What is new in it is looked at alone, as there is little time from one line to the next.
struct Growing {
    path: PathBuf,
    file: Option<fs::File>,
    length: u64,
    lines: usize,
}

impl Growing {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            length: 0,
            lines: 0,
        }
    }

    /// How many lines it has now; `None` where it is not there yet.
    fn lines(&mut self) -> Option<usize> {
        if self.file.is_none() {
            self.file = fs::File::open(&self.path).ok();
        }
        let file = self.file.as_ref()?;
        let length = file.metadata().unwrap().size();
        if length > self.length {
            let mut new = vec![0; usize::try_from(length - self.length).unwrap()];
            file.read_exact_at(&mut new, self.length).unwrap();
            self.lines += new.iter().filter(|b| **b == b'\n').count();
            self.length = length;
        }
        Some(self.lines)
    }
}

fn lines(path: &Path) -> usize {
    Growing::new(path.to_owned()).lines().unwrap_or_default()
}

/// What became of a run that was to be killed right after a certain write.
enum Killed {
    /// It had written just that.
    There(Place),
    /// It had written more.
    Later(Place),
    /// It had ended before.
    Never,
}

/// Runs in the new `place` until the journal has `count` lines, and kills it at that moment.
fn killed_after(place: Place, exec: &str, count: usize) -> Killed {
    let mut journal = Growing::new(place.journal());
    let mut command = place.command(exec);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Without a pause: the next line may follow at once.
    for look in 1_u32.. {
        if journal.lines().is_some_and(|lines| lines >= count) {
            child.kill().unwrap();
            break;
        }
        if look.is_multiple_of(1000) && child.try_wait().unwrap().is_some() {
            break;
        }
    }
    child.wait().unwrap();
    match journal.lines().unwrap_or_default() {
        found if found == count => Killed::There(place),
        found if found > count => Killed::Later(place),
        _ => Killed::Never,
    }
}

/// How often it is tried to kill a run between two writes, which may follow each other closely.
const TRIES: usize = 3;

/// Whether there is `strace`, and it may be used: with it a run can be killed at a system call.
fn has_strace() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let tried = Command::new("strace").args(["-qq", "-o/dev/null", "true"]).output();
        let found = tried.is_ok_and(|ran| ran.status.success());
        if !found {
            eprintln!("without strace, a run is not always killed where it should be");
        }
        found
    })
}

/// Runs in the new `place`, and kills the run as it begins the system call `nth` of this kind, from 1: with the journal alone, or with any
/// file. Gives whether it got so far.
fn killed_at_call(place: &Place, exec: &str, call: &str, journal_only: bool, nth: usize) -> bool {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o/dev/null"]);
    if journal_only {
        command.arg("-P").arg(place.journal());
    }
    command
        .arg(format!("-etrace={call}"))
        .arg(format!("-einject={call}:signal=KILL:when={nth}"));
    let run = place.command(exec);
    command
        .arg(run.get_program())
        .args(run.get_args())
        .current_dir(place.dir.path());
    let ran = command.stdin(Stdio::null()).output().unwrap();
    match ran.status.signal() {
        Some(9) => true,
        signal => {
            assert_eq!((signal, ran.status.code()), (None, Some(0)), "{ran:?}");
            false
        }
    }
}

/// A run that was killed when its journal had `count` lines, and whether it had no more at that; `None` where it never comes to have more.
fn killed_with(new: impl Fn() -> Place, exec: &str, count: usize) -> Option<(Place, bool)> {
    if has_strace() {
        let place = new();
        // At the write of the next one.
        let is_killed = killed_at_call(&place, exec, "write", true, count + 1);
        assert!(!is_killed || lines(&place.journal()) == count);
        return is_killed.then_some((place, true));
    }
    let mut last = None;
    for _ in 0..TRIES {
        match killed_after(new(), exec, count) {
            Killed::There(place) => return Some((place, true)),
            Killed::Later(place) => last = Some((place, false)),
            Killed::Never => break,
        }
    }
    last
}

/// Kills a run at each write of its journal, until it has no more. Each time two go on: from there, and from the same with the last line
/// torn, as a kill in the middle of its write leaves it.
fn killed_at_every_write(new: impl Fn() -> Place, exec: &str) {
    let undisturbed = new();
    undisturbed.run(exec).ended(0);
    let expected = undisturbed.outcome();
    assert_eq!(undisturbed.finished().len(), 6);

    let mut count = 0;
    while let Some((place, is_right)) = killed_with(&new, exec, count) {
        if !is_right {
            // As if it had been in time; what was done since then is there all the same.
            place.cut(count, 0);
        }
        let torn = place.copy();
        torn.cut(count, 1);
        if is_right {
            place.goes_on(exec, &expected, &format!("killed with {count} lines"));
        } else {
            place.ends_alike(exec, &expected, &format!("cut after line {count}"));
        }
        torn.ends_alike(exec, &expected, &format!("torn in line {count}"));
        count += 1;
    }
    assert!(count > 25, "only {count} writes");
}

#[test]
fn killed_wherever_it_changes_what_files_there_are_it_goes_on() {
    if !has_strace() {
        return;
    }
    let exec = noted();
    let undisturbed = Place::new(SPEC);
    undisturbed.run(&exec).ended(0);
    let expected = undisturbed.outcome();
    for call in ["/^rename", "/^unlink", "/^mkdir", "/^link"] {
        let mut nth = 1;
        loop {
            let place = Place::new(SPEC);
            if !killed_at_call(&place, &exec, call, false, nth) {
                break;
            }
            if place.journal().exists() {
                place.goes_on(&exec, &expected, &format!("killed at {call} {nth}"));
            } else {
                place.ends_alike(&exec, &expected, &format!("killed at {call} {nth}"));
            }
            nth += 1;
        }
        assert!(nth > 1, "there is no {call}");
    }
}

#[test]
fn killed_at_every_write_of_the_journal_it_goes_on() {
    killed_at_every_write(|| Place::new(SPEC), &noted());
}

#[test]
fn killed_at_every_write_with_requests_and_reports_and_two_at_a_time_it_goes_on() {
    let new = || {
        let place = Place::new(&format!("{SPEC}  parallelism: 2\n"));
        let mut text = fs::read_to_string(place.path("study.yaml")).unwrap();
        for x in ["0.125", "7", "0.25"] {
            text.push_str(&format!(
                "---\napiVersion: hyperstudy.dev/v1alpha1\nkind: HyperparameterTrial\nmetadata: {{generateName: wish-}}\n\
                 spec: {{studyRef: {{name: small}}, parameters: {{x: {x}}}}}\n"
            ));
        }
        fs::write(place.path("study.yaml"), text).unwrap();
        place
    };
    let first = r#"echo "{\"loss\": 9}" >> ${trial.outputDir}/metrics.json"#;
    killed_at_every_write(new, &format!("{first}; {}", noted().replace("} > ", "} >> ")));
}

/// A template whose trials fetch an input from S3 and leave two artifacts there.
const TEMPLATE: &str = r#"apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: fit}
spec:
  entrypoint: main
  templates:
  - name: main
    inputs:
      parameters: [{name: x}, {name: output_key}]
      artifacts: [{name: data, path: /tmp/in/data.bin, s3: {bucket: inputs, key: data.bin}}]
    outputs:
      artifacts:
      - {name: model, path: /tmp/out/model, s3: {key: "{{inputs.parameters.output_key}}/model.tgz"}}
      - {name: metrics, path: /tmp/out/metrics.json, archive: {none: {}}, s3: {key: "{{inputs.parameters.output_key}}/metrics.json"}}
    container:
      image: none
      command: [sh, -c]
      args: ['mkdir -p /tmp/out; cp /tmp/in/data.bin /tmp/out/model; sleep 0.02; echo "{\"loss\": {{inputs.parameters.x}}}" > /tmp/out/metrics.json']
"#;

impl Place {
    /// One whose trials run [`TEMPLATE`].
    fn with_template(spec: &str) -> Self {
        let place = Self::new(spec);
        fs::write(place.path("fit.yaml"), TEMPLATE).unwrap();
        fs::create_dir_all(place.path("data/inputs")).unwrap();
        fs::write(place.path("data/inputs/data.bin"), vec![7; 200_000]).unwrap();
        place
    }

    fn template_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hyperstudy"));
        command
            .args(["run", "study.yaml", "--data", "data", "--template", "fit.yaml"])
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Every file in the study's folder.
    fn files(&self) -> BTreeSet<PathBuf> {
        let mut folders = vec![self.path("data/studies/small")];
        let mut files = BTreeSet::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    files.insert(entry.path().strip_prefix(self.dir.path()).unwrap().to_owned());
                }
            }
        }
        files
    }
}

#[test]
fn killed_at_random_moments_with_files_under_way_it_goes_on() {
    let spec = format!("{SPEC}  parallelism: 2\n  budget: {{trials: 60}}\n");
    let undisturbed = Place::with_template(&spec);
    let ran = undisturbed.template_command().output().unwrap();
    Ran::from(&ran).ended(0);

    let place = Place::with_template(&spec);
    let mut dice = ChaCha8Rng::seed_from_u64(6);
    let mut kills = 0;
    while kills < 36 {
        let mut journal = Growing::new(place.journal());
        let before = journal.lines().unwrap_or_default();
        let mut command = place.template_command();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let more = dice.random_range(0..7);
        while journal.lines().is_none_or(|lines| lines < before + more) && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(dice.random_range(0..60)));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills >= 24, "it was over after {kills} kills");
    let ran = place.template_command().output().unwrap();
    Ran::from(&ran).ended(0);
    assert_eq!(place.outcome(), undisturbed.outcome());
    assert_eq!(place.files(), undisturbed.files());
    place.is_tidy();
}

#[test]
fn a_journal_that_is_torn_in_one_of_its_last_two_lines_goes_on() {
    let spec = format!("{SPEC}  budget: {{trials: 4}}\n");
    let exec = noted();
    let undisturbed = Place::new(&spec);
    undisturbed.run(&exec).ended(0);
    let expected = undisturbed.outcome();

    // Killed while the last trial runs.
    let place = Place::new(&spec);
    let waits = format!("test ${{trial.number}} != 4 || sleep 600; {exec}");
    let mut child = place.start(&waits);
    let begun = || fs::read_to_string(place.journal()).is_ok_and(|text| text.contains("small-4-1"));
    place.wait_for("the last trial", begun);
    place.wait_for("its process", || place.processes() > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    let uid = place.entries()[0]["study"]["uid"].as_str().unwrap().to_owned();
    let text = fs::read_to_string(place.journal()).unwrap();
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    // What every single byte gives is seen at the ledger itself: it is its whole lines.
    let last = &ends[ends.len() - 3..];
    let near = |cut: &usize| last.iter().any(|end| cut.abs_diff(*end) <= 2) || cut.is_multiple_of(16);
    let cuts = (last[0]..=text.len()).filter(near);
    // Each of another study, or they would end each other's trials.
    let copies: Vec<(usize, Place)> = cuts.map(|cut| (cut, place.copy())).collect();
    let tear = |cut: usize, copy: &Place| {
        let other = format!("{}{cut:06}", &uid[..30]);
        fs::write(copy.journal(), &text.replace(&uid, &other)[..cut]).unwrap();
        let owner = copy.path("data/studies/small/.owner");
        fs::write(&owner, fs::read_to_string(&owner).unwrap().replace(&uid, &other)).unwrap();
        copy.ends_alike(&exec, &expected, &format!("torn at byte {cut}"));
    };
    std::thread::scope(|scope| {
        for part in copies.chunks(copies.len().div_ceil(2)) {
            scope.spawn(|| part.iter().for_each(|(cut, copy)| tear(*cut, copy)));
        }
    });
    // What the killed run left is ended by whoever goes on with it.
    place.ends_alike(&exec, &expected, "not torn");
}

#[test]
fn wherever_the_disk_becomes_full_room_lets_it_go_on_as_if_nothing_had_happened() {
    let exec = noted();
    let undisturbed = Place::new(SPEC);
    undisturbed.run(&exec).ended(0);
    let expected = undisturbed.outcome();
    // In KiB. The last ones are for a first report, which is large, and not for what replaces it.
    let mut full = 0;
    for free in [0, 4, 8, 12, 16, 24, 48, 100, 1000, 4800, 7000, 12000] {
        let place = Place::new(SPEC);
        let data = place.path("data");
        let Some(_mounted) = mounted(&data, "64m") else { return };
        let filler = data.join("filler");
        let mut file = fs::File::create(&filler).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length - (free << 10)).unwrap();
        drop(file);

        let what = format!("{free} KiB free");
        let ran = place.run(&exec);
        if ran.status != Some(0) {
            full += 1;
            let ran = ran
                .ended(1)
                .says(&data.display().to_string())
                .says("the same command goes on");
            assert!(!ran.err.contains("panicked"), "{what}: {ran:?}");
        }
        place.is_whole(&what);
        fs::remove_file(&filler).unwrap();
        place.ends_alike(&exec, &expected, &what);
    }
    assert!(full > 6, "only {full} runs found the disk full");
}

impl Place {
    /// What is there of the journal and the result files is whole.
    fn is_whole(&self, what: &str) {
        if self.journal().exists() {
            self.entries();
        }
        let read = |name: &str| fs::read_to_string(self.path("data/studies/small").join(name)).ok();
        for name in ["best_result.json", "study_config.json", ".owner"] {
            let text = read(name);
            let is_json = |text: &String| serde_json::from_str::<Value>(text).is_ok();
            assert!(text.as_ref().is_none_or(is_json), "{what}: {name}: {text:?}");
        }
        let table = read("study_results.csv");
        assert!(
            table.as_ref().is_none_or(|text| text.ends_with('\n')),
            "{what}: {table:?}"
        );
        let report = read("report.html");
        assert!(report.is_none_or(|text| text.trim_end().ends_with("</html>")), "{what}");
    }
}

#[test]
fn of_two_runs_that_begin_at_once_one_is_refused_and_told_of_the_other() {
    let place = Place::new("  budget: {trials: 1}\n");
    let waits = format!("test -e go || sleep 600; {}", noted());
    for _ in 0..8 {
        // A run that was killed has left its name.
        let mut both = [place.start(&waits), place.start(&waits)];
        let start = Instant::now();
        let refused = loop {
            let ended = both.iter_mut().position(|run| run.try_wait().unwrap().is_some());
            if let Some(ended) = ended {
                break ended;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "both go on");
            std::thread::sleep(Duration::from_millis(1));
        };
        let [first, second] = both;
        let (refused, mut other) = if refused == 0 { (first, second) } else { (second, first) };
        let said = finish(refused).ended(2).says("in use");
        let holder = format!("process {}", other.id());
        assert!(said.err.contains(&holder), "not {holder}: {said:?}");
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
    fs::write(place.path("go"), "").unwrap();
    place.run(&waits).ended(0);
    assert_eq!(place.rows().len(), 1);
    place.is_tidy();
}

#[test]
fn a_run_that_is_refused_leaves_what_was_there() {
    let place = Place::new("  budget: {trials: 2}\n");
    place.run(QUICK).ended(0);
    let (journal, kept) = (place.journal(), place.journal().with_extension("kept"));
    fs::rename(&journal, &kept).unwrap();
    let said = place.run(QUICK).ended(2).says("its journal is missing");
    assert!(said.err.contains("an earlier study of the same name"), "{said:?}");
    assert!(kept.exists());
    assert_eq!(fs::read_dir(journal.with_file_name("logs")).unwrap().count(), 2);
    assert!(!journal.exists());
    fs::rename(&kept, &journal).unwrap();
    place.run(QUICK).ended(0);
    assert_eq!(place.rows().len(), 2);
}

#[test]
fn a_run_on_a_copy_of_the_data_folder_leaves_the_original_run_alone() {
    let place = Place::new("  budget: {trials: 1}\n");
    place.run(QUICK).ended(0);
    let copy = Place::new("  budget: {trials: 2}\n");
    fs::create_dir(copy.path("data")).unwrap();
    copy_all(&place.path("data"), &copy.path("data"));
    place.write_study("  budget: {trials: 2}\n");
    let mut original = place.start(&format!("touch began; until test -e go; do sleep 0.01; done; {QUICK}"));
    place.wait_for("the original's trial", || place.path("began").exists());
    copy.run(QUICK).ended(0);
    assert_eq!(copy.rows().len(), 2);
    assert!(original.try_wait().unwrap().is_none());
    fs::write(place.path("go"), "").unwrap();
    finish(original).ended(0);
    let rows = place.rows();
    assert!(rows.values().all(|row| row.starts_with("COMPLETED")), "{rows:?}");
    assert_eq!(rows.len(), 2);
}

#[test]
fn what_an_attempt_has_left_running_is_ended_before_the_next_one() {
    let place = Place::new("  budget: {trials: 1}\n  retries: {limit: 1}\n");
    let left = "setsid sh -c 'echo $$ > left; exec sleep 600' & until test -s left; do :; done; exit 1";
    let exec = format!("if ! test -e left; then {left}; fi; ! grep -q sleep /proc/$(cat left)/cmdline && {QUICK}");
    place.run(&exec).ended(0);
    assert!(place.rows()[&1].starts_with("COMPLETED"));
}

#[test]
fn a_metrics_file_that_its_trial_made_unreadable_concerns_no_other_trial() {
    let place = Place::new("  budget: {trials: 3}\n");
    let circle = "ln -s metrics.json ${trial.outputDir}/metrics.json";
    let exec = format!("if test ${{trial.number}} = 1; then {circle}; else {QUICK}; fi");
    place.run(&exec).ended(0).says("the metrics file cannot be read");
    let rows = place.rows();
    assert!(rows[&1].starts_with("FAILED"), "{rows:?}");
    assert_eq!(rows.values().filter(|row| row.starts_with("COMPLETED")).count(), 2);
}

#[test]
fn a_study_may_have_any_name_and_nothing_that_it_says_steers_the_terminal() {
    let place = Place::new("  budget: {trials: 1}\n");
    let study = fs::read_to_string(place.path("study.yaml")).unwrap();
    fs::write(place.path("study.yaml"), study.replace("name: small", "name: lock")).unwrap();
    place.run(QUICK).ended(0);
    let hostile = study.replace(
        "  budget:",
        "  history: {from: [\"/nowhere\\e[31m\\u202Ex\"]}\n  budget:",
    );
    fs::write(place.path("study.yaml"), hostile).unwrap();
    let said = place.run(QUICK).ended(2).says("/nowhere");
    assert!(!said.err.contains(['\u{1b}', '\u{202e}']), "{said:?}");
}
