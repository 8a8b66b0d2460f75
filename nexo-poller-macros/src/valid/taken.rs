use proc_macro2::Ident;
use syn::ext::IdentExt;

#[cfg(test)]
mod tests;

/// Every item of `nexo_poller::prelude` that a function, or the struct generated from it, would hide. Macros are not
/// among them: they have a namespace of their own. A copy, because the published macro cannot read the
/// library's source; a test compares the two.
const PRELUDE: [&str; 30] = [
    "CancellationToken",
    "Config",
    "Cursor",
    "DateTime",
    "Deliver",
    "Deserialize",
    "FromTick",
    "HostError",
    "HttpStatus",
    "JsonSchema",
    "LlmInvokeRequest",
    "LlmInvokeResponse",
    "LlmMessage",
    "LogLevel",
    "MessageTemplate",
    "PollContext",
    "Poller",
    "PollerError",
    "PollerHandler",
    "PollerHost",
    "ResultExt",
    "Serialize",
    "State",
    "TemplateFields",
    "TickAck",
    "TickMetrics",
    "Utc",
    "Value",
    "WarmState",
    "read_retry_after",
];

/// What nearly every poller uses of Rust's own prelude.
const STANDARD: [&str; 9] = ["Box", "Err", "None", "Ok", "Option", "Result", "Some", "String", "Vec"];

/// What is wrong with the name of a function, where it or the struct `poller` generated from it would hide an item that
/// pollers use.
pub(super) fn hidden_by(function: &Ident, poller: &Ident) -> Option<String> {
    let function = function.unraw();
    if PRELUDE.iter().any(|item| function == item) {
        return Some(format!(
            "a function called `{function}` would hide `{function}` of `nexo_poller::prelude`: \
             give the function another name (the kind can stay as it is)"
        ));
    }
    let from = if PRELUDE.iter().any(|item| poller == item) {
        "nexo_poller::prelude"
    } else if STANDARD.iter().any(|item| poller == item) {
        "std::prelude"
    } else {
        return None;
    };
    Some(format!(
        "`#[poller]` generates a struct called `{poller}`, which would hide `{poller}` of `{from}`: \
         give the function another name (the kind can stay as it is)"
    ))
}
