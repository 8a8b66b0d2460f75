use std::cell::RefCell;

use serde_json::Value;
use uuid::{Builder, Uuid};

/// The namespace of the ids that publishes get: the version 5 UUID of the project's URL (RFC 9562, section 5.5).
const NAMESPACE: Uuid = Uuid::from_u128(0xc985_81c9_169a_54b5_b2a0_5612_4bc3_0ec1);

/// Random bytes are asked of the kernel for this many ids at once: a tick takes five ids.
const IDS_AT_ONCE: usize = 64;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [[0; 16]; IDS_AT_ONCE], left: 0 }) };
}

/// Random bytes that were not used yet.
struct Pool {
    bytes: [[u8; 16]; IDS_AT_ONCE],
    left: usize,
}

impl Pool {
    fn next(&mut self) -> Option<[u8; 16]> {
        if self.left == 0 {
            getrandom::fill(self.bytes.as_flattened_mut()).ok()?;
            self.left = IDS_AT_ONCE;
        }
        self.left -= 1;
        // Taken out, not copied: an id that was used must not be found in memory again.
        Some(std::mem::take(&mut self.bytes[self.left]))
    }
}

/// A random (version 4) UUID. Nobody can guess it: an answer is accepted from whoever knows where it is to go.
#[must_use]
pub fn random_id() -> String {
    let bytes = POOL.try_with(|pool| pool.try_borrow_mut().ok()?.next()).ok().flatten();
    bytes.map_or_else(Uuid::new_v4, |bytes| Builder::from_random_bytes(bytes).into_uuid()).to_string()
}

/// The event id of one publish, derived from what is published and from where: no clock and no attempt number enter, so
/// a repeated tick repeats the id and downstream can drop the second copy. Nor does the order of an object's keys: a poller's
/// crates decide about that when they are built, and the same message has one id in every build. A tick that publishes the same
/// content twice gives the second message another id, see [`SentIds`](super::SentIds).
#[must_use]
pub fn publish_id(kind: &str, job_id: &str, topic: &str, payload: &Value, cursor_before: Option<&[u8]>) -> String {
    let mut payload = payload.clone();
    payload.sort_all_objects();
    let payload = payload.to_string();
    let cursor = cursor_before.unwrap_or_default();
    let parts = [kind.as_bytes(), job_id.as_bytes(), topic.as_bytes(), payload.as_bytes(), cursor];
    let mut name = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        // The length stands before each part, so that ("ab", "c") and ("a", "bc") differ.
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part);
    }
    Uuid::new_v5(&NAMESPACE, &name).to_string()
}

/// Whether other programs can read `text` as the id of an event, or of a session.
pub(super) fn is_id(text: &str) -> bool {
    Uuid::try_parse(text).is_ok()
}

/// The id of an event of `source` whose own id is `text`, which is no UUID. The same text has the same id, so that what is published
/// again is known again; where there is none, nothing tells a repeat from a second message, and none must be lost.
pub(super) fn id_of_text(source: &str, text: &str) -> String {
    if text.is_empty() {
        return random_id();
    }
    Uuid::new_v5(&NAMESPACE, [source, text].join("\0").as_bytes()).to_string()
}

/// The event id of a further message of the same content in the same tick: its `copy`-th after the `first`.
pub(crate) fn copy_id(first: &str, copy: u32) -> String {
    Uuid::new_v5(&NAMESPACE, &[first.as_bytes(), &copy.to_be_bytes()].concat()).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::{IDS_AT_ONCE, copy_id, publish_id, random_id};

    #[test]
    fn random_ids_are_version_4_uuids_and_never_the_same_on_any_thread() {
        let make = || (0..3 * IDS_AT_ONCE).map(|_| random_id()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
        let ids: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert!(ids.iter().all(|id| id.parse::<Uuid>().unwrap().get_version_num() == 4));
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 4 * 3 * IDS_AT_ONCE);
    }

    #[test]
    fn the_same_publish_has_the_same_id_and_any_difference_changes_it() {
        let base = publish_id("jira", "ana", "a.b", &json!({}), Some(b"1"));
        // Downstream remembers ids of older versions, and builds of several versions share jobs: no release may change one.
        assert_eq!(
            (&*base, &*copy_id(&base, 1)),
            ("35ddcdb0-d1e8-583d-a5f0-b42724515465", "21f1561a-d18d-5968-aa1c-32b25b650cd4")
        );
        assert_eq!(base, publish_id("jira", "ana", "a.b", &json!({}), Some(b"1")));
        let (one, other): (Value, Value) =
            (serde_json::from_str(r#"{"a":{"b":1,"c":2},"d":3}"#).unwrap(), json!({"d": 3, "a": {"c": 2, "b": 1}}));
        assert_eq!(publish_id("jira", "ana", "a.b", &one, None), publish_id("jira", "ana", "a.b", &other, None));
        for other in [
            publish_id("jirb", "ana", "a.b", &json!({}), Some(b"1")),
            publish_id("jira", "anb", "a.b", &json!({}), Some(b"1")),
            publish_id("jira", "ana", "a.c", &json!({}), Some(b"1")),
            publish_id("jira", "ana", "a.b", &json!([]), Some(b"1")),
            publish_id("jira", "ana", "a.b", &json!({}), Some(b"2")),
            publish_id("jir", "aana", "a.b", &json!({}), Some(b"1")),
        ] {
            assert_ne!(base, other);
        }
    }
}
