#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;

use super::*;

fn read(entries: Value, is_local: bool) -> Result<Vec<Source>, String> {
    let history: History = serde_json::from_value(json!({"from": entries})).unwrap();
    sources(Some(&history), "later", "s3://data/runs/later", is_local).map_err(|e| e.to_string())
}

#[test]
fn sources_are_addresses_and_studies() {
    let table = |address: &str| Source::Table(address.to_owned());
    assert_eq!(
        read(
            json!(["s3://data/runs/a/study_results.csv", "s3://data/runs/b/", "s3://d.1-x/ü x/other.csv", {"study": "a-1"}]),
            false
        ),
        Ok(vec![
            table("s3://data/runs/a/study_results.csv"),
            table("s3://data/runs/b/study_results.csv"),
            table("s3://d.1-x/ü x/other.csv"),
            Source::Study("a-1".to_owned()),
        ])
    );
    assert_eq!(
        read(json!(["../old"]), true),
        Ok(vec![Source::File("../old".to_owned())])
    );
    assert_eq!(sources(None, "later", "s3://data/runs/later", false).unwrap(), []);
}

#[test]
fn other_sources_are_refused_with_what_to_write() {
    for (entry, says) in [
        (
            json!("results.csv"),
            "`results.csv` is no address in S3: write `s3://bucket/path/study_results.csv`",
        ),
        (json!(""), "is no address in S3"),
        (json!("s3://"), "is no address of a file or folder"),
        (json!("s3://bucket"), "is no address of a file or folder"),
        (json!("s3://Bucket/a"), "is no address of a file or folder"),
        (json!("s3://bucket/a//b"), "no segment of the path is empty"),
        (
            json!("s3://bucket/../b"),
            "no segment of the path is empty, `.` or `..`",
        ),
        (json!("s3://bucket/{{workflow.name}}"), "is taken as it stands"),
        (json!("s3://bucket/${study.name}"), "is taken as it stands"),
        (json!("s3://data/runs/later"), "lies in the folder of this study itself"),
        (
            json!("s3://data/runs/later/study_results.csv"),
            "lies in the folder of this study itself",
        ),
        (json!({"study": "later"}), "is this study itself"),
        (json!({"study": "A b"}), "\"A b\" is no name of a study"),
        (json!({"study": 7}), "7 is no name of a study"),
        (
            json!({"study": "a", "namespace": "b"}),
            "has to have the field `study` and no other",
        ),
        (
            json!({"results": "s3://a"}),
            "has to have the field `study` and no other",
        ),
        (json!({}), "has to have the field `study` and no other"),
        (json!(7), "has to be text or an object"),
        (json!(null), "has to be text or an object"),
        (json!(["s3://data/a"]), "has to be text or an object"),
    ] {
        let error = read(json!(["s3://data/runs/a", entry]), false).unwrap_err();
        assert!(
            error.starts_with("spec.history.from[1]: ") && error.contains(says),
            "{entry}: {error}"
        );
    }
    let error = read(json!([{"study": "a"}, {"study": "a"}]), false).unwrap_err();
    assert!(error.contains("from[1]: the study `a` is there already"), "{error}");
}
