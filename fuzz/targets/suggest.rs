//! Any bytes as the input of `hyperstudy suggest`: every line is answered by one line of JSON, and what is proposed is of the space.

use hyperstudy::{
    api::{Parameter, ParameterMap},
    space::Space,
    suggest,
};
use serde_json::Value;

/// How many configurations are asked for: more takes long, and shows nothing else.
const MOST_ASKED: u64 = 40;

/// Longer answers to what is wrong are not for people, whatever was sent.
const LONGEST_ERROR: usize = 32 << 10;

pub fn check(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes
        .strip_suffix(b"\n")
        .unwrap_or(bytes)
        .split(|b| *b == b'\n')
        .collect();
    let lines = if bytes.is_empty() { &[] } else { &*lines };
    let requests: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_slice(line).unwrap_or_default())
        .collect();
    if requests.iter().map(asked).fold(0, u64::saturating_add) > MOST_ASKED {
        return;
    }
    let output = answers(bytes);
    assert!(output == answers(bytes), "twice the same is answered alike");
    let text = str::from_utf8(&output).expect("text");
    assert!(text.is_empty() || text.ends_with('\n'));
    let replies: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(replies.len(), lines.len(), "a reply for each line");

    let (mut space, mut last) = (None, 0);
    for (request, reply) in requests.iter().zip(&replies) {
        let reply = reply.as_object().expect("an object");
        if let Some(error) = reply.get("error") {
            let error = error.as_str().expect("text");
            assert!(
                !error.is_empty() && error.len() < LONGEST_ERROR && !error.contains('\n'),
                "{error}"
            );
            continue;
        }
        match request["op"].as_str() {
            Some("study") => (space, last) = (Some(space_of(&request["spec"])), 0),
            Some("ask") => {
                let trials = reply["trials"].as_array().expect("a list");
                let wanted = asked(request) as usize;
                let state = reply.get("state").and_then(Value::as_str);
                assert!(trials.len() == wanted || (trials.len() < wanted && matches!(state, Some("wait" | "done"))));
                for trial in trials {
                    last += 1;
                    assert_eq!(trial["number"], last);
                    let parameters = serde_json::from_value(trial["parameters"].clone()).expect("a configuration");
                    let space = space.as_ref().expect("a study");
                    assert!(is_of(space, &parameters), "{parameters:?}");
                }
            }
            Some("observe") => {
                let parameters = serde_json::from_value(request["parameters"].clone()).expect("a configuration");
                assert!(space.as_ref().expect("a study").read(&parameters).is_ok());
            }
            Some("tell") => assert!(request["number"].as_u64().is_some_and(|number| number <= last)),
            other => panic!("{other:?} is answered"),
        }
    }
}

fn answers(input: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    suggest::serve(input, &mut output).expect("memory takes it");
    output
}

/// How many configurations a line asks for; none where it asks for so many that it is refused.
fn asked(request: &Value) -> u64 {
    match (request["op"].as_str(), request.get("n")) {
        (Some("ask"), None) => 1,
        (Some("ask"), Some(n)) => n.as_u64().filter(|n| *n <= 10_000).unwrap_or_default(),
        _ => 0,
    }
}

fn space_of(spec: &Value) -> Space {
    let parameters: Vec<Parameter> = serde_json::from_value(spec["parameters"].clone()).expect("parameters");
    let constraints = spec
        .get("constraints")
        .cloned()
        .unwrap_or_else(|| Value::Array(Vec::new()));
    let constraints: Vec<String> = serde_json::from_value(constraints).expect("constraints");
    Space::compile(&parameters, &constraints).expect("a space")
}

/// Whether a person could have asked for just this configuration.
fn is_of(space: &Space, parameters: &ParameterMap) -> bool {
    let read = space.read(parameters);
    read.is_ok_and(|config| space.write(&config) == *parameters && space.parse(parameters) == Some(config))
}
