use nexo_google_auth::{Google, address};
use nexo_poller::prelude::*;
use url::Url;

/// More messages than this are not listed: the newest of them wait until others were read.
const MOST_LISTED: usize = 5_000;

/// The messages of one account.
pub(crate) struct Messages {
    google: Google,
    /// Where they are.
    url: Url,
}

impl Messages {
    pub(crate) fn new(google: Google, api: Option<&Url>) -> Result<Self, PollerError> {
        let url = address(api, "https://gmail.googleapis.com/gmail/v1", &["users", "me", "messages"])?;
        Ok(Self { google, url })
    }

    /// The ids of the messages that `query` finds, newest first.
    pub(crate) async fn list(&self, query: &str) -> Result<Vec<String>, PollerError> {
        let (mut ids, mut place) = (Vec::new(), None::<String>);
        loop {
            let mut url = self.url.clone();
            url.query_pairs_mut().extend_pairs([("q", query), ("maxResults", "500")]);
            url.query_pairs_mut().extend_pairs(place.iter().map(|place| ("pageToken", place)));
            let page = self.google.get(url).await?.json()?;
            // Where nothing is found, there is no list.
            let found = page["messages"].as_array().into_iter().flatten();
            ids.extend(found.filter_map(|message| message["id"].as_str().map(str::to_owned)));
            place = page["nextPageToken"].as_str().map(str::to_owned);
            if place.is_none() || ids.len() >= MOST_LISTED {
                return Ok(ids);
            }
        }
    }

    /// A message, whole.
    pub(crate) async fn get(&self, id: &str) -> Result<Value, PollerError> {
        let mut url = address(Some(&self.url), "", &[id])?;
        url.query_pairs_mut().append_pair("format", "full");
        self.google.get(url).await?.json()
    }

    /// Takes the label away that makes a message unread.
    pub(crate) async fn mark_read(&self, id: &str) -> Result<(), PollerError> {
        let url = address(Some(&self.url), "", &[id, "modify"])?;
        self.google.post(url, json!({ "removeLabelIds": ["UNREAD"] })).await?.json().map(drop)
    }
}
