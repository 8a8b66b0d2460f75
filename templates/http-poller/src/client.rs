use std::time::Duration;

use nexo_poller::prelude::*;
use ureq::Agent;
use url::Url;

/// The service, typed. One client with its connections for all jobs of the process: it is the poller's warm state.
#[derive(Clone)]
pub(crate) struct Client(Agent);

impl Default for Client {
    fn default() -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(20)))
            .http_status_as_error(false);
        Self(config.build().into())
    }
}

/// One page of the answer to `GET /items?after=…`, oldest first.
#[derive(Deserialize)]
pub(crate) struct Page {
    pub(crate) items: Vec<Item>,
    /// What to ask the next page for; absent on the last one.
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Item {
    pub(crate) id: u64,
    pub(crate) title: String,
}

impl Client {
    /// One page of what came after the item `after`. Blocks.
    pub(crate) fn items(
        &self,
        base_url: &Url,
        after: u64,
        page: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Page, PollerError> {
        let mut url = base_url
            .join("items")
            .permanent("`base_url` takes no path")?;
        url.query_pairs_mut()
            .append_pair("after", &after.to_string());
        if let Some(page) = page {
            url.query_pairs_mut().append_pair("page", page);
        }
        let mut response = self
            .0
            .get(url.as_str())
            .call()
            .transient("the service cannot be reached")?;
        let status = response.status().as_u16();
        if status != 200 {
            // 429 and 5xx are tried again, not before `Retry-After`; any other 4xx pauses the job with the reason.
            let pause = response
                .headers()
                .get("retry-after")
                .and_then(|value| read_retry_after(value.to_str().ok()?, now));
            let refused = HttpStatus::new("the service", status);
            return Err(refused.retry_after(pause).error());
        }
        response
            .body_mut()
            .read_json()
            .transient("the service's answer is not what was expected")
    }
}
