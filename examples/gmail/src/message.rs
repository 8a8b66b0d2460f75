use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nexo_poller::prelude::*;

/// A message, as far as this poller cares.
pub(crate) struct Message {
    /// Its text; where it has none but HTML, that.
    pub(crate) body: String,
    /// What a template can name of it.
    pub(crate) fields: Value,
    from: String,
}

impl Message {
    /// Reads what `messages.get` answers.
    pub(crate) fn read(message: &Value) -> Self {
        let part = &message["payload"];
        let header = |wanted: &str| {
            let mut headers = part["headers"].as_array().into_iter().flatten();
            let header =
                headers.find(|header| header["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(wanted)));
            header.and_then(|header| header["value"].as_str()).unwrap_or_default().to_owned()
        };
        let body = text_of(part, "text/plain").or_else(|| text_of(part, "text/html")).unwrap_or_default();
        let text = |key: &str| message[key].as_str().unwrap_or_default();
        let from = header("from");
        let fields = json!({
            "id": text("id"), "thread_id": text("threadId"), "subject": header("subject"), "from": from, "to": header("to"),
            "date": header("date"), "snippet": text("snippet"), "body": body,
        });
        Self { body, fields, from }
    }

    /// Whether `sender`, an address or `@domain`, wrote it.
    pub(crate) fn is_from(&self, sender: &str) -> bool {
        let address = self.from.rsplit_once('<').map_or(self.from.as_str(), |(_, rest)| rest.trim_end_matches('>'));
        let (address, sender) = (address.trim().to_lowercase(), sender.to_lowercase());
        if sender.starts_with('@') { address.ends_with(&sender) } else { address == sender }
    }
}

/// The first part of the type `wanted`, however deep it is.
fn text_of(part: &Value, wanted: &str) -> Option<String> {
    let is_attachment = part["filename"].as_str().is_some_and(|name| !name.is_empty());
    if part["mimeType"] == wanted && !is_attachment {
        // Some mail comes with padding.
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part["body"]["data"].as_str()?.trim_end_matches('=')).ok()?;
        return Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    part["parts"].as_array()?.iter().find_map(|part| text_of(part, wanted))
}
