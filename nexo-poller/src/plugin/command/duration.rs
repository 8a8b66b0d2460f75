use std::time::Duration;

/// A length of time with its unit, up to a day: `500ms`, `10s`, `5m`, `1h`. Never zero.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = number.checked_mul(match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    })?;
    (1..=86_400_000).contains(&millis).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit_and_ends_at_a_day() {
        for (text, millis) in [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("24h", 86_400_000)] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "10", "s", "0s", "-1s", "25h", "1d", "1.5s", "1 s", "99999999999999999999s", "18446744073709551615h"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered_without_a_panic(text in ".{0,12}") {
            let _ = parse_duration(&text);
        }
    }
}
