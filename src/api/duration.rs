//! Durations as Go writes them, which is what Kubernetes and Argo users know.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest that can be written: short enough to be added to any time stamp of this millennium.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(6000 * 366 * 86_400);

/// A length of time, not negative, written as Go does: `90s`, `30m`, `1h30m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

impl Duration {
    /// That many whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// That long, or the longest that can be written: what is computed has to be read again.
    pub fn at_most(duration: std::time::Duration) -> Self {
        Self(duration.min(LONGEST))
    }

    /// As a span that can be added to a time stamp; at most some 290 years.
    pub fn signed(self) -> jiff::SignedDuration {
        jiff::SignedDuration::try_from(self.0).unwrap_or(jiff::SignedDuration::MAX)
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no duration: write it like 90s, 30m or 1h30m");
        let mut rest = text;
        let mut total = std::time::Duration::ZERO;
        loop {
            let digits = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, after) = rest.split_at(digits);
            let unit = after
                .find(|c: char| c == '.' || c.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(unit);
            let seconds = match unit {
                "ns" => 1e-9,
                "us" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(wrong()),
            };
            let number: f64 = number.parse().map_err(|_| wrong())?;
            let part = std::time::Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
            total = total.checked_add(part).filter(|t| *t <= LONGEST).ok_or_else(wrong)?;
            if after.is_empty() {
                return Ok(Self(total));
            }
            rest = after;
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        if nanos > 0 {
            let fraction = format!("{nanos:09}");
            write!(f, "{rest}.{}s", fraction.trim_end_matches('0'))?;
        } else if rest > 0 || seconds == 0 {
            write!(f, "{rest}s")?;
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let (rule, message) = super::rules::DURATION;
        json_schema!({
            "type": "string",
            "maxLength": 32,
            "x-kubernetes-validations": [{"rule": rule, "message": message}]
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn what_is_computed_can_be_read_again() {
        for seconds in [0, 90, LONGEST.as_secs(), LONGEST.as_secs() + 1, u64::MAX] {
            let duration = Duration::at_most(std::time::Duration::new(seconds, 999_999_999));
            assert_eq!(duration.to_string().parse(), Ok(duration), "{seconds}");
        }
    }

    #[test]
    fn reads_and_writes_go_durations() {
        for (text, seconds, shown) in [
            ("90s", 90.0, "1m30s"),
            ("30m", 1800.0, "30m"),
            ("1h30m", 5400.0, "1h30m"),
            ("1.5h", 5400.0, "1h30m"),
            ("100ms", 0.1, "0.1s"),
            ("0s", 0.0, "0s"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.0.as_secs_f64(), seconds, "{text}");
            assert_eq!(duration.to_string(), shown, "{text}");
        }
        for text in [
            "",
            "10",
            "-5s",
            "1 h",
            "h",
            "5x",
            "٣s",
            ".s",
            "1.1.1s",
            "1h30",
            "999999999999999999h",
            "NaNs",
            "infs",
            "1µ",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
