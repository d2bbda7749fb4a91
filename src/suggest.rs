//! `hyperstudy suggest`: the samplers for any program, as JSON Lines. Each line is a request, and each gets a reply of one line:
//!
//! | request | reply |
//! |---|---|
//! | `{"op":"study","spec":{"parameters":[...],"algorithm":{...}}}`, the spec of a study; begins a new session | `{"ok":true}` |
//! | `{"op":"ask","n":2}` | `{"trials":[{"number":1,"parameters":{...}},...]}`; where they are fewer, with `"state":"wait"` (for a running trial) or `"done"` (for good) |
//! | `{"op":"tell","number":1,"value":0.3}`, or `"state"` `Failed`, `Stopped` (with or without a value) | `{"ok":true}` |
//! | `{"op":"observe","parameters":{...},"value":0.3}`, what somebody else evaluated | `{"ok":true}` |
//! | anything else | `{"error":"..."}` |
//!
//! Of the spec, `objectives`, `constraints`, `budget` and `parallelism` may be left out: less is better, nothing is ruled out, there is no limit.
//! `budget.trials` limits how many are asked for; `parallelism` is a hint to samplers, and asking for more is no error.

mod lines;
mod session;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Result, Write};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{ParameterMap, sentence};
use lines::{Line, next_line};
use session::Session;

/// The most configurations that one `ask` gives.
const MOST_ASKED: u32 = 10_000;

/// What a line asks for.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Study {
        spec: Value,
    },
    Ask {
        #[serde(default = "one")]
        n: u32,
    },
    Tell {
        number: u32,
        #[serde(default)]
        value: Value,
        #[serde(default)]
        state: State,
    },
    Observe {
        parameters: ParameterMap,
        #[serde(default)]
        value: Value,
        #[serde(default)]
        state: State,
    },
}

fn one() -> u32 {
    1
}

/// How a trial ended.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
enum State {
    #[default]
    Succeeded,
    Failed,
    Stopped,
}

/// Answers every line of `input` on `output`, flushed, until the input ends.
///
/// # Errors
/// Those of reading and writing; whatever a line holds is answered.
pub fn serve(mut input: impl BufRead, mut output: impl Write) -> Result<()> {
    let mut session = None;
    loop {
        let reply = match next_line(&mut input)? {
            Line::End => return Ok(()),
            Line::TooLong => Err(format!("the line is longer than {} MiB", lines::LONGEST >> 20)),
            Line::Text(line) => answer(&line, &mut session),
        };
        let reply = reply.unwrap_or_else(|message| json!({ "error": message }));
        writeln!(output, "{reply}")?;
        output.flush()?;
    }
}

/// The reply to one line, or what is wrong with it.
fn answer(line: &[u8], session: &mut Option<Session>) -> std::result::Result<Value, String> {
    let request: Value = serde_json::from_slice(line).map_err(|error| format!("the line is no JSON: {error}"))?;
    let request: Request =
        serde_json::from_value(request).map_err(|error| sentence(&error.to_string()).into_owned())?;
    if let Request::Study { spec } = request {
        *session = Some(Session::new(spec)?);
        return Ok(json!({ "ok": true }));
    }
    let session = session
        .as_mut()
        .ok_or("there is no study yet: send {\"op\":\"study\",\"spec\":{...}} first")?;
    match request {
        Request::Ask { n } if n > MOST_ASKED => Err(format!("ask for at most {MOST_ASKED} at a time")),
        Request::Ask { n } => Ok(session.ask(n)),
        Request::Tell { number, value, state } => session.tell(number, outcome(&value, state)?),
        Request::Observe {
            parameters,
            value,
            state,
        } => session.observe(&parameters, outcome(&value, state)?),
        Request::Study { .. } => Ok(json!({ "ok": true })),
    }
}

/// The objective's value that a trial ended with, if any.
fn outcome(value: &Value, state: State) -> std::result::Result<Option<f64>, String> {
    match (state, value.as_f64().filter(|value| value.is_finite())) {
        (State::Failed, _) => Ok(None),
        (_, Some(value)) => Ok(Some(value)),
        (State::Stopped, None) if value.is_null() => Ok(None),
        (_, None) if value.is_null() => Err("`value` is missing: give a number, or \"state\":\"Failed\"".to_owned()),
        (_, None) => Err(format!(
            "the value {} is no finite number: give one, or \"state\":\"Failed\"",
            sentence(&value.to_string())
        )),
    }
}
