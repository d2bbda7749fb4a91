//! A scan of an expression's tokens, just deep enough to know strings, comments and brackets apart: it finds where `${...}` ends, and how deep a parser would go, before one does.

/// One piece of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Blanks or a comment.
    Blank,
    /// A name, a number, or a string with its quotes; an unclosed string goes on to the end.
    Word,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`, and whether it is the brace.
    Close {
        /// Whether it is `}`.
        brace: bool,
    },
    /// Any other character.
    Sign(char),
}

/// The tokens of `source`, each with the byte offsets where it starts and ends.
pub(super) fn tokens(source: &str) -> impl Iterator<Item = (usize, usize, Token)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let (length, token) = token(source.get(start..)?)?;
        at = start + length;
        Some((start, at, token))
    })
}

/// The first token of `rest` and its length in bytes.
fn token(rest: &str) -> Option<(usize, Token)> {
    let first = rest.chars().next()?;
    if let Some(length) = string(rest) {
        return Some((length, Token::Word));
    }
    if rest.starts_with("//") {
        return Some((rest.find('\n').unwrap_or(rest.len()), Token::Blank));
    }
    let run = |of: fn(char) -> bool| rest.find(|c| !of(c)).unwrap_or(rest.len());
    Some(match first {
        c if is_word(c) => (run(is_word), Token::Word),
        c if c.is_ascii_whitespace() || c == '\x0b' => (first.len_utf8(), Token::Blank),
        '(' | '[' | '{' => (1, Token::Open),
        ')' | ']' | '}' => (1, Token::Close { brace: first == '}' }),
        c => (c.len_utf8(), Token::Sign(c)),
    })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The length of the string or bytes literal that `rest` starts with, if it does.
fn string(rest: &str) -> Option<usize> {
    let prefix = rest.find(['"', '\'']).filter(|&length| length <= 2)?;
    let raw = match rest.get(..prefix)?.to_ascii_lowercase().as_str() {
        "" | "b" => false,
        "r" | "br" | "rb" => true,
        _ => return None,
    };
    let body = rest.get(prefix..)?;
    let triple = ["\"\"\"", "'''"].into_iter().find(|quote| body.starts_with(quote));
    let quote = triple.or_else(|| body.get(..1))?;
    let mut at = quote.len();
    while at < body.len() {
        let left = body.get(at..)?;
        if left.starts_with(quote) {
            return Some(prefix + at + quote.len());
        }
        let mut characters = left.chars();
        let escaped = characters.next() == Some('\\') && !raw;
        at += left.chars().next().map_or(1, char::len_utf8);
        if escaped {
            at += characters.next().map_or(0, char::len_utf8);
        }
    }
    Some(rest.len())
}

/// How deep a recursive parser could go into `source`: brackets that are open at once, `?` of conditionals, and `!` or `-` in a row.
pub(super) fn depth(source: &str) -> usize {
    let (mut open, mut deepest, mut questions, mut run, mut longest) = (0_usize, 0, 0, 0, 0);
    for (_, _, token) in tokens(source) {
        match token {
            Token::Open => open += 1,
            Token::Close { .. } => open = open.saturating_sub(1),
            Token::Sign('?') => questions += 1,
            _ => {}
        }
        run = match token {
            Token::Sign('!' | '-') => run + 1,
            Token::Blank => run,
            _ => 0,
        };
        deepest = deepest.max(open);
        longest = longest.max(run);
    }
    deepest + questions + longest
}

/// The byte offset of the `}` that closes what starts at the beginning of `source`, inside an open brace.
pub(super) fn closing_brace(source: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (start, _, token) in tokens(source) {
        match token {
            Token::Open => open += 1,
            Token::Close { brace: true } if open == 0 => return Some(start),
            Token::Close { .. } => open = open.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The column, in characters from 1, of the byte offset `at` in `source`; with several lines, `line 2, column 3`.
pub(super) fn place(source: &str, at: usize) -> String {
    let before = source.get(..at).unwrap_or(source);
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    if source.trim_end().contains('\n') {
        format!("line {}, column {column}", line + 1)
    } else {
        format!("column {column}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_brace_in_a_string_or_a_comment_closes_nothing() {
        for source in [
            "a",
            "{'a': {}}.a",
            "'}'",
            "\"}\"",
            "'\\'}'",
            "r'\\'",
            "R\"\\\"",
            "'''a'}'''",
            "\"\"\"\"}\"\"\"",
            "rb'\\'",
            "for'}'",
            "a // }\n",
            "[1, 2][0]",
        ] {
            let text = format!("{source}}}rest");
            assert_eq!(closing_brace(&text), Some(source.len()), "{source}");
        }
        for source in ["", "'}", "{}", "// }", "'''}'"] {
            assert_eq!(closing_brace(source), None, "{source}");
        }
    }

    #[test]
    fn depth_counts_what_a_parser_recurses_on() {
        for (source, expected) in [
            ("a + b", 0),
            ("((a))", 2),
            ("f(a) + g(b)", 1),
            ("a ? b : c", 1),
            ("- - !a", 3),
            ("a - 1 - 1", 1),
            ("'((('", 0),
        ] {
            assert_eq!(depth(source), expected, "{source}");
        }
    }

    #[test]
    fn places_count_characters() {
        assert_eq!(place("aé+", 3), "column 3");
        assert_eq!(place("a\nbc", 3), "line 2, column 2");
    }
}
