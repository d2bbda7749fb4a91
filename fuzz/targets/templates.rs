//! Any text as an expression, a template, an argument and a command: refused in a short sentence, or evaluated in bounds; and a value in a command
//! never becomes anything but text.

use std::sync::LazyLock;

use hyperstudy::{
    api::{Argument, Parameter, ParameterMap},
    expr::{Expression, MAX_RENDERED, Part, Template, Variables, text},
    space::Space,
    study::arguments::{Arguments, Command, StudyFacts, TrialFacts, variables},
};
use serde_json::Value;

/// Longer sentences are not for people, whatever they have written.
const LONGEST_MESSAGE: usize = 8 << 10;

const PARAMETERS: &str = r#"[
    {"name": "lr", "double": {"min": 1e-7, "max": 0.1, "scale": "Log"}},
    {"name": "units", "int": {"min": 8, "max": 64}},
    {"name": "optimizer", "categorical": {"values": ["adam", "sgd"]}},
    {"name": "momentum", "double": {"min": 0, "max": 0.99}, "when": "parameters.optimizer == \"sgd\""},
    {"name": "layers", "categorical": {"values": [[8], [8, 4]]}}
]"#;

/// What a shell could take for anything else than text.
const HOSTILE: [&str; 9] = [
    "",
    "it's",
    "\\",
    "\\'; id #",
    "'; id; '",
    "\"; id; \"",
    "$(id)`id`$HOME",
    "\nE\nid\n",
    "a  b\t~ * ? [a] )) }",
];

static SPACE: LazyLock<Space> = LazyLock::new(|| {
    let parameters: Vec<Parameter> = serde_json::from_str(PARAMETERS).expect("good parameters");
    Space::compile(&parameters, &[]).expect("a good space")
});

/// The configurations that all is tried on, the hostile ones last.
static CONFIGS: LazyLock<Vec<ParameterMap>> = LazyLock::new(|| {
    let sampled = SPACE.samples(4);
    let good: Vec<ParameterMap> = sampled.iter().map(|config| SPACE.write(config)).collect();
    let hostile = HOSTILE.iter().map(|value| {
        let names = ["lr", "units", "optimizer", "momentum", "layers"];
        names.map(|name| (name.to_owned(), Value::from(*value))).into()
    });
    good.iter().cloned().chain(hostile).collect()
});

static VARIABLES: LazyLock<Vec<Variables>> = LazyLock::new(|| {
    let trial = TrialFacts {
        number: 17,
        name: "study-17".to_owned(),
        attempt: 2,
        output_path: "s3://bucket/runs/study/17".to_owned(),
        output_key: "runs/study/17".to_owned(),
        output_dir: Some("/data/my runs/17".to_owned()),
        ..TrialFacts::default()
    };
    let study = StudyFacts {
        name: "study".to_owned(),
        namespace: "ml".to_owned(),
        uid: "u-1".to_owned(),
    };
    let of = |config| variables(config, &trial, &study);
    CONFIGS.iter().map(of).collect()
});

pub fn check(bytes: &[u8]) {
    let Ok(source) = str::from_utf8(bytes) else { return };
    expression(source);
    template(source);
    argument(source);
    command(source);
}

fn sentence(message: &str) {
    assert!(!message.trim().is_empty(), "an error says something");
    assert!(message.len() < LONGEST_MESSAGE && !message.contains('\n'), "{message}");
}

fn expression(source: &str) {
    let compiled = match Expression::compile(source) {
        Ok(compiled) => compiled,
        Err(message) => return sentence(&message),
    };
    for variables in VARIABLES.iter() {
        let value = compiled.evaluate(variables);
        assert_eq!(value, compiled.evaluate(variables), "twice the same gives the same");
        let is_true = compiled.evaluate_bool(variables);
        let number = compiled.evaluate_number(variables);
        [value.as_ref().err(), is_true.as_ref().err(), number.as_ref().err()]
            .into_iter()
            .flatten()
            .for_each(|message| sentence(message));
        let Ok(value) = value else {
            assert!(is_true.is_err() && number.is_err());
            continue;
        };
        assert_eq!(is_true.ok(), value.as_bool());
        assert_eq!(number.ok(), value.as_f64());
        let again: Value = serde_json::from_str(&value.to_string()).expect("JSON");
        assert_eq!(again, value);
    }
    // What it does not name does not matter.
    let nothing = Variables::default();
    if compiled.variables().is_empty() {
        assert_eq!(compiled.evaluate(&nothing), compiled.evaluate(&VARIABLES[0]));
    } else {
        let _ = compiled.evaluate(&nothing).map_err(|message| sentence(&message));
    }
}

