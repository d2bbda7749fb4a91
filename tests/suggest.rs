//! `hyperstudy suggest`, as another program uses it: lines in and out over pipes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// A running program; a line is answered before the next one is sent.
struct Session {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Session {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hyperstudy"));
        let mut child = command
            .arg("suggest")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn of(spec: &Value) -> Self {
        let mut session = Self::start();
        assert_eq!(session.say(&json!({"op": "study", "spec": spec})), json!({"ok": true}));
        session
    }

    /// The one line that answers `line`.
    fn send(&mut self, line: &[u8]) -> Value {
        let input = self.input.as_mut().unwrap();
        input.write_all(line).unwrap();
        input.write_all(b"\n").unwrap();
        input.flush().unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer:?}"))
    }

    fn say(&mut self, request: &Value) -> Value {
        self.send(request.to_string().as_bytes())
    }

    #[track_caller]
    fn wrong(&mut self, line: &[u8]) -> String {
        let answer = self.send(line);
        let message = answer.get("error").and_then(Value::as_str).map(str::to_owned);
        message.unwrap_or_else(|| panic!("not refused: {} -> {answer}", String::from_utf8_lossy(line)))
    }

    /// The trials of an answer, each with its number and parameters, and its state.
    fn ask(&mut self, n: u32) -> (Vec<(u64, Value)>, Option<String>) {
        let answer = self.say(&json!({"op": "ask", "n": n}));
        let trials = answer["trials"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let trials = trials
            .iter()
            .map(|t| (t["number"].as_u64().unwrap(), t["parameters"].clone()));
        (
            trials.collect(),
            answer.get("state").and_then(Value::as_str).map(str::to_owned),
        )
    }

    /// Ends the input; gives the exit status, and that nothing more was said.
    fn end(mut self) -> Option<i32> {
        drop(self.input.take());
        let mut rest = String::new();
        self.output.read_line(&mut rest).unwrap();
        assert_eq!(rest, "");
        self.child.wait().unwrap().code()
    }
}

fn doubles(sampler: &Value) -> Value {
    json!({
        "parameters": [
            {"name": "lr", "double": {"min": 1e-5, "max": 0.1, "scale": "Log"}},
            {"name": "units", "int": {"min": 8, "max": 64, "step": 8}},
        ],
        "algorithm": {"sampler": sampler, "seed": 11},
    })
}

/// Four configurations.
fn finite() -> Value {
    json!({
        "parameters": [
            {"name": "a", "int": {"min": 1, "max": 2}},
            {"name": "b", "categorical": {"values": ["u", "v"]}},
        ],
        "objectives": [{"metric": "score", "goal": "Maximize"}],
        "algorithm": {"sampler": {"grid": {}}},
        "parallelism": 2,
    })
}

#[test]
fn a_session_goes_on_between_garbage() {
    let mut session = Session::start();
    let early = session.wrong(br#"{"op":"ask","n":1}"#);
    assert!(early.contains("no study yet"), "{early}");
    assert_eq!(
        session.say(&json!({"op": "study", "spec": doubles(&json!({"sobol": {}}))})),
        json!({"ok": true})
    );
    let garbage: [&[u8]; 12] = [
        b"",
        b"nonsense",
        b"{\"op\":\"ask\"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        br#"{"op":"dance"}"#,
        br#"{"op":"ask","n":-1}"#,
        br#"{"op":"ask","n":1,"m":2}"#,
        br#"{"op":"ask","n":4000000000}"#,
        br#"{"op":"study","spec":{"parameters":[{"name":"x","double":{"min":2,"max":1}}],"algorithm":{"sampler":{"random":{}}}}}"#,
    ];
    let mut numbers = Vec::new();
    for line in garbage {
        assert!(!session.wrong(line).contains('\n'));
        let (trials, state) = session.ask(1);
        assert_eq!(state, None);
        numbers.extend(trials.iter().map(|t| t.0));
    }
    assert_eq!(numbers, (1..=12).collect::<Vec<u64>>());
    assert_eq!(session.end(), Some(0));
}

#[test]
fn a_study_that_is_wrong_is_told_all_at_once_with_its_paths() {
    let mut session = Session::start();
    let spec = json!({
        "parameters": [
            {"name": "x", "double": {"min": 2, "max": 1}},
            {"name": "z", "categorical": {"values": ["a", "b"], "weights": [1]}},
        ],
        "algorithm": {"sampler": {"random": {}}},
        "paralelism": 3,
    });
    let message = session.wrong(json!({"op": "study", "spec": spec}).to_string().as_bytes());
    for words in [
        "parameters[0].double: ",
        "parameters[1].categorical.weights: ",
        "`parallelism`",
    ] {
        assert!(message.contains(words), "{message}");
    }
    // A study that is refused takes no other's place.
    assert!(session.wrong(br#"{"op":"ask"}"#).contains("no study yet"));
    assert_eq!(session.end(), Some(0));
}

#[test]
fn a_finite_grid_is_done_after_each_of_its_points() {
    let mut session = Session::of(&finite());
    let (first, state) = session.ask(3);
    assert_eq!((first.len(), state), (3, None));
    let (rest, state) = session.ask(3);
    assert_eq!((rest.len(), state.as_deref()), (1, Some("done")));
    let points: BTreeSet<String> = first.iter().chain(&rest).map(|t| t.1.to_string()).collect();
    assert_eq!(points.len(), 4);
    for (number, value) in [(2, 0.5), (1, 0.25), (4, -1.0), (3, 7.0)] {
        let tell = json!({"op": "tell", "number": number, "value": value});
        assert_eq!(session.say(&tell), json!({"ok": true}));
    }
    let (none, state) = session.ask(1);
    assert!(none.is_empty());
    assert_eq!(state.as_deref(), Some("done"));

    // A new study begins anew.
    assert_eq!(
        session.say(&json!({"op": "study", "spec": finite()})),
        json!({"ok": true})
    );
    assert_eq!(session.ask(3).0, first);
    assert_eq!(session.end(), Some(0));
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    let chain = json!({"chain": [{"sampler": {"sobol": {}}, "trials": 3}, {"sampler": {"random": {}}}]});
    for sampler in [json!({"random": {}}), json!({"sobol": {}}), chain] {
        let all_at_once = Session::of(&doubles(&sampler)).ask(8).0;
        let mut session = Session::of(&doubles(&sampler));
        let one_by_one: Vec<_> = (0..8)
            .flat_map(|i| {
                let trials = session.ask(1).0;
                session.say(&json!({"op": "tell", "number": trials[0].0, "value": f64::from(i)}));
                trials
            })
            .collect();
        assert_eq!(all_at_once, one_by_one, "{sampler}");
        let mut other = doubles(&sampler);
        other["algorithm"]["seed"] = json!(12);
        assert_ne!(Session::of(&other).ask(8).0, all_at_once, "{sampler}");
        for (_, parameters) in &all_at_once {
            let (lr, units) = (
                parameters["lr"].as_f64().unwrap(),
                parameters["units"].as_u64().unwrap(),
            );
            assert!(
                (1e-5..=0.1).contains(&lr) && (8..=64).contains(&units) && units % 8 == 0,
                "{parameters}"
            );
        }
    }
}

#[test]
fn only_what_was_asked_for_is_told_and_each_once() {
    let mut session = Session::of(&doubles(&json!({"random": {}})));
    session.ask(3);
    for (line, words) in [
        (&br#"{"op":"tell","number":4,"value":1}"#[..], "no trial 4"),
        (br#"{"op":"tell","number":0,"value":1}"#, "no trial 0"),
        (br#"{"op":"tell","number":-1,"value":1}"#, "-1"),
        (br#"{"op":"tell","number":1}"#, "`value` is missing"),
        (br#"{"op":"tell","number":1,"value":"low"}"#, "no finite number"),
        (br#"{"op":"tell","number":1,"value":NaN}"#, "no JSON"),
        (br#"{"op":"tell","number":1,"value":1e999}"#, ""),
        (br#"{"op":"tell","number":1,"state":"Lost"}"#, "Lost"),
        (br#"{"op":"tell","value":1}"#, "number"),
    ] {
        let message = session.wrong(line);
        assert!(message.contains(words), "{message}");
    }
    let ok = json!({"ok": true});
    assert_eq!(session.say(&json!({"op": "tell", "number": 1, "value": 0.5})), ok);
    assert_eq!(session.say(&json!({"op": "tell", "number": 2, "state": "Failed"})), ok);
    assert_eq!(
        session.say(&json!({"op": "tell", "number": 3, "state": "Stopped", "value": 2})),
        ok
    );
    for number in 1..=3 {
        let again = json!({"op": "tell", "number": number, "value": 1});
        assert!(session.wrong(again.to_string().as_bytes()).contains("ended already"));
    }
    assert_eq!(session.ask(1).0[0].0, 4);
    assert_eq!(session.end(), Some(0));
}

#[test]
fn what_was_observed_is_not_proposed_again() {
    let mut spec = finite();
    spec["algorithm"] = json!({"sampler": {"random": {}}, "seed": 1});
    let mut session = Session::of(&spec);
    let seen = json!({"a": 1, "b": "v"});
    let observe = json!({"op": "observe", "parameters": seen, "value": 3});
    assert_eq!(session.say(&observe), json!({"ok": true}));
    let (trials, state) = session.ask(10);
    assert_eq!((trials.len(), state.as_deref()), (3, Some("done")));
    assert_eq!(trials.iter().map(|t| t.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(trials.iter().all(|t| t.1 != seen), "{trials:?}");
    for (line, words) in [
        (&br#"{"op":"observe","parameters":{"a":3,"b":"v"},"value":1}"#[..], "a"),
        (br#"{"op":"observe","parameters":{"a":1},"value":1}"#, "b"),
        (br#"{"op":"observe","parameters":{"a":1,"b":"v","c":0},"value":1}"#, "c"),
        (br#"{"op":"observe","parameters":{"a":1,"b":"v"}}"#, "value"),
    ] {
        let message = session.wrong(line);
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(session.end(), Some(0));
}

#[test]
fn the_budget_limits_what_is_asked_for() {
    let mut spec = doubles(&json!({"sobol": {}}));
    spec["budget"] = json!({"trials": 3});
    let mut session = Session::of(&spec);
    let observed = json!({"op": "observe", "parameters": {"lr": 0.01, "units": 8}, "value": 1});
    assert_eq!(session.say(&observed), json!({"ok": true}));
    let (trials, state) = session.ask(2);
    assert_eq!((trials.len(), state), (2, None));
    let (trials, state) = session.ask(2);
    assert_eq!((trials.len(), state.as_deref()), (1, Some("done")));
    assert_eq!(session.ask(1).1.as_deref(), Some("done"));
    assert_eq!(session.end(), Some(0));
}

#[test]
fn a_last_line_without_its_end_is_answered() {
    let mut session = Session::of(&finite());
    let mut input = session.input.take().unwrap();
    input.write_all(br#"{"op":"ask"}"#).unwrap();
    drop(input);
    let mut answer = String::new();
    session.output.read_line(&mut answer).unwrap();
    assert!(answer.contains("\"number\":1"), "{answer}");
    assert_eq!(session.end(), Some(0));
}
