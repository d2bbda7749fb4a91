//! The rooms of the program: what the pure ones may not name, and which rooms each may use.
//!
//! Sources are read as text, without comments, strings and tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The rooms from the bottom up: each uses only those before it. What is not a room (`main.rs`, `cli.rs`) is on top.
const ROOMS: [&str; 15] = [
    "api",
    "expr",
    "space",
    "sampler",
    "metrics",
    "study",
    "report",
    "suggest",
    "workflow",
    "storage",
    "results",
    "history",
    "local",
    "cluster",
    "controller",
];

/// The rooms that only compute: the same input, the same output.
const PURE: [&str; 9] = [
    "api", "expr", "space", "sampler", "metrics", "study", "report", "suggest", "workflow",
];

/// What a pure room does not name, and why.
const FORBIDDEN: [(&str, &str); 22] = [
    ("kube::Client", "talks to an API server"),
    ("kube::Api", "talks to an API server"),
    ("kube::runtime", "talks to an API server"),
    ("kube::client", "talks to an API server"),
    ("kube::api", "talks to an API server"),
    ("aws_sdk_s3", "talks to S3"),
    ("aws_smithy", "talks to S3"),
    ("s3s", "talks to S3"),
    ("tokio", "has effects"),
    ("hyper_util", "has effects"),
    ("std::fs", "has effects"),
    ("std::net", "has effects"),
    ("std::process", "has effects"),
    ("std::env", "reads its surroundings"),
    ("std::thread", "has effects"),
    ("SystemTime", "reads a clock"),
    ("Instant", "reads a clock"),
    ("Timestamp::now", "reads a clock"),
    ("Zoned::now", "reads a clock"),
    ("rand::rng", "is random from outside"),
    ("thread_rng", "is random from outside"),
    ("getrandom", "is random from outside"),
];

/// A source file: its room, and its code.
struct Source {
    path: PathBuf,
    room: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
            if is_test {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let below = path.strip_prefix(&root).unwrap();
                let room = below.components().next().unwrap().as_os_str().to_str().unwrap();
                found.push(Source {
                    room: room.trim_end_matches(".rs").to_owned(),
                    code: code(&fs::read_to_string(&path).unwrap()),
                    path,
                });
            }
        }
    }
    found
}

/// `text` without comments, the content of strings, and modules for tests.
fn code(text: &str) -> String {
    without_tests(&without_text(text))
}

