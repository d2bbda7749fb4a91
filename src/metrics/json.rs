//! The JSON of metrics files: what RFC 8259 says, and Python's `NaN`, `Infinity` and `-Infinity` beside it.
//!
//! serde_json reads neither those nor `1e999`. This reader keeps numbers and lists of numbers of the top level only and checks everything
//! else in passing, so that its memory is bounded by the numbers that a file has.

use std::collections::BTreeMap;

use super::{MAX_VALUES, MetricsError};

/// How deep lists and objects may be nested.
const MAX_DEPTH: usize = 128;

/// What stands behind a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// One number.
    Number(f64),
    /// A list of numbers, not empty.
    Numbers(Vec<f64>),
    /// Something else; what, for people.
    Other(&'static str),
}

/// An object by its keys; of a key that is there twice, the last.
pub(super) type Object = BTreeMap<String, Entry>;

/// A metrics file's content.
#[derive(Debug, PartialEq)]
pub(super) enum Document {
    /// One object.
    One(Object),
    /// Several objects, each on a line of its own.
    Lines(Vec<Object>),
}

/// Reads a whole file.
///
/// # Errors
/// `MetricsEmpty`, `MetricsNotJson`, `MetricsNotObject` or `MetricsTooLarge`.
pub(super) fn parse(text: &str) -> Result<Document, MetricsError> {
    let mut reader = Reader { text, at: 0, values: 0 };
    reader.skip_space();
    if reader.peek().is_none() {
        return Err(MetricsError::MetricsEmpty);
    }
    let start = reader.at;
    let first = reader.top_level()?;
    let end = reader.at;
    reader.skip_space();
    if reader.peek().is_none() {
        return Ok(Document::One(first));
    }
    // JSON Lines: an object on one line, and what follows on another.
    if text[start..end].contains('\n') || !text[end..reader.at].contains('\n') {
        return Err(reader.fault("something follows the object: a file has one object, or one on each line"));
    }
    let mut objects = vec![first];
    while reader.peek().is_some() {
        let line_end = text[reader.at..].find('\n').map_or(text.len(), |n| reader.at + n);
        // A line's object may not reach into the next one.
        let mut line = Reader {
            text: &text[..line_end],
            ..reader
        };
        objects.push(line.top_level()?);
        line.skip_space();
        if line.peek().is_some() {
            return Err(line.fault("something follows the object on its line"));
        }
        (reader.at, reader.values) = (line.at, line.values);
        reader.skip_space();
    }
    Ok(Document::Lines(objects))
}

