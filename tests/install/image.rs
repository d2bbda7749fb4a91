//! The recipe of the image, as far as it can be judged without building it.

use std::{fs, process::Command};

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

/// What `.dockerignore` lets in.
fn let_in() -> Vec<String> {
    let ignore = fs::read_to_string(".dockerignore").unwrap();
    let mut lines = ignore.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    assert_eq!(lines.next(), Some("*"));
    lines
        .map(|l| l.strip_prefix('!').unwrap_or_else(|| panic!("{l}")).to_owned())
        .collect()
}

/// What Cargo complains of where there is nothing but these files and folders, and no compiler either, which it misses last.
fn complaint(names: &[String]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-R").args(names).arg(folder.path()).status();
    assert!(copied.unwrap().success());
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--offline", "--locked", "--bin", "hyperstudy"])
        .args(["--config", "build.rustc='no-compiler'"])
        .env_remove("RUSTC")
        .current_dir(&folder)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What the build needs is let in: the sources, and every file that the manifest names.
#[test]
fn the_build_gets_what_it_needs() {
    let names = let_in();
    for name in ["Cargo.toml", "Cargo.lock", "src"] {
        assert!(names.iter().any(|n| n == name), "{name}");
    }
    let with = complaint(&names);
    assert!(with.contains("no-compiler") && !with.contains("manifest"), "{with}");
    let without = complaint(&names.into_iter().filter(|n| n != "benches").collect::<Vec<_>>());
    assert!(without.contains("can't find `"), "{without}");
    // Everything that is let in is copied.
    assert!(instructions().contains(&"COPY . .".to_owned()));
}
