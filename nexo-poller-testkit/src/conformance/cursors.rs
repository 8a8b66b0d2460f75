use nexo_poller::contract::ErrorClass;
use nexo_poller::manifest::DeclaredPoller;
use nexo_poller::wire::{decode_cursor, encode_cursor};

use super::mismatch::{Found, Mismatch, list, outcome};
use super::scene::{Scene, drain, news, succeeds};
use super::{Suite, World};

pub(super) async fn empty<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let world = W::empty().await;
    let mut job = suite.job(&world);
    for tick in ["the first tick of an empty source", "the second tick of an empty source"] {
        succeeds(&mut job, tick).await?;
    }
    match job.host().published() {
        published if published.is_empty() => Ok(()),
        published => Err(Mismatch::new("nothing published from an empty source", list(&published))),
    }
}

pub(super) async fn repeated<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let Scene { world, before } = suite.scene().await?;
    let mut job = suite.resumed(&world, before.as_deref());
    succeeds(&mut job, "a tick after `World::fill`").await?;
    news(&job)?;
    drain(&mut job).await?;
    job.host().forget();
    succeeds(&mut job, "a tick after everything was published").await?;
    match job.host().published() {
        published if published.is_empty() => Ok(()),
        published => Err(Mismatch::new("nothing published again", list(&published))),
    }
}

pub(super) async fn round_trip<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let Scene { world, before } = suite.scene().await?;
    let mut job = suite.resumed(&world, before.as_deref());
    drain(&mut job).await?;
    let Some(cursor) = job.cursor_bytes().map(<[u8]>::to_vec) else {
        return Err(Mismatch::new("a cursor after a full tick", "none; turn this check off if that is meant"));
    };
    let travelled = decode_cursor(&encode_cursor(&cursor)).map_err(|error| Mismatch::new("a cursor", error))?;
    let mut elsewhere = suite.resumed(&world, Some(&travelled));
    succeeds(&mut elsewhere, "a tick that resumes from that cursor").await?;
    match elsewhere.host().published() {
        published if published.is_empty() => Ok(()),
        published => Err(Mismatch::new("nothing published by another process that resumes from it", list(&published))),
    }
}

pub(super) async fn old<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let Scene { mut world, before } = suite.scene().await?;
    let mut job = suite.resumed(&world, before.as_deref());
    succeeds(&mut job, "a tick after `World::fill`").await?;
    let first = news(&job)?;
    // The daemon was killed before it could store the new cursor.
    world.restore().await;
    let mut again = suite.resumed(&world, before.as_deref());
    succeeds(&mut again, "the same tick once more").await?;
    let second = again.host().published();
    if first == second {
        return Ok(());
    }
    let expected = format!("the same messages under the same ids:\n{}", list(&first)).replace('\n', "\n          ");
    Err(Mismatch::new(expected, list(&second)))
}

pub(super) async fn corrupt<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let Scene { world, .. } = suite.scene().await?;
    for broken in [b"\xff\xfe not a cursor".as_slice(), b"{\"half\":", b"[[[]]]"] {
        let mut job = suite.resumed(&world, Some(broken));
        let ticked = job.try_tick().await;
        let shown = String::from_utf8_lossy(broken);
        match &ticked {
            Err(error) if error.class() != ErrorClass::Transient && job.host().published().is_empty() => {}
            _ => {
                let expected = format!("the cursor `{shown}` to be refused for good, before anything is published");
                return Err(Mismatch::new(expected, outcome(&ticked)));
            }
        }
    }
    Ok(())
}
