//! The end of a log, for a message.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// How much of a log is looked at, in bytes.
const WINDOW: u64 = 4096;
/// How many lines are shown.
const LINES: usize = 3;
/// How long what is shown may be, in characters.
const LENGTH: usize = 300;

/// The last lines of a log that are not empty, on one line, control characters removed; empty where there is nothing.
pub fn last_lines(log: &Path) -> String {
    read_end(log)
        .map(|bytes| tail(&String::from_utf8_lossy(&bytes)))
        .unwrap_or_default()
}

fn read_end(log: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
    let mut bytes = Vec::new();
    file.take(WINDOW).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn tail(text: &str) -> String {
    let clean = |line: &str| {
        line.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect::<String>()
            .trim()
            .to_owned()
    };
    let mut lines: Vec<String> = text
        .lines()
        .rev()
        .map(clean)
        .filter(|line| !line.is_empty())
        .take(LINES)
        .collect();
    lines.reverse();
    let joined = lines.join(" / ");
    let length = joined.chars().count();
    if length <= LENGTH {
        return joined;
    }
    // The end of a message says more than its beginning.
    let rest: String = joined.chars().skip(length.saturating_sub(LENGTH)).collect();
    format!("...{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_last_lines_within_bounds_and_harmless() {
        for (text, shown) in [
            ("", ""),
            ("\n \n", ""),
            ("one", "one"),
            ("1\n2\n3\n4\n\n", "2 / 3 / 4"),
            ("a\x1b[31mb\rc\x07\n", "a [31mb c"),
        ] {
            assert_eq!(tail(text), shown);
        }
        let long = tail(&"ä".repeat(1000));
        assert_eq!(long.chars().count(), LENGTH + 3);
        assert!(last_lines(Path::new("/no/such/log")).is_empty());
    }
}
