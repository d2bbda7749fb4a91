//! Output parameters as metrics files.

use std::io::Write;

use serde_json::{Value, json};

use super::study;
use crate::{metrics::MetricsError, workflow::outputs};

fn finished(entry: &Value, global: &Value) -> Value {
    json!({
        "metadata": {"name": "s-1-1"},
        "status": {
            "outputs": {"parameters": global},
            "nodes": {
                "s-1-1": {"outputs": {"parameters": entry, "result": "7"}},
                "s-1-1-123": {"outputs": {"parameters": [{"name": "inner", "value": "1"}]}}
            }
        }
    })
}

#[test]
fn outputs_are_a_metrics_file() {
    let entry = json!([
        {"name": "loss", "value": "0.25\n"}, {"name": "text", "value": "hello"}, {"name": "n", "value": 3},
        {"name": "we\"ird", "value": "1e400"}, {"name": "nan", "value": "nan"}, {"name": "none"}
    ]);
    let workflow = finished(
        &entry,
        &json!([{"name": "loss", "value": "9"}, {"name": "global", "value": "-Inf"}]),
    );
    let file = outputs(&workflow);
    assert_eq!(
        String::from_utf8(file.clone()).unwrap(),
        r#"{"global": -Infinity, "loss": 0.25, "n": 3.0, "nan": NaN, "we\"ird": Infinity}"#
    );
    let read = |metric: &str| study(&json!({"/objectives/0/metric": metric})).objective.read(&file);
    assert_eq!(read("loss").unwrap().objective, 0.25);
    assert!(matches!(read("nan"), Err(MetricsError::MetricNotFinite { .. })));
    assert!(matches!(read("text"), Err(MetricsError::MetricMissing { .. })));
    assert_eq!(outputs(&json!({})), b"{}");
}

#[test]
fn packed_nodes_are_read() {
    let mut workflow = finished(&json!([{"name": "loss", "value": "0.5"}]), &Value::Null);
    let nodes = serde_json::to_vec(&workflow["status"]["nodes"]).unwrap();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&nodes).unwrap();
    let packed = k8s_openapi::ByteString(packer.finish().unwrap());
    workflow["status"]["nodes"] = Value::Null;
    workflow["status"]["compressedNodes"] = json!(packed);
    assert_eq!(outputs(&workflow), br#"{"loss": 0.5}"#);
    for broken in [json!("%"), json!("AAAA"), json!(3)] {
        workflow["status"]["compressedNodes"] = broken;
        assert_eq!(outputs(&workflow), b"{}");
    }
}
