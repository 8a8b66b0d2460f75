mod plugin {
    use nexo_poller::prelude::*;

    #[poller(kind = "quiet")]
    async fn quiet() -> Result<TickAck, PollerError> {
        Ok(TickAck::new())
    }

    // `main` is made beside the function; here it is not the crate's own.
    pub const MAIN: fn() -> std::process::ExitCode = main;
}

fn main() {
    let _ = plugin::MAIN;
}
