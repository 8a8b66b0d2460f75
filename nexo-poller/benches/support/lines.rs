//! Lines that a daemon or a plugin might send, and what reads them: valid ones, broken ones, and noise.

use nexo_poller::broker::stdio::{Frame, FrameError, FrameKind, LineFramer};
use nexo_poller::manifest::Manifest;
use nexo_poller::wire::{Event, HostCall, TickOrder, TickReply, open_answer, open_host_answer, open_request};
use serde_json::Value;

const MANIFEST: &str = r#"
manifest_version = 2
[plugin]
id = "jira"
version = "0.1.0"
name = "Jira Poller"
min_nexo_version = ">=0.2.0"
[plugin.entrypoint]
command = "jira-poller"
[plugin.requires]
nexo_capabilities = ["broker"]
[plugin.capabilities.broker]
subscribe = ["plugin.poller.jira.tick", "_inbox.>"]
publish = ["daemon.rpc.jira", "plugin.outbound.>", "_inbox.>"]
[plugin.poller]
kinds = ["jira"]
broker_topic_prefix = "plugin.poller.jira"
"#;

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
const SHARP: &[u8] = b"\n\r\"\\{}[]:,0-9eE.\0\x7f\xc3\xed\xa0\xff tfn";

/// What is sent after every run: whatever came before, it must be read.
const SENTINEL: &str = r#"{"jsonrpc":"2.0","id":77,"result":{}}"#;

/// A seeded generator of numbers (splitmix64): a run that fails can be run again.
pub(crate) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Makes inputs and feeds them to everything that reads bytes of the other side.
pub(crate) struct Fuzzer {
    random: Random,
    framer: LineFramer,
    input: Vec<u8>,
    limit: usize,
    runs: u64,
}

impl Fuzzer {
    pub(crate) fn new(seed: u64) -> Self {
        let limit = 600;
        Self { random: Random(seed), framer: LineFramer::new(limit), input: Vec::new(), limit, runs: 0 }
    }

    /// One run: some bytes in some chunks, then a good line that must be found.
    pub(crate) fn run(&mut self) {
        self.input.clear();
        self.generate();
        self.input.push(b'\n');
        self.input.extend_from_slice(SENTINEL.as_bytes());
        self.input.push(b'\n');
        if self.runs.is_multiple_of(1024) {
            self.manifest();
        }
        self.runs += 1;
        let mut sentinel_read = false;
        let mut rest = self.input.as_slice();
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(1 + self.random.below(rest.len()));
            rest = later;
            self.framer.push(chunk);
            while let Some(line) = self.framer.next_line() {
                sentinel_read = matches!(line, Ok(SENTINEL));
                match line {
                    Ok(line) => {
                        assert!(line.len() <= self.limit && !line.contains('\n'));
                        read(line);
                    }
                    Err(FrameError::TooLong { length, limit, .. }) => assert!(length > limit as u64),
                    Err(_) => {}
                }
            }
        }
        assert!(sentinel_read && self.framer.rest().is_empty(), "a good line was lost after {:?}", self.input);
    }

    fn generate(&mut self) {
        let random = &mut self.random;
        if random.below(8) == 0 {
            for _ in 0..random.below(64) {
                self.input.push(random.next() as u8);
            }
            return;
        }
        self.input.extend_from_slice(LINES[random.below(LINES.len())].as_bytes());
        for _ in 0..random.below(4) {
            let length = self.input.len();
            let at = random.below(length);
            let end = (at + 1 + random.below(16)).min(length);
            match random.below(7) {
                0 if at < length => self.input[at] ^= 1 << random.below(8),
                1 if at < length => self.input[at] = SHARP[random.below(SHARP.len())],
                2 => self.input.insert(at, SHARP[random.below(SHARP.len())]),
                3 => drop(self.input.drain(at.min(end)..end)),
                4 => self.input.truncate(at),
                5 if at < end => {
                    let piece = self.input[at..end].to_vec();
                    let to = random.below(length);
                    self.input.splice(to..to, piece);
                }
                _ => self.input.extend_from_slice(LINES[random.below(LINES.len())].as_bytes()),
            }
        }
    }

    /// A manifest, with the run's own mutation in the middle of it.
    fn manifest(&mut self) {
        let mut text = MANIFEST.as_bytes().to_vec();
        for _ in 0..1 + self.random.below(3) {
            let at = self.random.below(text.len());
            text[at] = SHARP[self.random.below(SHARP.len())];
        }
        // Accepted or refused: it must return.
        let _ = Manifest::parse(&String::from_utf8_lossy(&text), "a fuzzed manifest");
        let _ = Manifest::from_handshake(&String::from_utf8_lossy(&self.input), "a fuzzed handshake");
    }
}

/// Everything that reads a line of the other side.
fn read(line: &str) {
    if let Some(FrameKind::Notification { params: Some(params), .. }) = Frame::read(line) {
        if let Ok(mut params) = serde_json::from_str::<Value>(params.get())
            && let Some(Ok(event)) = params.get_mut("event").map(|event| serde_json::from_value::<Event>(event.take()))
        {
            let (body, _) = open_request(&event.payload);
            let _ = (TickOrder::read(body), HostCall::read(body));
            let _ = TickReply::read(&open_answer(event.payload));
        }
        return;
    }
    if let Ok(body) = serde_json::from_str::<Value>(line) {
        let _ = (open_request(&body), TickOrder::read(&body), TickReply::read(&body), HostCall::read(&body));
        let _ = open_host_answer("credentials_get", Some("google"), open_answer(body));
    }
}
