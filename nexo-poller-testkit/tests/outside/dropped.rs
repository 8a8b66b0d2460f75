//! A job that asks a server which was dropped. In a process of its own: only the servers that were dropped last are remembered.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use nexo_poller::prelude::*;
use nexo_poller_testkit::http::{Exchange, HttpReplay, Recording};
use nexo_poller_testkit::{JobTest, MockPollerHost};

use crate::own_process;

/// Asks what its config says.
struct Asks;

#[async_trait]
impl Poller for Asks {
    fn kind(&self) -> &'static str {
        "asks"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let url = ctx.config["url"].as_str().unwrap().to_owned();
        let asked = tokio::task::spawn_blocking(move || ureq::get(&url).call().map(|_| ()));
        asked.await.unwrap().transient("the service").map(|()| TickAck::new())
    }
}

#[tokio::test]
async fn a_job_that_has_outlived_its_server_is_told_so() {
    if !own_process::is_alone("dropped::a_job_that_has_outlived_its_server_is_told_so") {
        return;
    }
    let job = |server: &HttpReplay| {
        JobTest::with_host(Asks, &MockPollerHost::new()).config(json!({"url": server.url("/issues")}))
    };
    let recording = || Recording::from([Exchange::get("/issues")]);
    let server = HttpReplay::of(recording());
    job(&server).tick().await;
    let mut job = job(&HttpReplay::of(recording()));
    let ticked = tokio::spawn(async move { job.tick_expect_transient().await });
    let panic = ticked.await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("an HttpReplay was that has been dropped: keep it in a variable"), "{message}");
}
