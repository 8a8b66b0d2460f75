use std::time::{Duration, Instant};

use nexo_poller::contract::{ErrorClass, HostError};
use nexo_poller::manifest::{DeclaredPoller, PollerSection};

use super::mismatch::{Found, Mismatch, list, outcome};
use super::scene::{Scene, news, succeeds};
use super::{Suite, World};
use crate::{Fault, Method};

/// A tick that is told to stop has this long.
const CANCELLED_WITHIN: Duration = Duration::from_secs(5);
/// So many calls of one tick are made to fail, one after the other.
const MOST_CALLS: usize = 25;

pub(super) async fn host_calls<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let Scene { mut world, before } = suite.scene().await?;
    let mut job = suite.resumed(&world, before.as_deref());
    succeeds(&mut job, "a tick after `World::fill`").await?;
    let calls = job.host().calls();
    for (index, method) in calls.iter().enumerate().take(MOST_CALLS) {
        let number = calls[..=index].iter().filter(|call| *call == method).count() as u64;
        let away = HostError::unavailable("the daemon restarts");
        let missing = HostError::CredentialsMissing { channel: "any".to_owned(), reason: "revoked".to_owned() };
        let errors = if *method == Method::Credentials { vec![away, missing] } else { vec![away] };
        for error in errors {
            world.restore().await;
            let transient = !matches!(error, HostError::CredentialsMissing { .. });
            let mut job = suite.resumed(&world, before.as_deref());
            job.host().fault(Fault::on(*method).call(number).fails(error.clone()));
            let ticked = job.try_tick().await;
            let class = if transient { "a transient" } else { "a lasting" };
            let call = format!("call {number} of `{method}` fails ({error})");
            match &ticked {
                Err(error) if (error.class() == ErrorClass::Transient) == transient => {}
                // What is only told need not reach anybody.
                Ok(_) if matches!(method, Method::Log | Method::Metric) => continue,
                _ => return Err(Mismatch::new(format!("{class} error where {call}"), outcome(&ticked))),
            }
            if job.cursor_bytes() != before.as_deref() {
                return Err(Mismatch::new(format!("the cursor to stay where {call}"), "it has moved"));
            }
        }
    }
    Ok(())
}

pub(super) async fn cancellation<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let Scene { world, before } = suite.scene().await?;
    let mut job = suite.resumed(&world, before.as_deref());
    let started = Instant::now();
    let ticked = job.tick_cancelled_after(Duration::ZERO).await;
    if started.elapsed() < CANCELLED_WITHIN {
        return Ok(());
    }
    let expected = format!("an end within {} s of `cancel`", CANCELLED_WITHIN.as_secs());
    Err(Mismatch::new(expected, outcome(&ticked)))
}

pub(super) async fn deadline<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let seconds = P::DECLARATION.tick_timeout_secs.unwrap_or_else(PollerSection::default_tick_timeout_secs);
    let deadline = Duration::from_secs(seconds.into());
    let Scene { world, before } = suite.scene().await?;
    let mut job = suite.resumed(&world, before.as_deref());
    let started = Instant::now();
    succeeds(&mut job, "a tick within its deadline").await?;
    let took = started.elapsed();
    if took * 2 < deadline {
        return Ok(());
    }
    let expected = format!("a full tick to take less than half of its tick_timeout_secs = {seconds}");
    Err(Mismatch::new(expected, format!("{} s", took.as_secs_f64())))
}

pub(super) async fn shared_state<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let Scene { mut world, before } = suite.scene().await?;
    let mut seen = Vec::new();
    for id in ["one_job", "another_job"] {
        let mut job = suite.resumed(&world, before.as_deref()).id(id);
        succeeds(&mut job, "a tick after `World::fill`").await?;
        seen.push(news(&job)?);
        world.restore().await;
    }
    let payloads = |job: usize| seen[job].iter().map(|message| (&message.topic, &message.payload)).collect::<Vec<_>>();
    if payloads(0) == payloads(1) {
        return Ok(());
    }
    let expected =
        format!("another job to publish what the first did:\n{}", list(&seen[0])).replace('\n', "\n          ");
    Err(Mismatch::new(expected, list(&seen[1])))
}
