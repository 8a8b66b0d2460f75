//! Lines that a daemon or a plugin might send: valid ones, broken ones, and noise.

/// Frames and bodies that are valid; mutation starts from these.
const LINES: [&str; 12] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"nexo_version":"0.3.0"}}"#,
    r#"{"jsonrpc":"2.0","method":"broker.event","params":{"topic":"plugin.poller.jira.tick","event":{"id":"a","timestamp":"2026-05-17T10:00:00Z","topic":"plugin.poller.jira.tick","source":"daemon","session_id":null,"payload":{"id":"b","topic":"t","reply_to":"_inbox.req.1","payload":{"method":"poll_tick","params":{"kind":"jira","job_id":"j","agent_id":"ana","cursor":"e30","config":{"a":[1,2.5]},"now":"2026-05-17T10:00:00+00:00","interval_hint_secs":300}}}}}}"#,
    r#"{"jsonrpc":"2.0","method":"broker.publish","params":{"topic":"_inbox.req.1","event":{"payload":{"id":"c","payload":{"result":{"next_cursor":"e30="}}}}}}"#,
    r#"{"jsonrpc":"2.0","id":"shutdown","result":{"ok":true}}"#,
    r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"no"}}"#,
    r#"{"method":"poll_tick","params":{"kind":"jira","job_id":"j","cursor":null,"config":{},"now":"2026-05-17T10:00:00Z"}}"#,
    r#"{"kind":"jira","job_id":"j","interval_hint_secs":1e300}"#,
    r#"{"result":{"next_cursor":"YWJj","next_interval_secs":120,"metrics":{"items_seen":5,"items_dispatched":2}}}"#,
    r#"{"next_cursor":"","next_interval_secs":-1}"#,
    r#"{"error":{"code":-32001,"message":"slow","data":{"retry_after_secs":30,"kind":"rate_limited"}}}"#,
    r#"{"method":"credentials_get","params":{"channel":"google","agent_id":"ana"},"agent_id":"ana","job_id":"j"}"#,
    r#"{"manifest":{"plugin":{"id":"jira","version":"0.1.0","name":"J","entrypoint":{"command":"j"},"poller":{"kinds":["jira"],"broker_topic_prefix":"p"}}},"server_version":"jira-0.1.0"}"#,
];

/// Bytes that matter to a reader of JSON lines, put in where mutation adds one.
pub(crate) const SHARP: &[u8] = b"\n\r\"\\{}[]:,0-9eE.\0\x7f\xc3\xed\xa0\xff tfn";

/// Decisions taken from an input, byte by byte: whoever changes the input changes what is decided, and nothing else does. When it is
/// used up, each decision is the first of its choices.
pub(crate) struct Choices<'i>(&'i [u8]);

impl<'i> Choices<'i> {
    pub(crate) fn new(input: &'i [u8]) -> Self {
        Self(input)
    }

    /// A number below `bound`, of two bytes where one is not enough.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let high = if bound > 256 { self.byte() << 8 } else { 0 };
        (high | self.byte()) % bound.max(1)
    }

    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }
}

/// The bytes that `input` stands for: one in eight is noise, itself; the others are valid lines with some mistakes in them.
pub(crate) fn lines(input: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(input);
    if choices.below(8) == 0 {
        return choices.0.to_vec();
    }
    let mut text = LINES[choices.below(LINES.len())].as_bytes().to_vec();
    for _ in 0..choices.below(4) {
        let length = text.len();
        let at = choices.below(length);
        let end = (at + 1 + choices.below(16)).min(length);
        match choices.below(7) {
            0 if at < length => text[at] ^= 1 << choices.below(8),
            1 if at < length => text[at] = SHARP[choices.below(SHARP.len())],
            2 => text.insert(at, SHARP[choices.below(SHARP.len())]),
            3 => drop(text.drain(at.min(end)..end)),
            4 => text.truncate(at),
            5 if at < end => {
                let piece = text[at..end].to_vec();
                let to = choices.below(length);
                text.splice(to..to, piece);
            }
            _ => text.extend_from_slice(LINES[choices.below(LINES.len())].as_bytes()),
        }
    }
    text
}