fn template(source: &str) {
    let escaped = Template::compile(&source.replace("${", "$${"));
    if let Ok(escaped) = escaped {
        assert_eq!(
            escaped.render(&VARIABLES[0]).as_deref(),
            Ok(source),
            "`$${{` stands for itself"
        );
    }
    let compiled = match Template::compile(source) {
        Ok(compiled) => compiled,
        Err(message) => return sentence(&message),
    };
    for variables in VARIABLES.iter() {
        match compiled.render(variables) {
            Ok(rendered) => {
                assert!(rendered.len() <= MAX_RENDERED);
                let parts = compiled.parts().map(|part| match part {
                    Part::Text(text) => text.to_owned(),
                    Part::Value { expression, .. } => text(&expression.evaluate(variables).expect("a value")),
                });
                assert_eq!(rendered, parts.collect::<String>());
            }
            Err(message) => sentence(&message),
        }
    }
}

fn argument(source: &str) {
    let argument = Argument {
        name: "a".to_owned(),
        value: source.to_owned(),
    };
    match Arguments::compile(&[argument], &SPACE, &[]) {
        Ok(arguments) => {
            for variables in VARIABLES.iter() {
                match arguments.render(variables) {
                    Ok(rendered) => assert!(rendered.len() == 1 && rendered[0].1.len() <= MAX_RENDERED),
                    Err(errors) => errors.0.iter().for_each(|error| sentence(&error.to_string())),
                }
            }
        }
        Err(errors) => {
            assert!(!errors.0.is_empty());
            for error in &errors.0 {
                assert_eq!(error.path, "spec.trial.arguments.parameters[0].value");
                sentence(&error.to_string());
            }
        }
    }
}

fn command(source: &str) {
    let compiled = match Command::compile(source, &SPACE, &["outputDir"]) {
        Ok(compiled) => compiled,
        Err(errors) => {
            assert!(!errors.0.is_empty());
            for error in &errors.0 {
                assert_eq!(error.path, "--exec");
                sentence(&error.to_string());
            }
            return;
        }
    };
    let template = Template::compile(source).expect("what a command is made of");
    for variables in VARIABLES.iter() {
        let rendered = match compiled.render(variables) {
            Ok(rendered) => rendered,
            Err(message) => {
                sentence(&message);
                continue;
            }
        };
        let mut meant = Vec::new();
        for part in template.parts() {
            match part {
                Part::Text(text) => meant.extend(text.chars().map(shell::Piece::Char)),
                Part::Value { expression, .. } => {
                    let value = expression.evaluate(variables).expect("a value");
                    meant.push(shell::Piece::Value(text(&value)));
                }
            }
        }
        let rendered: Vec<shell::Piece> = rendered.chars().map(shell::Piece::Char).collect();
        for dialect in shell::DIALECTS {
            let Some(meant) = shell::words(&meant, dialect) else {
                continue;
            };
            let read = shell::words(&rendered, dialect);
            assert_eq!(
                read.as_ref(),
                Some(&meant),
                "{dialect:?} reads something else than was meant"
            );
        }
    }
}

/// How shells split a command into words, as far as it has no other command in it: what the program does is done otherwise here.
mod shell {
    /// In what shells differ.
    #[derive(Clone, Copy, Debug)]
    pub struct Dialect {
        /// Whether `$'...'` is a quote with escapes.
        dollar_quotes: bool,
        /// Whether every white space is a blank.
        wide_blanks: bool,
    }

    pub const DIALECTS: [Dialect; 4] = [
        Dialect {
            dollar_quotes: false,
            wide_blanks: false,
        },
        Dialect {
            dollar_quotes: true,
            wide_blanks: false,
        },
        Dialect {
            dollar_quotes: false,
            wide_blanks: true,
        },
        Dialect {
            dollar_quotes: true,
            wide_blanks: true,
        },
    ];

    /// A character of a command, or a value that is to be text wherever it stands.
    #[derive(Debug)]
    pub enum Piece {
        Char(char),
        Value(String),
    }

    #[derive(Debug, Eq, PartialEq)]
    pub enum Word {
        /// Its characters, each with whether it can mean something else than itself.
        Text(Vec<(char, bool)>),
        Operator(char),
    }

    /// The words; `None` where it has something in it that this does not read.
    pub fn words(pieces: &[Piece], dialect: Dialect) -> Option<Vec<Word>> {
        let reader = Reader {
            pieces,
            dialect,
            at: 0,
            words: Vec::new(),
            word: None,
        };
        reader.read()
    }

