//! What holds for every space.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::*;

fn any_parameter() -> impl Strategy<Value = Value> {
    let scale = prop_oneof![Just("Linear"), Just("Log")];
    prop_oneof![
        (1e-6..1e3f64, 1e-3..1e6f64, scale.clone()).prop_map(|(min, width, scale)| json!({"double": {"min": min, "max": min + width, "scale": scale}})),
        (-1e3..1e3f64, 1e-3..1e3f64, any::<bool>(), any::<bool>()).prop_map(|(mean, stddev, low, high)| {
            let mut spec = json!({"normal": {"mean": mean, "stddev": stddev}});
            if low { spec["min"] = json!(mean - 2.0 * stddev); }
            if high { spec["max"] = json!(mean + stddev); }
            json!({"double": spec})
        }),
        (1i64..1000, 1i64..100, 1i64..10_000, 0i32..6, scale.clone()).prop_map(|(min, step, count, digits, scale)| {
            let decimal = |v: i64| format!("{v}e-{digits}").parse::<f64>().unwrap();
            json!({"double": {"min": decimal(min), "max": decimal(min + step * count), "step": decimal(step), "scale": scale}})
        }),
        (1i64..1000, 1i64..100, 1i64..1_000_000, scale).prop_map(|(min, step, count, scale)| json!({"int": {"min": min, "max": min + step * count, "step": step, "scale": scale}})),
        (any::<i64>(), 1i64..i64::MAX / 4, 2u32..40).prop_map(|(min, step, count)| {
            let max = (i128::from(min) + i128::from(step) * i128::from(count)).min(i128::from(i64::MAX) - i128::from((i128::from(i64::MAX) - i128::from(min)).rem_euclid(i128::from(step)) as i64));
            if max <= i128::from(min) { json!({"constant": 1}) } else { json!({"int": {"min": min, "max": max as i64, "step": step}}) }
        }),
        (1usize..40).prop_map(|n| json!({"ordinal": {"values": (0..n).map(|i| json!({"v": i})).collect::<Vec<_>>()}})),
        prop::collection::vec(1e-3..1e3f64, 1..30).prop_map(|w| json!({"categorical": {"values": (0..w.len()).map(|i| format!("v{i}")).collect::<Vec<_>>(), "weights": w}})),
        (-10.0..10.0f64, 0.1..10.0f64).prop_map(|(mean, stddev)| json!({"double": {"normal": {"mean": mean, "stddev": stddev}, "min": -10, "max": 10, "step": 0.25}})),
        Just(json!({"constant": {"a": [1, null]}})),
    ]
}

proptest! {
    /// Whatever the space, a configuration comes back from the unit cube, from its JSON, and from that JSON's text.
    #[test]
    fn configurations_come_back(kinds in prop::collection::vec(any_parameter(), 1..8), seed in any::<u64>()) {
        let parameters: Vec<Parameter> = kinds.iter().enumerate().map(|(i, kind)| {
            let mut parameter = kind.clone();
            parameter["name"] = json!(format!("p{i}"));
            serde_json::from_value(parameter).unwrap()
        }).collect();
        let space = Space::compile(&parameters, &[]).unwrap_or_else(|e| panic!("{e}\n{kinds:?}"));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for round in 0..20 {
            let unit: Vec<f64> = (0..space.dimensions()).map(|_| match round { 0 => 0.0, 1 => 1.0, _ => rng.random() }).collect();
            let config = space.decode(&unit);
            prop_assert!(space.is_feasible(&config));
            let mut back = vec![f64::NAN; space.dimensions()];
            space.encode(&config, &mut back);
            prop_assert!(back.iter().all(|u| (0.0..=1.0).contains(u)));
            for ((slot, again), kind) in config.0.iter().zip(&space.decode(&back).0).zip(&kinds) {
                match (slot, again) {
                    (Slot::Double(a), Slot::Double(b)) if kind["double"]["step"].is_null() => {
                        let scale = a.abs().max(kind["double"]["normal"]["stddev"].as_f64().unwrap_or(0.0));
                        prop_assert!((a - b).abs() <= 1e-9 * scale, "{a} {b} {kind}");
                    }
                    (a, b) => prop_assert_eq!(a, b, "{}", kind),
                }
            }
            let written = space.write(&config);
            prop_assert_eq!(space.parse(&written), Some(config.clone()));
            prop_assert_eq!(space.read(&written), Ok(config.clone()));
            let text: ParameterMap = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
            prop_assert_eq!(space.parse(&text), Some(config));
        }
    }

    /// No unit vector and no JSON makes it panic.
    #[test]
    fn nothing_panics(kinds in prop::collection::vec(any_parameter(), 1..4), unit in prop::collection::vec(any::<f64>(), 0..6)) {
        let parameters: Vec<Parameter> = kinds.iter().enumerate().map(|(i, kind)| {
            let mut parameter = kind.clone();
            parameter["name"] = json!(format!("p{i}"));
            serde_json::from_value(parameter).unwrap()
        }).collect();
        let space = Space::compile(&parameters, &[]).unwrap();
        let config = space.decode(&unit);
        prop_assert_eq!(space.parse(&space.write(&config)), Some(config));
        for value in [json!(null), json!("x"), json!(1e300), json!(-1), json!(u64::MAX), json!([1]), json!(true)] {
            let _ = space.read(&(0..kinds.len()).map(|i| (format!("p{i}"), value.clone())).collect());
        }
    }

    /// Whatever somebody declares, compiling says so or gives a space.
    #[test]
    fn any_declaration_is_answered(min in any::<Option<f64>>(), max in any::<Option<f64>>(), step in any::<Option<f64>>(), normal in any::<Option<(f64, f64)>>(), log in any::<bool>(), a in any::<i64>(), b in any::<i64>(), by in any::<Option<i64>>()) {
        use crate::api::{Double, Int, Normal, Scale};
        let scale = if log { Scale::Log } else { Scale::Linear };
        let double = Double { min, max, step, scale, normal: normal.map(|(mean, stddev)| Normal { mean, stddev }) };
        let int = Int { min: a, max: b, step: by, scale };
        for parameter in [Parameter { name: "x".into(), double: Some(double), ..Default::default() }, Parameter { name: "x".into(), int: Some(int), ..Default::default() }] {
            if let Ok(space) = Space::compile(&[parameter], &[]) {
                for unit in [0.0, 0.3, 1.0] {
                    let config = space.decode(&[unit]);
                    prop_assert_eq!(space.parse(&space.write(&config)), Some(config));
                }
            }
        }
    }
}
