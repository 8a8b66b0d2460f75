//! Everything that is written to a bucket of job state, as it happens, and what must hold of it.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use nexo_poller::wire::decode_cursor;
use serde_json::Value;

use crate::home::PATIENCE;

/// One write.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) at: Instant,
    pub(crate) sequence: u64,
    pub(crate) job: String,
    pub(crate) epoch: u64,
    /// Who holds the lease after it.
    pub(crate) holder: Option<String>,
    /// The cursor as the number that the fixture counts in it.
    pub(crate) count: Option<u64>,
}

/// Listens to a bucket until it is dropped.
pub(crate) struct Recorder {
    writes: Receiver<Write>,
    pub(crate) all: Vec<Write>,
}

impl Recorder {
    /// The bucket must be there: a daemon has booted with it.
    pub(crate) fn start(url: &str, bucket: &str) -> Self {
        let (sender, writes) = channel();
        let (url, bucket) = (url.to_owned(), bucket.to_owned());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = async_nats::connect(url.split(',').collect::<Vec<_>>()).await.unwrap();
                let bucket = async_nats::jetstream::new(client).get_key_value(bucket).await.unwrap();
                let mut entries = bucket.watch_all_from_revision(1).await.unwrap();
                while let Some(entry) = entries.next().await {
                    // A server that is away says so; the watch comes back by itself.
                    let Ok(entry) = entry else { continue };
                    let value: Value = serde_json::from_slice(&entry.value).unwrap();
                    let write = Write {
                        at: Instant::now(),
                        sequence: entry.revision,
                        job: value["id"].as_str().unwrap().to_owned(),
                        epoch: value["epoch"].as_u64().unwrap(),
                        holder: value["lease"]["owner"].as_str().map(str::to_owned),
                        count: value["state"]["cursor"]
                            .as_str()
                            .and_then(|cursor| std::str::from_utf8(&decode_cursor(cursor).unwrap()).ok()?.parse().ok()),
                    };
                    if sender.send(write).is_err() {
                        return;
                    }
                }
            });
        });
        Self { writes, all: Vec::new() }
    }

    /// Waits until what was written satisfies `done`.
    pub(crate) fn wait_until(&mut self, what: &str, limit: Duration, done: impl Fn(&[Write]) -> bool) {
        let deadline = Instant::now() + limit;
        while !done(&self.all) {
            let Ok(write) = self.writes.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
                let last: BTreeMap<_, _> = self.all.iter().map(|write| (&write.job, write)).collect();
                panic!("{what} did not come within {limit:?}; last writes: {last:#?}");
            };
            self.all.push(write);
        }
    }

    /// Waits until each of `jobs` was committed `times` more.
    pub(crate) fn wait_for_commits(&mut self, jobs: &[String], times: usize) {
        let from = self.all.len();
        self.wait_until("some more commits of each job", PATIENCE * 2, |all| {
            jobs.iter().all(|job| {
                all[from..].iter().filter(|write| write.job == *job && write.holder.is_none()).count() >= times
            })
        });
    }

    /// Who claimed a job, in order, with when.
    pub(crate) fn claims<'a>(&'a self, job: &'a str) -> impl Iterator<Item = &'a Write> {
        self.all.iter().filter(move |write| write.job == job && write.holder.is_some())
    }

    /// The number of the server (`n0`, `n1` …) that leads the bucket's stream.
    pub(crate) fn leader(&self, url: &str) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = async_nats::connect(url.split(',').collect::<Vec<_>>()).await.unwrap();
            let info = client.request("$JS.API.STREAM.INFO.KV_pollers", "".into()).await.unwrap();
            let info: Value = serde_json::from_slice(&info.payload).unwrap();
            info["cluster"]["leader"].as_str().unwrap().trim_start_matches('n').parse().unwrap()
        })
    }

    /// What must hold whatever happens: epochs grow, cursors never go back and never skip, and a lease passes from one
    /// daemon to another only where the epoch has grown.
    pub(crate) fn check(&self) {
        let mut last: BTreeMap<&str, &Write> = BTreeMap::new();
        for write in &self.all {
            if let Some(before) = last.insert(&write.job, write) {
                assert!(write.sequence > before.sequence, "{before:?} then {write:?}");
                assert!(write.epoch >= before.epoch, "an epoch went back: {before:?} then {write:?}");
                let (was, is) = (before.count.unwrap_or(0), write.count.unwrap_or(0));
                assert!(is == was || is == was + 1, "a cursor was lost or went back: {before:?} then {write:?}");
                if before.holder.is_some() && write.holder.is_some() && before.holder != write.holder {
                    assert!(write.epoch > before.epoch, "a lease changed hands unfenced: {before:?} then {write:?}");
                }
            }
        }
    }
}
