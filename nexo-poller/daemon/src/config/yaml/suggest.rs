use strsim::osa_distance;

/// A longer word is not a slip of anything, and would take long to compare.
const LONGEST: usize = 64;

/// The one of `known` that `found` was probably meant to be.
pub(crate) fn closest<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if found.len() > LONGEST {
        return None;
    }
    let found_lower = found.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|candidate| (osa_distance(&found_lower, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(found.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_finds_the_key_that_was_meant_and_a_stranger_finds_none() {
        let known = ["id", "kind", "agent", "schedule", "config", "failure_to", "paused_on_boot"];
        for (found, meant) in [
            ("schedul", Some("schedule")),
            ("shcedule", Some("schedule")),
            ("Failure-To", Some("failure_to")),
            ("knid", Some("kind")),
            ("payload", None),
            ("", None),
            (&"schedule".repeat(30), None),
        ] {
            assert_eq!(closest(found, known), meant, "for {found}");
        }
    }
}
