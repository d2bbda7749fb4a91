//! Numbers, times and configurations as people like to read them in a terminal. What programs read has all digits and is written elsewhere.

use std::time::Duration;

use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{api::ParameterMap, expr};

/// A number with six significant digits at most.
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && value.is_finite() && !(1e-4..1e9).contains(&magnitude) {
        let text = format!("{value:.5e}");
        return match text.split_once('e') {
            Some((mantissa, exponent)) if mantissa.contains('.') => {
                format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
            }
            _ => text,
        };
    }
    let whole_digits = if magnitude < 1.0 {
        0
    } else {
        format!("{magnitude:.0}").len()
    };
    // Zeros after the point are no significant digits.
    let small = [0.1, 0.01, 0.001]
        .iter()
        .filter(|limit| magnitude < **limit && magnitude > 0.0)
        .count();
    let decimals = 6_usize.saturating_sub(whole_digits).saturating_add(small);
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A parameter's value, shortened where it is a number.
pub fn value(value: &Value) -> String {
    match value.as_f64() {
        Some(real) if value.is_f64() => number(real),
        _ => expr::text(value)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
    }
}

/// A configuration on one line.
pub fn parameters(parameters: &ParameterMap) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, v)| format!("{name}={}", value(v)))
        .collect();
    pairs.join(" ")
}

/// The beginning of a text, at most `columns` columns of a terminal wide: an ideograph or an emoji takes two.
pub fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(3);
    let fits = |c: &char| {
        let rest = left.checked_sub(c.width().unwrap_or(0));
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    let kept: String = text.chars().take_while(fits).collect();
    let dots = ".".repeat(columns.min(3));
    format!("{kept}{dots}")
}

/// A time that has passed, to the second, or finer where it is short.
pub fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds == 0 {
        return format!("{}ms", duration.as_millis());
    }
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0..10) => format!("{:.1}s", duration.as_secs_f64()),
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, _) => format!("{h}h{m:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_right() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1 + 0.2, "0.3"),
            (1.0 / 3.0, "0.333333"),
            (0.001_234_567_8, "0.00123457"),
            (0.000_012_345_678, "1.23457e-5"),
            (1e-7, "1e-7"),
            (123_456.789, "123457"),
            (1234.5678, "1234.57"),
            (12_345_678.0, "12345678"),
            (1e100, "1e100"),
            (-1.5e-300, "-1.5e-300"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn times_and_texts_are_short() {
        for (seconds, text) in [
            (0.04, "40ms"),
            (9.5, "9.5s"),
            (12.0, "12s"),
            (61.0, "1m01s"),
            (7325.0, "2h02m"),
        ] {
            assert_eq!(elapsed(Duration::from_secs_f64(seconds)), text);
        }
        assert_eq!(cut("abcdef", 5), "ab...");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("日本", 4), "日本");
        assert_eq!(cut("日本語", 5), "日...");
        assert_eq!(cut("a日本🎉x", 7), "a日...");
        assert_eq!(cut("abcdef", 2), "..");
    }
}
