//! The recipe of the image, as far as it can be judged without building it.

use std::fs;

/// A Dockerfile's instructions, continued lines joined, comments left out.
fn instructions() -> Vec<String> {
    let text = fs::read_to_string("Dockerfile").unwrap();
    let lines: Vec<_> = text.lines().filter(|l| !l.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let words = joined
        .lines()
        .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "));
    words.filter(|l| !l.is_empty()).collect()
}

#[test]
fn the_image_holds_the_program_and_certificates_and_is_not_root() {
    let all = instructions();
    let last = all.iter().rposition(|l| l.starts_with("FROM ")).unwrap();
    assert_eq!(
        all[last..],
        [
            "FROM scratch",
            "COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
            "COPY --from=build /hyperstudy /hyperstudy",
            "USER 65532:65532",
            "EXPOSE 8080",
            r#"ENTRYPOINT ["/hyperstudy"]"#,
        ]
    );
}

#[test]
fn the_compiler_is_the_one_of_the_toolchain_file() {
    let file = fs::read_to_string("rust-toolchain.toml").unwrap();
    let channel = file
        .lines()
        .find_map(|l| l.strip_prefix("channel = "))
        .unwrap()
        .trim_matches('"');
    assert!(
        instructions()[0].starts_with(&format!("FROM rust:{channel}-alpine")),
        "{channel}"
    );
}

/// What the build needs is let in, and nothing else: every path that the manifest names, and the sources.
#[test]
fn the_build_gets_what_it_needs() {
    let ignore = fs::read_to_string(".dockerignore").unwrap();
    let lines: Vec<_> = ignore
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
        .collect();
    assert_eq!(lines[0], "*");
    let let_in: Vec<_> = lines[1..].iter().filter_map(|l| l.strip_prefix('!')).collect();
    assert_eq!(let_in.len(), lines.len() - 1);
    let copied = instructions()
        .into_iter()
        .find_map(|l| l.strip_prefix("COPY ").map(str::to_owned))
        .unwrap();
    for name in ["Cargo.toml", "Cargo.lock", "src", "benches/core.rs"] {
        assert!(fs::exists(name).unwrap(), "{name}");
        let folder = name.split('/').next().unwrap();
        assert!(let_in.iter().any(|l| *l == name || *l == folder), "{name}");
        assert!(copied.split(' ').any(|c| c == folder || c == "."), "{name}");
    }
}