struct Reader<'a> {
    text: &'a str,
    /// The byte that is next; always at the start of a character.
    at: usize,
    /// How many values have been kept.
    values: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    fn fault(&self, message: &str) -> MetricsError {
        let (line, column) = position(self.text, self.at);
        let message = match self.peek() {
            None => format!("{message}, but the text ends there"),
            Some(_) => message.to_owned(),
        };
        MetricsError::MetricsNotJson { line, column, message }
    }

    fn keep(&mut self) -> Result<(), MetricsError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(too_many_values());
        }
        Ok(())
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// An object whose entries are kept, or the error that it is none.
    fn top_level(&mut self) -> Result<Object, MetricsError> {
        if self.peek() != Some(b'{') {
            let line = position(self.text, self.at).0;
            let found = match self.entry(0)? {
                Entry::Number(_) => "a number",
                Entry::Numbers(_) => "a list",
                Entry::Other(found) => found,
            };
            return Err(MetricsError::MetricsNotObject { found, line });
        }
        self.keep()?;
        let mut object = Object::new();
        self.members(|reader, key| {
            let entry = reader.entry(1)?;
            reader.keep()?;
            object.insert(unquote(reader, key)?, entry);
            Ok(())
        })?;
        Ok(object)
    }

    /// Reads `{"key": ..., ...}`; `member` gets each key with its quotes and reads its value.
    fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, std::ops::Range<usize>) -> Result<(), MetricsError>,
    ) -> Result<(), MetricsError> {
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.fault("a key in double quotes is needed here"));
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.fault("`:` is needed here"));
            }
            self.skip_space();
            member(self, key)?;
            self.skip_space();
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.fault("`,` or `}` is needed here"));
            }
        }
    }

    /// Any value; `depth` is how many lists and objects it stands in.
    fn entry(&mut self, depth: usize) -> Result<Entry, MetricsError> {
        if depth >= MAX_DEPTH {
            return Err(self.fault("lists and objects are nested too deeply"));
        }
        match self.peek() {
            Some(b'{') => {
                self.members(|reader, key| {
                    unquote(reader, key)?;
                    reader.entry(depth + 1).map(drop)
                })?;
                Ok(Entry::Other("an object"))
            }
            Some(b'[') => self.list(depth),
            Some(b'"') => {
                let string = self.string()?;
                unquote(self, string)?;
                Ok(Entry::Other("a string"))
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Entry::Number),
            _ => self.word(),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Entry, MetricsError> {
        self.at += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(Entry::Other("an empty list"));
        }
        let mut numbers = Some(Vec::new());
        loop {
            self.skip_space();
            match (self.entry(depth + 1)?, &mut numbers) {
                (Entry::Number(number), Some(numbers)) => {
                    self.keep()?;
                    numbers.push(number);
                }
                _ => numbers = None,
            }
            self.skip_space();
            if self.take(b']') {
                return Ok(numbers.map_or(Entry::Other("a list with something else than numbers"), Entry::Numbers));
            }
            if !self.take(b',') {
                return Err(self.fault("`,` or `]` is needed here"));
            }
        }
    }

    fn word(&mut self) -> Result<Entry, MetricsError> {
        for (word, entry) in [
            ("true", Entry::Other("a bool")),
            ("false", Entry::Other("a bool")),
            ("null", Entry::Other("null")),
            ("NaN", Entry::Number(f64::NAN)),
            ("Infinity", Entry::Number(f64::INFINITY)),
        ] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(entry);
            }
        }
        Err(self.fault(match self.peek() {
            Some(b'\'') => "JSON needs double quotes: write the file with json.dump, not str()",
            _ => "a value is needed here",
        }))
    }

    fn digits(&mut self) -> Result<(), MetricsError> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.fault("a digit is needed here"));
        }
        Ok(())
    }

    fn number(&mut self) -> Result<f64, MetricsError> {
        let start = self.at;
        if self.take(b'-') && self.text[self.at..].starts_with("Infinity") {
            self.at += "Infinity".len();
            return Ok(f64::NEG_INFINITY);
        }
        if !self.take(b'0') {
            self.digits()?;
        } else if self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return Err(self.fault("a number does not start with 0"));
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'-') {
                self.take(b'+');
            }
            self.digits()?;
        }
        // Too large a number becomes infinite.
        self.text[start..self.at]
            .parse()
            .map_err(|_| self.fault("this number cannot be read"))
    }

    /// Where a string with its quotes stands; what is escaped in it is not yet checked.
    fn string(&mut self) -> Result<std::ops::Range<usize>, MetricsError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(start..self.at);
                }
                Some(b'\\') => {
                    self.at += 1;
                    // The character after it may be longer than a byte.
                    self.at += self.text[self.at..].chars().next().map_or(0, char::len_utf8);
                }
                Some(0..=0x1f) => {
                    return Err(self.fault("a string does not go on over a line's end or a control character"));
                }
                Some(0x80..) => self.at += self.text[self.at..].chars().next().map_or(1, char::len_utf8),
                Some(_) => self.at += 1,
                None => return Err(self.fault("`\"` is needed here")),
            }
        }
    }
}

fn unquote(reader: &Reader<'_>, quoted: std::ops::Range<usize>) -> Result<String, MetricsError> {
    let text = &reader.text[quoted.clone()];
    if !text.contains('\\') {
        return Ok(text[1..text.len() - 1].to_owned());
    }
    serde_json::from_str(text).map_err(|_| {
        let (line, column) = position(reader.text, quoted.start);
        MetricsError::MetricsNotJson {
            line,
            column,
            message: "this string has an escape that JSON does not know".to_owned(),
        }
    })
}

/// That a file has more values than are read.
pub(super) fn too_many_values() -> MetricsError {
    MetricsError::MetricsTooLarge(format!("{MAX_VALUES} values"))
}

/// Line and column (in characters), from 1, of the byte `at`.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}