/// `text` without comments and without what stands in strings and characters.
fn without_text(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let before = at.checked_sub(1).map_or(b' ', |i| bytes[i]);
        let in_word = before.is_ascii_alphanumeric() || before == b'_';
        if rest.starts_with(b"//") {
            at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        } else if rest.starts_with(b"/*") {
            let mut depth = 0;
            loop {
                let rest = &bytes[at..];
                if rest.starts_with(b"/*") {
                    (depth, at) = (depth + 1, at + 2);
                } else if rest.starts_with(b"*/") {
                    (depth, at) = (depth - 1, at + 2);
                } else {
                    at += 1;
                }
                if depth == 0 || at >= bytes.len() {
                    break;
                }
            }
        } else if let Some(hashes) = raw_string(rest).filter(|_| !in_word || before == b'b') {
            let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
            let start = at + 2 + hashes;
            let length = bytes[start..].windows(end.len()).position(|w| w == end).unwrap_or(0);
            at = start + length + end.len();
            out.extend(b"\"\"");
        } else if rest[0] == b'"' {
            at += 1;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            at += 1;
            out.extend(b"\"\"");
        } else if let Some(length) = character(rest) {
            at += length;
            out.extend(b"' '");
        } else {
            out.push(rest[0]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

/// Of a raw string that starts here, its number of `#`.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let after = rest.strip_prefix(b"r")?;
    let hashes = after.iter().take_while(|b| **b == b'#').count();
    (after.get(hashes) == Some(&b'"')).then_some(hashes)
}

/// The length of a character literal that starts here; a lifetime is none.
fn character(rest: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(&rest[..rest.len().min(16)]).into_owned();
    let inner = text.strip_prefix('\'')?;
    let first = inner.chars().next()?;
    if first == '\\' {
        let end = inner.char_indices().skip(2).find(|(_, c)| *c == '\'')?.0;
        return Some(end + 2);
    }
    inner[first.len_utf8()..]
        .starts_with('\'')
        .then_some(first.len_utf8() + 2)
}

/// `code`, which has no strings, without the items behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let (mut out, mut rest) = (String::new(), code);
    while let Some((before, after)) = rest.split_once("#[cfg(test)]") {
        out.push_str(before);
        let end = after.find([';', '{']).unwrap_or(after.len());
        rest = if after[end..].starts_with('{') {
            let mut depth = 0;
            let close = after[end..].char_indices().find(|(_, c)| {
                depth += i32::from(*c == '{') - i32::from(*c == '}');
                depth == 0
            });
            &after[end + close.map_or(0, |(i, _)| i)..][1..]
        } else {
            after.get(end + 1..).unwrap_or_default()
        };
    }
    out + rest
}

/// Every path that `code` names from a crate's root or a module on: `use a::{b, c::d}` gives `a`, `a::b`, `a::c::d`.
fn paths(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in code.chars().chain([' ']) {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if !c.is_whitespace() {
            tokens.push(c.to_string());
        }
    }
    let is_word = |t: &str| t.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if is_word(&tokens[at]) {
            at = path(&tokens, at, "", &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path, which starts at `at` and stands below `prefix`; gives where it ends.
fn path(tokens: &[String], mut at: usize, prefix: &str, found: &mut Vec<String>) -> usize {
    let token = |at: usize| tokens.get(at).map_or("", String::as_str);
    let mut name = prefix.to_owned();
    loop {
        let part = token(at);
        if part == "{" && !name.is_empty() {
            at += 1;
            while !matches!(token(at), "}" | "") {
                at = if token(at) == "," {
                    at + 1
                } else {
                    path(tokens, at, &name, found)
                };
            }
            return at + 1;
        }
        if !name.is_empty() {
            name.push_str("::");
        }
        name.push_str(part);
        found.push(name.clone());
        at += 1;
        // `as other` in a list of names
        if token(at) == "as" && !prefix.is_empty() {
            at += 2;
        }
        if token(at) == ":" && token(at + 1) == ":" {
            at += 2;
        } else {
            return at;
        }
        if !token(at).starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '{') {
            return at + 1;
        }
    }
}

/// Whether `path` goes through `name`, whose segments follow one another in it.
fn names(path: &str, name: &str) -> bool {
    format!("::{path}::").contains(&format!("::{name}::"))
}

/// What a pure room's code names and may not.
fn impure(code: &str) -> Vec<String> {
    let paths = paths(code);
    let named = FORBIDDEN.iter().filter(|(name, _)| {
        paths
            .iter()
            .any(|path| names(path, name) || (*name == "aws_smithy" && path.starts_with(name)))
    });
    named.map(|(name, why)| format!("`{name}` {why}")).collect()
}

/// The rooms that code in the room `of` uses and may not. `deep` is how many modules lie between the file and the crate's root.
fn upwards(of: &str, deep: usize, code: &str) -> Vec<String> {
    let place = ROOMS.iter().position(|room| *room == of).unwrap_or(ROOMS.len());
    let root = vec!["super"; deep].join("::");
    let mut wrong: Vec<String> = paths(code)
        .iter()
        .filter_map(|path| path.strip_prefix("crate::").or(path.strip_prefix(&format!("{root}::"))))
        .filter_map(|path| path.split("::").next())
        .filter(|used| {
            ROOMS
                .iter()
                .position(|room| room == used)
                .is_none_or(|used| used > place)
        })
        .map(str::to_owned)
        .collect();
    wrong.sort();
    wrong.dedup();
    wrong
}

#[test]
fn pure_rooms_have_no_effects_no_clock_and_no_chance() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.room.as_str())) {
        wrong.extend(
            impure(&source.code)
                .iter()
                .map(|what| format!("{}: {what}", source.path.display())),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rooms_use_only_what_is_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut wrong, mut rooms) = (Vec::new(), Vec::new());
    for source in sources() {
        if ["main", "lib", "cli"].contains(&source.room.as_str()) {
            continue;
        }
        assert!(
            ROOMS.contains(&source.room.as_str()),
            "{}: a room that has no place in the order",
            source.path.display()
        );
        let below = source.path.strip_prefix(&root).unwrap();
        let deep = below.components().count() - usize::from(below.ends_with("mod.rs"));
        let used = upwards(&source.room, deep, &source.code);
        wrong.extend(
            used.iter()
                .map(|used| format!("{}: uses `{used}`", source.path.display())),
        );
        rooms.push(source.room);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for room in ROOMS {
        assert!(rooms.iter().any(|found| found == room), "there is no room `{room}`");
    }
}

#[test]
fn the_checks_see_what_is_wrong() {
    for (snippet, word) in [
        ("use std::fs;", "std::fs"),
        ("use std::{collections::BTreeMap, fs::File};", "std::fs"),
        (
            "use std::{\n    io,\n    time::{Duration, SystemTime},\n};",
            "SystemTime",
        ),
        ("fn f() { let t = std::time::Instant::now(); }", "Instant"),
        ("use std::time::Instant as Moment;", "Instant"),
        ("fn f() { jiff::Timestamp::now() }", "Timestamp::now"),
        (
            "use jiff::Timestamp; fn f() -> Timestamp { Timestamp::now() }",
            "Timestamp::now",
        ),
        ("fn f() -> f64 { rand::rng().random() }", "rand::rng"),
        ("use rand::{SeedableRng, rng};", "rand::rng"),
        ("async fn f() { tokio::spawn(g()).await; }", "tokio"),
        ("use kube::{Client, KubeSchema};", "kube::Client"),
        ("use aws_smithy_http_client::Builder;", "aws_smithy"),
        (
            "fn f() -> char { '\"' } fn g() { std::process::exit(1) } // \"",
            "std::process",
        ),
        ("fn f<'a>(x: &'a str) { std::net::TcpStream::connect(x); }", "std::net"),
        ("#[cfg(test)]\nmod tests;\nuse std::fs;", "std::fs"),
        (
            "#[cfg(test)]\nmod tests { fn f() { if true {} } }\nfn g() { std::fs::read(a) }",
            "std::fs",
        ),
        ("fn f() { let s = \"\\\\\"; std::fs::read(s); }", "std::fs"),
        ("fn f() { let s = r#\"a\"b\"#; std::fs::read(s); }", "std::fs"),
    ] {
        let found = impure(&code(snippet));
        assert!(
            found.iter().any(|f| f.starts_with(&format!("`{word}`"))),
            "{word} is not seen in {snippet}: {found:?}"
        );
    }
    for fine in [
        "use std::{collections::BTreeMap, fmt, time::Duration};",
        "use jiff::{SignedDuration, Timestamp};\nfn f(now: Timestamp) {}",
        "/// Not `std::fs`.\nfn f() -> &'static str { \"std::fs\" } // tokio\n/* tokio /* std::net */ SystemTime */",
        "fn f() { let s = r#\"\"tokio\"#; }",
        "#[cfg(test)]\nmod tests { use std::fs; fn f() { let t = Timestamp::now(); } }\nfn g() {}",
        "use rand::{RngExt, SeedableRng};",
        "use kube::KubeSchema;",
        "fn f() { self::rng(); let tokio_like = Instants; }",
    ] {
        assert!(impure(&code(fine)).is_empty(), "{fine}: {:?}", impure(&code(fine)));
    }
    for (room, deep, snippet, used) in [
        ("space", 2, "use crate::sampler::Sampler;", &["sampler"][..]),
        ("api", 2, "use crate::{expr, study::Study};", &["expr", "study"]),
        ("api", 2, "use super::super::space;", &["space"]),
        ("metrics", 1, "fn f() { super::local::run() }", &["local"]),
        ("metrics", 2, "fn f() { super::local::run() }", &[]),
        (
            "study",
            2,
            "fn f() -> crate::storage::Location { crate::storage::x() }",
            &["storage"],
        ),
        (
            "study",
            2,
            "use crate::{api::{self, Goal}, metrics::Report as Storage, space::Space};",
            &[],
        ),
        ("local", 2, "use crate::cli::Cli;", &["cli"]),
        ("local", 2, "use crate::{api, storage, study};", &[]),
        ("report", 2, "#[cfg(test)]\nmod tests { use crate::local::run; }", &[]),
    ] {
        assert_eq!(upwards(room, deep, &code(snippet)), used, "{snippet}");
    }
}
