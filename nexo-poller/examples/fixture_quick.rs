//! A plugin whose ticks take no time, for the benchmark of the daemon. It has eight kinds: of one kind, 64 ticks at most run at a
//! time, and each keeps its place until the store has its lease.

use std::process::ExitCode;

use nexo_poller::prelude::*;

macro_rules! quick {
    ($($name:ident $kind:tt)*) => {
        $(
            /// Counts its ticks.
            #[poller(kind = $kind, plugin_id = "quick", max_concurrent_ticks = 64, main = false)]
            async fn $name(Cursor(count): Cursor<u64>) -> Result<TickAck, PollerError> {
                TickAck::with_cursor(&(count + 1))
            }
        )*
    };
}

quick! {
    quick_0 "quick_0" quick_1 "quick_1" quick_2 "quick_2" quick_3 "quick_3"
    quick_4 "quick_4" quick_5 "quick_5" quick_6 "quick_6" quick_7 "quick_7"
}

fn main() -> ExitCode {
    let handler = PollerHandler::new().with(Quick0).with(Quick1).with(Quick2).with(Quick3);
    handler.with(Quick4).with(Quick5).with(Quick6).with(Quick7).main()
}
