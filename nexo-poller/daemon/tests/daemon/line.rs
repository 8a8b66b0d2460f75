//! A line to a server that can be cut: connections stay open, and nothing comes through.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// Forwards every connection to one port.
pub(crate) struct Line {
    port: u16,
    cut: Arc<Cut>,
}

#[derive(Default)]
struct Cut {
    is: Mutex<bool>,
    mended: Condvar,
}

impl Line {
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(Cut::default());
        let forwarding = Arc::clone(&cut);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                for (from, to) in [(near, far), (far_too, near_too)] {
                    let cut = Arc::clone(&forwarding);
                    std::thread::spawn(move || forward(from, to, &cut));
                }
            }
        });
        Self { port, cut }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn cut(&self) {
        *self.cut.is.lock().unwrap() = true;
    }

    pub(crate) fn mend(&self) {
        *self.cut.is.lock().unwrap() = false;
        self.cut.mended.notify_all();
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, cut: &Cut) {
    let mut chunk = [0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        let is = cut.is.lock().unwrap();
        drop(cut.mended.wait_while(is, |is| *is).unwrap());
        if to.write_all(&chunk[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
