/// The one of `known` that `found` was probably meant to be.
pub(crate) fn closest<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let found_lower = found.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|candidate| (distance(&found_lower, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(found.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
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
        ] {
            assert_eq!(closest(found, known), meant, "for {found}");
        }
    }
}
