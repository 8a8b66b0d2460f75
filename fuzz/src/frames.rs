use nexo_poller::unstable::{Frame, FrameKind};
use nexo_poller::wire::{Event, HostCall, TickOrder, TickReply, open_answer, open_host_answer, open_request};
use serde_json::Value;

use crate::lines::lines;

/// A line of the stdio bridge, and whatever it carries.
pub(crate) fn frames(input: &[u8]) {
    read(&String::from_utf8_lossy(&lines(input)));
}

/// Everything that reads a line of the other side.
pub(crate) fn read(line: &str) {
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
