use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::task::AbortHandle;

use super::bucket::Bucket;
use super::job_view::JobView;
use crate::store::Clock;

/// Leases of others that we wait for are looked at this often. A takeover comes this much later at most than the lease's
/// length after its last renewal.
const LOOK: Duration = Duration::from_millis(500);

/// Leases that are looked at at once.
const AT_ONCE: usize = 64;

/// The leases of others that somebody here waits for. They are read again and again rather than watched: a watch is a
/// consumer on the server, which can die in silence, and there are few of them.
pub(super) struct Watched {
    views: Arc<Mutex<HashMap<i64, Arc<JobView>>>>,
    task: AbortHandle,
}

impl Watched {
    pub(super) fn start(bucket: Arc<Bucket>, clock: Arc<dyn Clock>) -> Self {
        let views: Arc<Mutex<HashMap<i64, Arc<JobView>>>> = Arc::default();
        let task = tokio::spawn(look(Arc::clone(&views), bucket, clock)).abort_handle();
        Self { views, task }
    }

    /// Looks at `view` until its lease is given back.
    pub(super) fn add(&self, key: i64, view: Arc<JobView>) {
        self.views.lock().unwrap_or_else(PoisonError::into_inner).insert(key, view);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(views: Arc<Mutex<HashMap<i64, Arc<JobView>>>>, bucket: Arc<Bucket>, clock: Arc<dyn Clock>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let waiting: Vec<_> = {
            let views = views.lock().unwrap_or_else(PoisonError::into_inner);
            views.iter().map(|(key, view)| (*key, Arc::clone(view))).collect()
        };
        let looking = waiting.into_iter().map(|(key, view)| {
            let (bucket, clock) = (&bucket, &clock);
            async move { (key, view.look_again(bucket, &**clock).await) }
        });
        let mut looking = futures_util::stream::iter(looking.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
        while let Some((key, held)) = looking.next().await {
            // What cannot be read now is read the next time.
            if matches!(held, Ok(false)) {
                views.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            }
        }
    }
}
