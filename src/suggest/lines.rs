//! Lines of bounded length.

use std::io::{BufRead, Read, Result};

/// The longest line that is read, in bytes.
pub(super) const LONGEST: usize = 16 << 20;

/// What was read.
pub(super) enum Line {
    /// A line, without its end.
    Text(Vec<u8>),
    /// A line that was longer than [`LONGEST`], and passed over.
    TooLong,
    /// Nothing: the input is over.
    End,
}

/// Reads one line. The last one may lack its end.
pub(super) fn next_line(input: &mut impl BufRead) -> Result<Line> {
    let mut line = Vec::new();
    let read = input.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(Line::End);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LONGEST {
        input.skip_until(b'\n')?;
        return Ok(Line::TooLong);
    }
    Ok(Line::Text(line))
}
