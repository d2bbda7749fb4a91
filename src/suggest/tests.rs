//! Sessions as programs hold them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// The replies to these lines.
fn replies(input: &[u8]) -> Vec<Value> {
    let mut output = Vec::new();
    serve(input, &mut output).unwrap();
    String::from_utf8(output)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn session(lines: &[Value]) -> Vec<Value> {
    let text: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    replies(text.concat().as_bytes())
}

fn study(more: Value) -> Value {
    let mut spec = json!({
        "parameters": [{"name": "x", "double": {"min": 0, "max": 1}}, {"name": "n", "int": {"min": 1, "max": 3}}],
        "algorithm": {"sampler": {"random": {}}, "seed": 7},
    });
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    json!({"op": "study", "spec": spec})
}

fn error(reply: &Value) -> &str {
    reply["error"].as_str().unwrap_or_else(|| panic!("{reply}"))
}

#[test]
fn a_session_as_the_benchmark_holds_it() {
    let replies = session(&[
        study(json!({"objectives": [{"metric": "value", "goal": "Minimize"}], "parallelism": 10})),
        json!({"op": "ask", "n": 2}),
        json!({"op": "tell", "number": 1, "value": 0.5}),
        json!({"op": "tell", "number": 2, "state": "Failed"}),
        json!({"op": "observe", "parameters": {"x": 1, "n": 2}, "value": 3}),
        json!({"op": "ask"}),
    ]);
    let ok = json!({"ok": true});
    assert_eq!(replies.len(), 6);
    assert_eq!(
        (&replies[0], &replies[2], &replies[3], &replies[4]),
        (&ok, &ok, &ok, &ok)
    );
    let numbers: Vec<u64> = [&replies[1], &replies[5]]
        .iter()
        .flat_map(|reply| reply["trials"].as_array().unwrap())
        .map(|trial| trial["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    let parameters = &replies[1]["trials"][0]["parameters"];
    assert!(parameters["x"].is_f64() && parameters["n"].is_i64(), "{parameters}");
    assert_eq!(replies[5].get("state"), None);
}

#[test]
fn says_when_it_is_done() {
    let finite = json!({"parameters": [{"name": "n", "int": {"min": 1, "max": 4}}]});
    let replies = session(&[
        study(finite),
        json!({"op": "observe", "parameters": {"n": 2}, "value": 1}),
        json!({"op": "ask", "n": 9}),
        json!({"op": "ask"}),
        study(json!({"budget": {"trials": 2}})),
        json!({"op": "ask", "n": 3}),
        json!({"op": "ask", "n": 0}),
    ]);
    let tried: HashSet<i64> = replies[2]["trials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["parameters"]["n"].as_i64().unwrap())
        .collect();
    assert_eq!(
        (tried, &replies[2]["state"]),
        (HashSet::from([1, 3, 4]), &json!("done"))
    );
    assert_eq!(replies[3], json!({"trials": [], "state": "done"}));
    assert_eq!(
        (replies[5]["trials"].as_array().unwrap().len(), &replies[5]["state"]),
        (2, &json!("done"))
    );
    assert_eq!(replies[6], json!({"trials": []}));
}

#[test]
fn what_cannot_be_used_is_answered_and_changes_nothing() {
    let replies = session(&[
        json!({"op": "ask"}),
        study(json!({})),
        json!({"op": "ask"}),
        json!({"op": "tell", "number": 2, "value": 1}),
        json!({"op": "tell", "number": 0, "value": 1}),
        json!({"op": "tell", "number": 1}),
        json!({"op": "tell", "number": 1, "value": "good"}),
        json!({"op": "tell", "number": 1, "value": 1, "state": "Great"}),
        json!({"op": "tell", "number": 1, "value": 1, "stat": "Failed"}),
        json!({"op": "tell", "number": 1, "state": "Stopped"}),
        json!({"op": "tell", "number": 1, "value": 1}),
        json!({"op": "observe", "parameters": {"x": 2, "m": 1}, "value": 1}),
        json!({"op": "ask", "n": -1}),
        json!({"op": "ask", "n": 1_000_000}),
        json!({"op": "stop"}),
        json!([1]),
        study(json!({"parameters": [{"name": "x", "double": {"min": 1, "max": 0}}]})),
        json!({"op": "ask"}),
    ]);
    for (reply, message) in [
        (0, "there is no study yet"),
        (3, "there is no trial 2: 1 were asked for"),
        (4, "there is no trial 0"),
        (5, "`value` is missing"),
        (6, "the value \"good\" is no finite number"),
        (7, "Great"),
        (8, "stat"),
        (10, "trial 1 has ended already"),
        (
            11,
            "parameters.m: there is no parameter `m`; parameters.x: 2 is not a number between 0.0 and 1.0; parameters.n: is missing",
        ),
        (12, "-1"),
        (13, "ask for at most 10000"),
        (14, "stop"),
        (15, ""),
        (16, "parameters[0].double"),
    ] {
        assert!(error(&replies[reply]).contains(message), "{reply}: {}", replies[reply]);
    }
    assert_eq!(replies[9], json!({"ok": true}));
    // the study before goes on
    assert_eq!(replies[17]["trials"][0]["number"], json!(2));
}

#[test]
fn unknown_keys_and_wrong_settings_are_named() {
    for (more, message) in [
        (json!({"parameter": []}), "parameter"),
        (json!({"budget": {"trails": 1}}), "budget.trails"),
        (
            json!({"algorithm": {"sampler": {"rnadom": {}}}}),
            "algorithm.sampler.rnadom",
        ),
        (
            json!({"algorithm": {"sampler": {"grid": {}}}}),
            "algorithm.sampler.grid.pointsPerParameter: is missing: `x` has",
        ),
        (
            json!({"history": {"from": ["s3://data/runs/a"]}}),
            "history: is not read here: tell what earlier studies found with `observe`",
        ),
        (
            json!({"algorithm": {"sampler": {}}}),
            "algorithm.sampler: something is missing",
        ),
        (
            json!({"constraints": ["parameters.y > 1"]}),
            "constraints[0]: there is no parameter `y`",
        ),
    ] {
        let replies = session(&[study(more.clone())]);
        assert!(error(&replies[0]).contains(message), "{more}: {}", replies[0]);
    }
    assert!(error(&session(&[json!({"op": "study", "spec": []})])[0]).contains("object"));
}

#[test]
fn bytes_that_are_no_text_and_endless_lines_are_answered() {
    let mut input = b"\xff\xfe\n\nnot json\n{\"op\":\"tell\",\"number\":1,\"value\":NaN}\n".to_vec();
    input.extend(std::iter::repeat_n(b'[', (16 << 20) + 10));
    input.push(b'\n');
    input.extend(format!("{}\n{}", study(json!({})), json!({"op": "ask"})).bytes());
    let replies = replies(&input);
    assert_eq!(replies.len(), 7);
    for reply in &replies[..4] {
        assert!(error(reply).starts_with("the line is no JSON"), "{reply}");
    }
    assert_eq!(error(&replies[4]), "the line is longer than 16 MiB");
    assert_eq!(
        replies[6]["trials"].as_array().unwrap().len(),
        1,
        "the last line needs no end"
    );
}

proptest! {
    /// Every line gets one reply, whatever it holds.
    #[test]
    fn every_line_gets_a_reply(lines in prop::collection::vec(prop_oneof![
        prop::collection::vec(any::<u8>().prop_filter("no line end", |b| *b != b'\n'), 0..40),
        Just(study(json!({})).to_string().into_bytes()),
        Just(b"{\"op\":\"ask\",\"n\":2}".to_vec()),
        (0u32..5, any::<f64>()).prop_map(|(number, value)| json!({"op": "tell", "number": number, "value": value}).to_string().into_bytes()),
        any::<f64>().prop_map(|x| json!({"op": "observe", "parameters": {"x": x, "n": 1}, "value": x}).to_string().into_bytes()),
    ], 0..12)) {
        let input: Vec<u8> = lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
        prop_assert_eq!(replies(&input).len(), lines.len());
    }
}
