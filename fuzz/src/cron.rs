use nexo_poller::runner::Schedule;
use nexo_poller::store::UnixMs;

/// Zones with and without daylight saving, and one that there is not.
const ZONES: [Option<&str>; 4] = [None, Some("Europe/Berlin"), Some("Asia/Kathmandu"), Some("Mars/Olympus")];

/// What an expression may hold; noise of other bytes is refused at its first one.
const ALPHABET: &[u8] = b"0123456789*/,-? LWMONJAN#@";

/// A cron expression and an interval of a config: what is accepted fires, each time later than the last.
pub(crate) fn cron(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let text: String = if *first < 128 {
        String::from_utf8_lossy(rest).into_owned()
    } else {
        rest.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
    };
    let _ = Schedule::parse_every(&text);
    if let Ok(schedule) = Schedule::cron(&text, ZONES[usize::from(first % 4)]) {
        let now = UnixMs(1_774_700_000_000 + i64::from(*first) * 86_400_000);
        let firings = schedule.firings_after(now, 4, "job");
        assert!(firings.first().is_none_or(|first| *first > now), "{text:?} fires at {firings:?}, asked at {now:?}");
        assert!(firings.is_sorted_by(|one, next| one < next), "{text:?} fires at {firings:?}");
    }
}
