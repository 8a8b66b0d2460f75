//! The recorded service on a port of this machine, to tick against without the real one.

use nexo_poller_testkit::http::HttpReplay;

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings/items.json");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let service = HttpReplay::load(RECORDED)?;
    let base_url = service.url("/");
    println!("cargo run -- once --config '{% raw %}{{\"base_url\": \"{base_url}\"}}{% endraw %}'");
    // Until it is stopped.
    loop {
        std::thread::park();
    }
}
