#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use clap::Parser;
use serde_json::{Value, json};
use tracing::{debug, error, info, info_span, warn};

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged on the way.
fn logged(format: LogFormat, level: &str, work: impl FnOnce()) -> String {
    let written = Written::default();
    let writer = written.clone();
    let layer = layer(format, false, move || writer.clone());
    let filter = filter(Some(level), None).unwrap();
    let all = tracing_subscriber::registry().with(layer.with_filter(filter_fn(is_harmless)).with_filter(filter));
    tracing::subscriber::with_default(all, work);
    String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn json_lines_are_flat_and_know_their_study() {
    let text = logged(LogFormat::Json, "info", || {
        let _study = info_span!("study", namespace = "ml", study = "s").entered();
        let _trial = info_span!("trial", trial = 7).entered();
        let problem = io::Error::other("a \"quoted\"\nline");
        warn!(
            attempt = 2_u64,
            fast = true,
            error = &problem as &dyn std::error::Error,
            "it failed: {}",
            1
        );
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    let mut line: Value = serde_json::from_str(&text).unwrap();
    let time = line.as_object_mut().unwrap().remove("time").unwrap();
    assert!(time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    let expected = json!({
        "level": "WARN", "target": module_path!(), "message": "it failed: 1", "namespace": "ml", "study": "s", "trial": 7,
        "attempt": 2, "fast": true, "error": "a \"quoted\"\nline",
    });
    assert_eq!(line, expected);
}

#[test]
fn text_for_people() {
    let text = logged(LogFormat::Text, "info", || {
        let _study = info_span!("study", study = "s").entered();
        info!("begins");
        debug!("unseen");
    });
    assert!(
        text.contains("INFO study{study=\"s\"}: ") && text.ends_with("begins\n"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn no_secrets_at_any_level() {
    for level in ["trace", "trace,kube_client=trace,aws_sigv4=trace,hyper=trace", "debug"] {
        let text = logged(LogFormat::Json, level, || {
            warn!(target: "kube_client::client", "{{\"data\": \"c2VjcmV0\"}}, cannot be read");
            tracing::trace!(target: "aws_sigv4::http_request::sign", "secret");
            debug!(target: "aws_smithy_runtime::client", "secret");
            debug!(target: "hyper::proto", "secret");
            error!(target: "kube_client::client::builder", "failed with status 500");
            warn!(target: "hyper_unrelated", "fine");
        });
        assert!(!text.contains("c2VjcmV0") && !text.contains("\"secret\""), "{text}");
        assert!(text.contains("failed with status 500"), "{text}");
    }
}

#[test]
fn a_level_is_meant_for_the_program() {
    let text = logged(LogFormat::Text, "debug", || {
        debug!(target: "hyperstudy::controller", "ours");
        debug!(target: "reqwest", "theirs");
        info!(target: "reqwest", "news");
    });
    assert!(
        text.contains("ours") && !text.contains("theirs") && text.contains("news"),
        "{text}"
    );
}

#[test]
fn flag_variable_or_info() {
    let of = |flag, variable| filter(flag, variable).map(|f| f.to_string());
    assert_eq!(of(None, None).unwrap(), "info");
    assert_eq!(of(None, Some("")).unwrap(), "info");
    assert_eq!(of(None, Some("warn")).unwrap(), "warn");
    assert_eq!(of(Some("error"), Some("warn")).unwrap(), "error");
    assert!(
        of(Some("warn,hyperstudy=debug"), None)
            .unwrap()
            .contains("hyperstudy=debug")
    );
    for wrong in ["loud", "", "hyperstudy=loud", "warn,loud"] {
        let problem = of(Some(wrong), None).unwrap_err();
        assert!(
            problem.starts_with("--log-level `") && problem.contains("debug"),
            "{problem}"
        );
    }
    assert!(of(None, Some("loud")).unwrap_err().starts_with("RUST_LOG `loud`"));
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    log: LogArgs,
}

#[test]
fn flags() {
    let usual = Command::try_parse_from(["c"]).unwrap().log;
    assert_eq!((usual.log_format, usual.log_level), (LogFormat::Text, None));
    let json = Command::try_parse_from(["c", "--log-format=json", "--log-level=debug"])
        .unwrap()
        .log;
    assert_eq!(
        (json.log_format, json.log_level.as_deref()),
        (LogFormat::Json, Some("debug"))
    );
    assert!(Command::try_parse_from(["c", "--log-format=xml"]).is_err());
}
