//! Expressions and templates as a user writes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;

pub(super) fn variables() -> Variables {
    let mut variables = Variables::default();
    variables.set(
        "parameters",
        &json!({
            "lr": 1e-7, "units": 32, "optimizer": "adam", "nesterov": true, "layers": [64, 32, 16],
            "head": {"kind": "mlp", "width": 8}, "big": u64::MAX, "dash-ed": 1, "min": i64::MIN, "one": 1.0, "none": null
        }),
    );
    variables.set("trial", &json!({"number": 17, "outputPath": "s3://b/runs/17"}));
    variables
}

pub(super) fn evaluate(source: &str) -> Result<Value, String> {
    Expression::compile(source)?.evaluate(&variables())
}

fn names(expression: &Expression, root: &str) -> Vec<String> {
    expression.fields_of(root).iter().cloned().collect()
}

#[test]
fn values() {
    for (source, expected) in [
        ("parameters.lr", json!(1e-7)),
        ("parameters[\"dash-ed\"]", json!(1)),
        ("parameters.units * 2 + 1", json!(65)),
        ("double(parameters.units) * 0.5", json!(16.0)),
        ("int(parameters.one) + 1", json!(2)),
        ("string(parameters.units) + 'x'", json!("32x")),
        ("parameters.optimizer == 'adam' ? 1 : 2", json!(1)),
        ("parameters.units / 5", json!(6)),
        ("parameters.units % 5", json!(2)),
        ("-parameters.units", json!(-32)),
        ("parameters.units > 1.5", json!(true)),
        ("parameters.one == 1", json!(true)),
        ("parameters.big > 9.0e18", json!(true)),
        ("parameters.big", json!(u64::MAX)),
        ("'adam' in ['adam', 'sgd']", json!(true)),
        ("'lr' in parameters", json!(true)),
        ("32 in parameters.layers", json!(true)),
        ("has(parameters.momentum)", json!(false)),
        ("has(parameters.lr) && parameters.lr < 1.0", json!(true)),
        ("has(parameters.momentum) ? parameters.momentum : 0.0", json!(0.0)),
        ("size(parameters.layers) + size('héy') + 'ab'.size()", json!(8)),
        ("parameters.layers[0]", json!(64)),
        ("parameters.layers + [1]", json!([64, 32, 16, 1])),
        ("parameters.layers.map(x, x / 2)", json!([32, 16, 8])),
        ("parameters.layers.filter(x, x > 16)", json!([64, 32])),
        (
            "parameters.layers.all(x, x > 0) && parameters.layers.exists(x, x == 16)",
            json!(true),
        ),
        ("parameters.layers.exists_one(x, x == 16)", json!(true)),
        ("parameters.head.map(key, key)", json!(["kind", "width"])),
        ("{'b': 1, 'a': [parameters.units]}", json!({"a": [32], "b": 1})),
        ("parameters.head.kind", json!("mlp")),
        (
            "parameters.optimizer.startsWith('ad') && parameters.optimizer.contains('da')",
            json!(true),
        ),
        (
            "parameters.optimizer.matches('^a.*m$') && !matches('x', 'y')",
            json!(true),
        ),
        ("json(parameters.optimizer)", json!("\"adam\"")),
        (
            "json({'lr': parameters.lr, 'k': [1.0, null]})",
            json!(r#"{"k":[1.0,null],"lr":1e-7}"#),
        ),
        ("type(parameters.units) == int", json!(true)),
        ("parameters.none == null", json!(true)),
        ("trial.outputPath + '/m'", json!("s3://b/runs/17/m")),
        ("[1, 2].map(x, [3, 4].map(y, x * y))", json!([[3, 4], [6, 8]])),
    ] {
        assert_eq!(evaluate(source), Ok(expected), "{source}");
    }
}

#[test]
fn what_cannot_be_compiled_is_named_with_its_place() {
    for (source, expected) in [
        ("", "the expression is empty"),
        ("  \n", "the expression is empty"),
        ("1 +", "column 4: expected a value, found the end"),
        ("1 + * 2", "column 5: unexpected `*`"),
        ("(1 + 2", "column 7: expected ')', found the end"),
        ("1 2", "column 3: unexpected `2`"),
        ("'abc", "column 1: unterminated string literal"),
        ("parameters.", "column 12: expected identifier after '.', found the end"),
        ("a = 1", "column 3: unexpected `=`"),
        ("a & b", "column 3: unexpected single '&', expected '&&'"),
        ("a\n+ )", "line 2, column 3: unexpected `)`"),
        ("é", "column 1: unexpected character"),
        ("a.?b", "column 2: `.` is not supported here"),
        ("has(a)", "column 5: has(...) takes a field, e.g. has(parameters.a)"),
        ("99999999999999999999", "column 1: invalid int literal"),
        ("while", "column 1: `while` is a reserved word"),
        ("sise(a)", "there is no function `sise`: do you mean `size`?"),
        ("a.exist(x, x)", "there is no function `exist`: do you mean `exists`?"),
        (
            "a.startswith('b')",
            "there is no function `startswith`: do you mean `startsWith`?",
        ),
        ("quicksort(a)", "there is no function `quicksort`"),
        ("duration('1h')", "there is no function `duration`"),
        ("a.double()", "double is called as `double(x)`"),
        ("double(a, b)", "double is called as `double(x)`"),
        ("a.all(x)", "all is used as `list.all(x, condition)`"),
        (
            "Foo{a: 1}",
            "`Foo{...}` would make a message, which these expressions do not have",
        ),
        ("'a'.matches('(')", "'(' is no regular expression: unclosed group"),
        ("'a'.matches(b)", "the pattern of matches must be written out in quotes"),
        (
            "'a'.matches('(\\\\w{500}){500}')",
            "the pattern '(\\w{500}){500}' of matches is too large",
        ),
        (".parameters.a", "write `parameters` without the dot before it"),
        (
            "parameters[x]",
            "parameters[...] takes a name in quotes, e.g. parameters[\"a\"]: which fields are read must be known beforehand",
        ),
        (
            "a.map(x, b.map(y, c.map(z, z)))",
            "all, exists, exists_one, map and filter may be nested 2 deep, not deeper",
        ),
    ] {
        assert_eq!(
            Expression::compile(source).map(|_| ()),
            Err(expected.to_owned()),
            "{source}"
        );
    }
}

#[test]
fn what_cannot_be_evaluated_is_a_short_sentence() {
    for (source, expected) in [
        ("parameters.momentum", "parameters.momentum has no value here"),
        (
            "parameters[\"momentum\"] > 0.5",
            "parameters.momentum has no value here",
        ),
        ("parameters.head.depth", "there is no field depth here"),
        (
            "parameters.lr * 2",
            "double * int does not exist: convert with double() or int()",
        ),
        (
            "parameters.units + 'a'",
            "int + string does not exist: convert with string()",
        ),
        ("parameters.optimizer < 3", "string < int does not exist"),
        ("!parameters.units", "!int does not exist"),
        ("-parameters.optimizer", "-string does not exist"),
        ("parameters.units / 0", "division by zero"),
        ("parameters.units % 0", "division by zero"),
        (
            "parameters.min / -1",
            "the result is too large for an int; use double() for large numbers",
        ),
        (
            "parameters.min % -1",
            "the result is too large for an int; use double() for large numbers",
        ),
        (
            "-parameters.min",
            "the result is too large for an int; use double() for large numbers",
        ),
        (
            "parameters.min - 1",
            "the result is too large for an int; use double() for large numbers",
        ),
        ("int(1e300)", "int(): integer overflow"),
        ("int('x')", "int(): string parse error: invalid digit found in string"),
        ("uint(-1)", "uint(): unsigned integer overflow"),
        ("parameters.layers[3]", "the list has no item 3"),
        ("parameters.layers[-1]", "the list has no item -1"),
        ("parameters.units.x", "a value of type int has no fields"),
        (
            "parameters.units ? 1 : 2",
            "a value of type int stands where bool is needed",
        ),
        ("unknown", "unknown is not known here"),
        ("size(3)", "size(int) does not exist"),
        (
            "parameters.units.startsWith('a')",
            "int.startsWith(string) does not exist",
        ),
        ("1.0 / 0.0", "the value is infinity, which is not a finite number"),
        ("0.0 / 0.0 < 1.0", "NaN cannot be compared"),
        (
            "json(-1.0 / 0.0)",
            "json(): the value is minus infinity, which is not a finite number",
        ),
        ("b'a'", "a value of type bytes cannot be written as JSON"),
        ("int", "a value of type type cannot be written as JSON"),
        ("{'a': 1, 'a': 2}", "the key \"a\" stands twice in one object"),
        ("{1.5: 2}", "a value of type double cannot be a key"),
    ] {
        assert_eq!(evaluate(source), Err(expected.to_owned()), "{source}");
    }
}

#[test]
fn a_condition_gives_a_bool_and_an_objective_a_number() {
    let compile = |source| Expression::compile(source).unwrap();
    assert_eq!(compile("parameters.units > 1").evaluate_bool(&variables()), Ok(true));
    assert_eq!(
        compile("parameters.units").evaluate_bool(&variables()),
        Err("it gives a value of type int, and a bool is needed".to_owned())
    );
    assert_eq!(compile("parameters.units").evaluate_number(&variables()), Ok(32.0));
    assert_eq!(compile("parameters.lr").evaluate_number(&variables()), Ok(1e-7));
    assert_eq!(
        compile("parameters.optimizer").evaluate_number(&variables()),
        Err("it gives a value of type string, and a number is needed".to_owned())
    );
    assert!(compile("0.0 / 0.0").evaluate_number(&variables()).is_err());
}

#[test]
fn the_fields_that_are_read_are_known() {
    for (source, fields) in [
        ("parameters.a + parameters[\"b\"]", vec!["a", "b"]),
        ("has(parameters.a) && parameters.b.c", vec!["a", "b"]),
        ("parameters.l.map(x, x + parameters.b)", vec!["b", "l"]),
        ("parameters.l.all(parameters, parameters.x > 1)", vec!["l"]),
        (
            "parameters.l.map(x, x.y.map(parameters, parameters.z))[0] + parameters.q",
            vec!["l", "q"],
        ),
        ("{'k': parameters.v}.k + [parameters.w][0]", vec!["v", "w"]),
        ("parameters.l[trial.number]", vec!["l"]),
        ("1", vec![]),
    ] {
        let expression = Expression::compile(source).unwrap();
        assert_eq!(names(&expression, "parameters"), fields, "{source}");
        assert!(!expression.uses_whole("parameters"), "{source}");
    }
    let expression = Expression::compile("json(parameters) + trial.a.map(x, x + y)[0]").unwrap();
    assert!(expression.uses_whole("parameters") && expression.uses_whole("y") && !expression.uses_whole("trial"));
    assert_eq!(
        expression.variables().iter().map(String::as_str).collect::<Vec<_>>(),
        ["parameters", "trial", "y"]
    );
}

#[test]
fn length_and_depth_are_bounded() {
    for source in [
        "(".repeat(1000),
        "!".repeat(1000),
        "- ".repeat(500),
        "[".repeat(1000),
        "a?b:".repeat(250) + "c",
        format!("{}1{}", "-(".repeat(300), ")".repeat(300)),
        "1".to_owned() + &"+1".repeat(500),
        "a".to_owned() + &".b".repeat(500),
        "a".to_owned() + &"[0]".repeat(300),
        "a".to_owned() + &".map(x,x)".repeat(100),
        "x".repeat(MAX_EXPRESSION + 1),
    ] {
        let error = Expression::compile(&source).map(|_| ()).unwrap_err();
        assert!(error.len() < 200, "{error}");
    }
    let chain = (1..=20)
        .map(|i| format!("parameters.units_{i}"))
        .collect::<Vec<_>>()
        .join(" + ");
    assert!(Expression::compile(&chain).is_ok());
    let chain = (1..=60)
        .map(|i| format!("has(parameters.u{i})"))
        .collect::<Vec<_>>()
        .join(" && ");
    assert!(chain.len() > MAX_EXPRESSION || Expression::compile(&chain).is_ok());
}

/// The deepest that compiles is compiled, evaluated and dropped on less stack than any thread has.
#[test]
fn the_deepest_expression_needs_little_stack() {
    let work = || {
        let mut compiled = 0;
        for n in MAX_DEPTH - 6..=MAX_DEPTH {
            for source in [
                format!("{}1{}", "(1+".repeat(n), ")".repeat(n)),
                format!("{}1{}", "[".repeat(n), "]".repeat(n)),
                "1".to_owned() + &"+1".repeat(n),
                "true?1:".repeat(n) + "2",
                format!("{}1{}", "-(-1*".repeat(n), ")".repeat(n)),
                format!("[1].map(x,[2].map(y,{}x{}))", "[".repeat(n), "]".repeat(n)),
            ] {
                if let Ok(expression) = Expression::compile(&source) {
                    expression.evaluate(&variables()).unwrap();
                    compiled += 1;
                }
            }
        }
        assert!(compiled > 20, "{compiled}");
    };
    std::thread::Builder::new()
        .stack_size(3 << 19)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn no_expression_keeps_the_program_busy() {
    let list = format!("[{}]", vec!["1"; 100].join(","));
    let mut wide = Variables::default();
    wide.set("parameters", &json!({"l": vec![1; 20_000]}));
    for source in [
        format!("[1,1]{}", ".map(x,[x,x])".repeat(40)),
        format!("['aaaaaaaaaaaaaaaa']{}", ".map(x,x+x+x+x)".repeat(40)),
        format!("{list}.map(a,{list}).map(b,b+b).map(c,{list}.map(d,c+c+c+c))"),
        "parameters.l.map(x, parameters.l.map(y, x * y))".to_owned(),
        "[parameters.l,parameters.l].map(x,[x,x,x,x,x,x,x,x].map(y,[y,y,y,y,y,y]))".to_owned(),
    ] {
        let error = Expression::compile(&source)
            .and_then(|e| e.evaluate(&wide))
            .unwrap_err();
        assert!(
            error.contains("could take too long") || error.contains("nested"),
            "{source}: {error}"
        );
    }
    for source in [
        "parameters.l.all(x, x == 1)",
        "size(parameters.l.map(x, x + 1).filter(y, y > 1)) == 20000",
        "parameters.l.map(x, {'value': x})[0].value == 1",
    ] {
        let expression = Expression::compile(source).unwrap();
        assert_eq!(expression.evaluate(&wide), Ok(json!(true)), "{source}");
    }
}

#[test]
fn templates() {
    let render = |source: &str| Template::compile(source)?.render(&variables());
    for (source, expected) in [
        ("", ""),
        ("plain {{workflow.name}} $ $x }", "plain {{workflow.name}} $ $x }"),
        ("--lr ${parameters.lr} ${ parameters.units }", "--lr 1e-7 32"),
        ("${parameters.units},${parameters.optimizer}", "32,adam"),
        ("$${parameters.lr} ${parameters.units}$", "${parameters.lr} 32$"),
        ("$$${x}", "$${x}"),
        ("${{'a': {'b': 1}}.a.b}", "1"),
        ("${'}' + \"}\" + '''}'''}", "}}}"),
        (
            "{\"lr\": ${parameters.lr}, \"o\": ${json(parameters.optimizer)}}",
            r#"{"lr": 1e-7, "o": "adam"}"#,
        ),
        ("${parameters.head}", r#"{"kind":"mlp","width":8}"#),
        ("${parameters.none}${parameters.nesterov}", "nulltrue"),
        ("é${'ü'}é", "éüé"),
    ] {
        assert_eq!(render(source), Ok(expected.to_owned()), "{source}");
    }
    for (source, expected) in [
        (
            "a ${parameters.lr",
            "the `${` at column 3 is never closed; end it with `}`, or write `$${` for the characters themselves",
        ),
        ("x${}", "in the `${...}` at column 2: the expression is empty"),
        (
            "${ 1 + }",
            "in the `${...}` at column 1: column 6: expected a value, found the end",
        ),
        ("${parameters.momentum}", "parameters.momentum has no value here"),
        (
            "${parameters.lr} ${parameters.momentum}",
            "in the `${...}` at column 18: parameters.momentum has no value here",
        ),
    ] {
        assert_eq!(render(source), Err(expected.to_owned()), "{source}");
    }
    assert!(Template::compile(&"x".repeat(MAX_TEMPLATE + 1)).is_err());
    let template = Template::compile("${parameters.a} ${trial.number}").unwrap();
    assert_eq!(template.expressions().count(), 2);
    let places: Vec<_> = template
        .parts()
        .map(|part| match part {
            Part::Text(text) => text.to_owned(),
            Part::Value { place, .. } => place.to_owned(),
        })
        .collect();
    assert_eq!(places, ["column 1", " ", "column 17"]);
    let quoted = Template::compile("x=${parameters.optimizer}").unwrap();
    assert_eq!(
        quoted.render_with(&variables(), |t| format!("'{t}'")),
        Ok("x='adam'".to_owned())
    );
    let long = Template::compile(&"${json(parameters)}".repeat(800)).unwrap();
    let mut wide = Variables::default();
    wide.set("parameters", &json!({"s": "x".repeat(1000)}));
    assert_eq!(
        long.render(&wide),
        Err(format!("the text becomes longer than {MAX_RENDERED} bytes"))
    );
}

#[test]
fn shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Expression>();
    shared::<Template>();
    shared::<Variables>();
}

#[test]
fn reserved_words_are_no_names_of_parameters() {
    assert!(["in", "true", "while", "null"].into_iter().all(is_reserved));
    assert!(!["lr", "map", "size"].into_iter().any(is_reserved));
}
