//! The planted bugs: that each of them is still one of these sources.

use std::{fs, path::Path};

/// A patch's hunks: the file, and the lines that it changes, as they are before.
fn hunks(patch: &str) -> Vec<(String, String)> {
    let mut hunks: Vec<(String, String)> = Vec::new();
    let mut file = String::new();
    for line in patch.lines() {
        if let Some(name) = line.strip_prefix("--- a/") {
            name.clone_into(&mut file);
        } else if line.starts_with("@@") {
            hunks.push((file.clone(), String::new()));
        } else if let (Some((_, before)), Some(text)) = (hunks.last_mut(), line.strip_prefix([' ', '-']))
            && !line.starts_with("---")
        {
            before.push_str(text);
            before.push('\n');
        }
    }
    hunks
}

#[test]
fn each_planted_bug_fits_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = fs::read_dir(root.join("tests/simulation/bugs")).unwrap();
    let files = folder.map(|entry| entry.unwrap().path());
    let patches: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "patch"))
        .collect();
    assert!(patches.len() >= 10, "{patches:?}");
    for path in patches {
        let found = hunks(&fs::read_to_string(&path).unwrap());
        assert!(!found.is_empty(), "{} changes nothing", path.display());
        for (file, before) in found {
            let source = fs::read_to_string(root.join(&file)).unwrap();
            assert!(
                source.contains(&before),
                "{} does not fit {file}:\n{before}",
                path.display()
            );
        }
    }
}
