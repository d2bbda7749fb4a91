//! Where in a shell's command a quoted value is one word, and the quoting.
//!
//! POSIX.1-2024, Shell Command Language, 2.2 (quoting), 2.3 (token recognition).

/// Where a value stands, which decides how it is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// By itself.
    Word,
    /// In single quotes.
    Single,
    /// In double quotes.
    Double,
}

/// A value, whatever is in it but NUL, such that a POSIX shell reads just it at that place.
pub(super) fn quote(value: &str, place: Place) -> String {
    let closed = || value.replace('\'', r"'\''");
    match place {
        Place::Word => format!("'{}'", closed()),
        Place::Single => closed(),
        Place::Double => {
            let escape = |c: char| "\\\"$`".contains(c).then_some('\\').into_iter().chain([c]);
            value.chars().flat_map(escape).collect()
        }
    }
}

const IN_ARITHMETIC: &str = "stands in the shell's arithmetic: compute it in the `${...}`";

/// What encloses the point that was read up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Single,
    Double,
    Back,
    /// `$(...)` or `(...)`: a command again.
    Parenthesis,
    /// `$((...))` or `((...))`.
    Arithmetic,
    /// The shell's own `${...}`.
    Brace,
    Comment,
}

/// Reads a command from left to right and says where values may stand. It refuses rather too much than too little.
#[derive(Debug, Default)]
pub(super) struct Shell {
    inside: Vec<Inside>,
    /// The last character where it was neither quoted nor escaped, a `\` and the end of a line after it left out; `None` at the start.
    last: Option<char>,
    /// Whether the next character is escaped.
    escaped: bool,
    /// Whether a here-document was announced: where its text starts and ends depends on words that are not looked at.
    here: bool,
    /// Whether there was a `case`, whose patterns end with a `)` that closes nothing.
    case: bool,
    /// Whether there were parentheses.
    parentheses: bool,
    /// Whether there was something that shells read in different ways: quotes in their own `${...}`, `$[`, `$'`, what may begin a comment.
    unclear: bool,
}

impl Shell {
    /// Reads on over text that stands for itself.
    pub(super) fn read(&mut self, text: &str) {
        let joined = text.replace("\\\n", "");
        self.case |= joined.split(|c: char| !c.is_alphanumeric()).any(|word| word == "case");
        text.chars().for_each(|c| self.character(c));
    }

    /// Reads on over a value and says how it stands there.
    ///
    /// # Errors
    /// Why it may not stand here, as the rest of a sentence that starts with the value.
    pub(super) fn value(&mut self) -> Result<Place, &'static str> {
        let after = self.last.replace('\'');
        if std::mem::take(&mut self.escaped) {
            return Err("stands right after a `\\`, which would undo its quotes");
        }
        let place = match self.inside.last() {
            None | Some(Inside::Parenthesis) => Place::Word,
            Some(Inside::Single) => Place::Single,
            Some(Inside::Double) => Place::Double,
            Some(Inside::Back) => return Err("stands in back quotes: use `$(...)`"),
            Some(Inside::Arithmetic) => return Err(IN_ARITHMETIC),
            Some(Inside::Brace) => return Err("stands in the shell's own `${...}`: set a variable to it first"),
            Some(Inside::Comment) => return Err("stands in a comment"),
        };
        // The shell evaluates what comes out of these quotes once more.
        let enclosing = self.inside.iter().rev();
        if enclosing
            .take_while(|inside| **inside != Inside::Parenthesis)
            .any(|inside| *inside == Inside::Arithmetic)
        {
            return Err(IN_ARITHMETIC);
        }
        if self.here {
            return Err("stands behind a `<<`, where the shell does not know quotes: use a file or a pipe");
        }
        if self.unclear || (self.case && self.parentheses) {
            return Err(
                "stands behind what shells read in different ways: set a variable to it first, in a line before",
            );
        }
        if after == Some('$') && place != Place::Single {
            return Err("stands right after a `$`, which would change its meaning");
        }
        Ok(place)
    }

    fn character(&mut self, c: char) {
        if std::mem::take(&mut self.escaped) {
            // A line that goes on stands between no two characters; whatever else it is, it is not special to what comes next.
            if c != '\n' {
                self.last = Some('x');
            }
            return;
        }
        let before = self.last.replace(c);
        let dollar = before == Some('$');
        match (self.inside.last().copied(), c) {
            (Some(Inside::Single), '\'') | (Some(Inside::Comment), '\n') => self.leave(),
            (Some(Inside::Single | Inside::Comment), _) => {}
            (_, '\\') => {
                self.escaped = true;
                self.last = before;
            }
            (Some(Inside::Back), '`') | (Some(Inside::Brace), '}') | (Some(Inside::Double), '"') => self.leave(),
            (Some(Inside::Back), _) => {}
            (Some(Inside::Brace), '\'' | '"' | '`') => self.unclear = true,
            (_, '`') => self.inside.push(Inside::Back),
            (_, '{') if dollar => self.inside.push(Inside::Brace),
            (_, '[') if dollar => self.unclear = true,
            (_, '(') if dollar => self.open(),
            (Some(Inside::Double | Inside::Brace), _) => {}
            (_, '"') => self.inside.push(Inside::Double),
            (_, '\'') => {
                self.unclear |= dollar;
                self.inside.push(Inside::Single);
            }
            (Some(Inside::Parenthesis), '(') if before == Some('(') => {
                // `$((`, `((`: the second one makes it arithmetic.
                self.leave();
                self.inside.extend([Inside::Arithmetic, Inside::Arithmetic]);
            }
            (Some(Inside::Arithmetic), '(') => self.inside.push(Inside::Arithmetic),
            (_, '(') => self.open(),
            (Some(Inside::Parenthesis | Inside::Arithmetic), ')') => self.leave(),
            (_, '<') if before == Some('<') => self.here = true,
            (None | Some(Inside::Parenthesis), '#') if before.is_none_or(begins_word) => {
                self.inside.push(Inside::Comment);
            }
            // Not every shell takes every white space for a blank, and whether a word ends with `)` depends on where that began.
            (_, '#') => self.unclear |= before.is_some_and(|c| c == ')' || c.is_whitespace()),
            _ => {}
        }
    }

    fn open(&mut self) {
        self.parentheses = true;
        self.inside.push(Inside::Parenthesis);
    }

    fn leave(&mut self) {
        self.inside.pop();
    }
}

/// Whether a word begins after `c`.
fn begins_word(c: char) -> bool {
    " \t\n;|&(<>".contains(c)
}
