//! What the documentation says of the program and its rights, against what they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use serde_json::Value;

use crate::objects::{find, manifests};

/// The rows of the table whose header begins so, each as its cells.
fn table(file: &str, header: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().skip_while(|l| !l.starts_with(header));
    let rows = lines.skip(2).take_while(|l| l.starts_with('|'));
    let cells = |row: &str| {
        let inner = row.trim_matches('|').split(" | ");
        inner.map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "{file} has no table {header}");
    rows
}

/// The flags that a text of `--help` describes, with their defaults.
fn flags(help: &str) -> BTreeMap<String, Option<String>> {
    let mut flags = BTreeMap::new();
    let mut last = None;
    for line in help.lines().map(str::trim_start) {
        let names = line.strip_prefix("-h, ").unwrap_or(line);
        if let Some(rest) = names.strip_prefix("--") {
            let name = rest.split([' ', '=', '[']).next().unwrap().trim_end_matches("...");
            last = Some(format!("--{name}"));
            flags.insert(format!("--{name}"), None);
        }
        if let Some((_, default)) = line.split_once("[default: ") {
            let default = default.split(']').next().unwrap();
            flags.insert(last.clone().unwrap(), Some(default.to_owned()));
        }
    }
    flags
}

/// Every flag of the controller, and its default, is in operations.md, and none that it does not have.
#[test]
fn every_flag_is_documented() {
    let output = Command::new(env!("CARGO_BIN_EXE_hyperstudy"))
        .args(["controller", "--help"])
        .output()
        .unwrap();
    let mut flags = flags(&String::from_utf8(output.stdout).unwrap());
    assert!(flags.remove("--help").is_some());
    let rows = table("docs/operations.md", "| flag |");
    let documented: BTreeSet<_> = rows.iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    assert_eq!(flags.keys().cloned().collect::<BTreeSet<_>>(), documented);
    for row in rows {
        if let Some(default) = &flags[row[0].trim_matches('`')] {
            assert_eq!(row[1], format!("`{default}`"), "{}", row[0]);
        }
    }
}

/// Every right of the controller is in install.md, and none that it does not have.
#[test]
fn every_right_is_documented() {
    let objects = manifests();
    let mut given = BTreeMap::<String, BTreeSet<String>>::new();
    for (kind, name) in [
        ("ClusterRole", "hyperstudy"),
        ("ClusterRole", "hyperstudy-templates"),
        ("Role", "hyperstudy-lease"),
    ] {
        let rules = find(&objects, kind, name).unwrap()["rules"].as_array().unwrap();
        let words = |value: &Value| -> Vec<String> {
            let all = value.as_array().unwrap().iter();
            all.map(|v| v.as_str().unwrap().to_owned()).collect()
        };
        for rule in rules {
            for resource in words(&rule["resources"]) {
                given.entry(resource).or_default().extend(words(&rule["verbs"]));
            }
        }
    }
    let mut said = BTreeMap::<String, BTreeSet<String>>::new();
    for row in table("docs/install.md", "| what |") {
        let verbs: BTreeSet<_> = row[1].split(", ").map(str::to_owned).collect();
        for resource in row[0].split('`').skip(1).step_by(2) {
            said.insert(resource.to_owned(), verbs.clone());
        }
    }
    assert_eq!(said, given);
}

/// The commands of the documentation name the deployment that is installed.
#[test]
fn the_deployment_has_the_name_that_is_documented() {
    let text = fs::read_to_string("docs/operations.md").unwrap();
    let named: Vec<_> = text.split("deploy/").skip(1).collect();
    assert!(!named.is_empty());
    for rest in named {
        let name = rest.split_whitespace().next().unwrap();
        assert!(find(&manifests(), "Deployment", name).is_some(), "{name}");
    }
}
