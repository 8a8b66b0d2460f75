use uuid::Uuid;

/// The namespace of the ids that publishes get: the version 5 UUID of the project's URL (RFC 9562, section 5.5).
const NAMESPACE: Uuid = Uuid::from_u128(0xc985_81c9_169a_54b5_b2a0_5612_4bc3_0ec1);

/// The event id of one publish, derived from what is published and from where: no clock and no attempt number enter, so
/// a repeated tick repeats the id and downstream can drop the second copy.
#[must_use]
pub fn publish_id(kind: &str, job_id: &str, topic: &str, payload: &[u8], cursor_before: Option<&[u8]>) -> String {
    let parts = [kind.as_bytes(), job_id.as_bytes(), topic.as_bytes(), payload, cursor_before.unwrap_or_default()];
    let mut name = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        // The length stands before each part, so that ("ab", "c") and ("a", "bc") differ.
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part);
    }
    Uuid::new_v5(&NAMESPACE, &name).to_string()
}

#[cfg(test)]
mod tests {
    use super::publish_id;

    #[test]
    fn the_same_publish_has_the_same_id_and_any_difference_changes_it() {
        let base = publish_id("jira", "ana", "a.b", b"{}", Some(b"1"));
        assert_eq!(base, publish_id("jira", "ana", "a.b", b"{}", Some(b"1")));
        for other in [
            publish_id("jirb", "ana", "a.b", b"{}", Some(b"1")),
            publish_id("jira", "anb", "a.b", b"{}", Some(b"1")),
            publish_id("jira", "ana", "a.c", b"{}", Some(b"1")),
            publish_id("jira", "ana", "a.b", b"[]", Some(b"1")),
            publish_id("jira", "ana", "a.b", b"{}", Some(b"2")),
            publish_id("jir", "aana", "a.b", b"{}", Some(b"1")),
        ] {
            assert_ne!(base, other);
        }
    }
}
