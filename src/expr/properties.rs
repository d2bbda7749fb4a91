//! What holds for any input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::json;

use super::tests::{evaluate, variables};
use super::*;

/// Tokens of which whatever can be put together is thrown at the room.
const TOKENS: [&str; 71] = [
    "parameters",
    ".",
    "lr",
    "units",
    "layers",
    "head",
    "trial",
    "x",
    "y",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "?",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "&&",
    "||",
    "!",
    " in ",
    "1",
    "0",
    "-1",
    "2.5",
    "1e308",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615u",
    "0x7f",
    "'a'",
    "\"b\"",
    "r'\\'",
    "'''c'''",
    "b'\\xff'",
    "'\\u00e9'",
    "'\\",
    "true",
    "null",
    "size(",
    "int(",
    "double(",
    "string(",
    "uint(",
    "bytes(",
    "json(",
    "type(",
    ".map(x,",
    ".filter(x,",
    ".all(x,",
    ".exists_one(y,",
    "has(",
    ".matches(",
    ".startsWith(",
    "${",
    "$${",
    "min",
    "// ",
    "\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn tokens_in_any_order_never_panic(picks in prop::collection::vec(0..TOKENS.len(), 0..24)) {
        let source: String = picks.into_iter().map(|i| TOKENS[i]).collect();
        if let Err(error) = evaluate(&source) {
            prop_assert!(!error.contains('\n') && error.len() < 400, "{}", error);
        }
        let _ = Template::compile(&source).and_then(|t| t.render(&variables()));
    }

    #[test]
    fn any_text_never_panics(source in ".{0,80}") {
        let _ = evaluate(&source);
        let _ = Template::compile(&source).and_then(|t| t.render(&variables()));
    }

    #[test]
    fn a_text_without_dollar_signs_stays_as_it_is(source in "[^$]{0,80}") {
        prop_assert_eq!(Template::compile(&source).unwrap().render(&variables()), Ok(source));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn arithmetic_never_panics(a in any::<i64>(), b in prop_oneof![any::<i64>(), -2..2_i64], c in any::<f64>(), d in any::<u64>()) {
        let mut variables = Variables::default();
        variables.set("v", &json!({"a": a, "b": b, "c": c, "d": d}));
        for x in ["v.a", "v.b", "v.c", "v.d", "uint(v.d)"] {
            for y in ["v.a", "v.b", "v.c", "v.d"] {
                for sign in ["+", "-", "*", "/", "%", "<", "==", "in"] {
                    let _ = Expression::compile(&format!("{x} {sign} {y}")).unwrap().evaluate(&variables);
                }
            }
            for f in ["-", "!", "int", "uint", "double", "string", "bool", "bytes", "size", "json", "type", "dyn"] {
                let _ = Expression::compile(&format!("{f}({x})")).unwrap().evaluate(&variables);
            }
        }
    }
}