    struct Reader<'p> {
        pieces: &'p [Piece],
        dialect: Dialect,
        at: usize,
        words: Vec<Word>,
        word: Option<Vec<(char, bool)>>,
    }

    impl Reader<'_> {
        fn is(&self, c: char) -> bool {
            matches!(self.pieces.get(self.at), Some(Piece::Char(other)) if *other == c)
        }

        /// Passes over lines that go on.
        fn join_lines(&mut self) {
            while self.is('\\') && matches!(self.pieces.get(self.at + 1), Some(Piece::Char('\n'))) {
                self.at += 2;
            }
        }

        fn add(&mut self, c: char, is_active: bool) {
            self.word.get_or_insert_default().push((c, is_active));
        }

        fn add_text(&mut self, text: &str) {
            self.word
                .get_or_insert_default()
                .extend(text.chars().map(|c| (c, false)));
        }

        fn end_word(&mut self) {
            self.words.extend(self.word.take().map(Word::Text));
        }

        fn read(mut self) -> Option<Vec<Word>> {
            loop {
                self.join_lines();
                let Some(piece) = self.pieces.get(self.at) else { break };
                self.at += 1;
                match piece {
                    Piece::Value(value) => self.add_text(value),
                    Piece::Char('\\') => match self.pieces.get(self.at) {
                        Some(Piece::Char(c)) => {
                            self.add(*c, false);
                            self.at += 1;
                        }
                        Some(Piece::Value(_)) => panic!("a value stands right after a `\\`"),
                        None => self.add('\\', false),
                    },
                    Piece::Char('\'') => self.single()?,
                    Piece::Char('"') => self.double()?,
                    Piece::Char('$') => {
                        self.join_lines();
                        if self.is('(') || self.is('{') || self.is('[') {
                            return None;
                        }
                        if self.dialect.dollar_quotes && self.is('\'') {
                            self.at += 1;
                            self.escaped()?;
                        } else {
                            assert!(
                                !matches!(self.pieces.get(self.at), Some(Piece::Value(_))),
                                "a value stands right after a `$`"
                            );
                            self.add('$', true);
                        }
                    }
                    Piece::Char('#') if self.word.is_none() => {
                        while self.at < self.pieces.len() && !self.is('\n') {
                            assert!(
                                matches!(self.pieces[self.at], Piece::Char(_)),
                                "a value stands in a comment"
                            );
                            self.at += 1;
                        }
                    }
                    Piece::Char('`' | '(' | ')') => return None,
                    Piece::Char('<') => {
                        self.join_lines();
                        if self.is('<') {
                            return None;
                        }
                        self.end_word();
                        self.words.push(Word::Operator('<'));
                    }
                    Piece::Char(c @ ('\n' | ';' | '|' | '&' | '>')) => {
                        self.end_word();
                        self.words.push(Word::Operator(*c));
                    }
                    Piece::Char(c) if matches!(c, ' ' | '\t') || (self.dialect.wide_blanks && c.is_whitespace()) => {
                        self.end_word();
                    }
                    Piece::Char(c) => self.add(*c, true),
                }
            }
            self.end_word();
            Some(self.words)
        }

        fn single(&mut self) -> Option<()> {
            self.word.get_or_insert_default();
            loop {
                let piece = self.pieces.get(self.at)?;
                self.at += 1;
                match piece {
                    Piece::Value(value) => self.add_text(value),
                    Piece::Char('\'') => return Some(()),
                    Piece::Char(c) => self.add(*c, false),
                }
            }
        }

        /// `$'...'`, its escapes not looked into.
        fn escaped(&mut self) -> Option<()> {
            self.word.get_or_insert_default();
            loop {
                let piece = self.pieces.get(self.at)?;
                self.at += 1;
                match piece {
                    Piece::Value(value) => self.add_text(value),
                    Piece::Char('\'') => return Some(()),
                    Piece::Char('\\') => {
                        self.add('\\', true);
                        if let Piece::Char(c) = self.pieces.get(self.at)? {
                            self.add(*c, true);
                            self.at += 1;
                        } else {
                            panic!("a value stands right after a `\\`");
                        }
                    }
                    Piece::Char(c) => self.add(*c, false),
                }
            }
        }

        fn double(&mut self) -> Option<()> {
            self.word.get_or_insert_default();
            loop {
                self.join_lines();
                let piece = self.pieces.get(self.at)?;
                self.at += 1;
                match piece {
                    Piece::Value(value) => self.add_text(value),
                    Piece::Char('"') => return Some(()),
                    Piece::Char('`') => return None,
                    Piece::Char('\\') => match self.pieces.get(self.at)? {
                        Piece::Char(c @ ('$' | '`' | '"' | '\\')) => {
                            self.add(*c, false);
                            self.at += 1;
                        }
                        Piece::Char(_) => self.add('\\', false),
                        Piece::Value(_) => panic!("a value stands right after a `\\`"),
                    },
                    Piece::Char('$') => {
                        self.join_lines();
                        if self.is('(') || self.is('{') || self.is('[') {
                            return None;
                        }
                        assert!(
                            !matches!(self.pieces.get(self.at), Some(Piece::Value(_))),
                            "a value stands right after a `$`"
                        );
                        self.add('$', true);
                    }
                    Piece::Char(c) => self.add(*c, false),
                }
            }
        }
    }
}
