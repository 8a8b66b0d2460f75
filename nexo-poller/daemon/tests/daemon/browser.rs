use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(30);

/// A headless Chromium with one page, driven by the `DevTools` protocol.
pub(crate) struct Browser {
    child: Child,
    page: WebSocket<MaybeTlsStream<TcpStream>>,
    last: u64,
    /// What the page threw, and what its policy refused.
    pub(crate) complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    pub(crate) fn start(width: u32, height: u32) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
            Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        });
        let Some(program) = found else { panic!("no browser: `cargo xtask check page` installs Debian's chromium") };
        let mut child = Command::new(program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "about:blank"])
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = log.find(|line| line.as_ref().is_ok_and(|line| line.contains("ws://"))).unwrap().unwrap();
        // Its log goes on, and must be read.
        std::thread::spawn(move || log.for_each(drop));
        let endpoint = line.split_whitespace().find(|word| word.starts_with("ws://")).unwrap().to_owned();
        let (mut page, _) = tungstenite::connect(&endpoint).unwrap();
        if let MaybeTlsStream::Plain(stream) = page.get_ref() {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        // The browser's own connection is turned into the page's.
        let mut browser = Self {
            child,
            last: 0,
            complaints: Vec::new(),
            _profile: profile,
            page: {
                let ask = json!({"id": 1, "method": "Target.getTargets"}).to_string();
                page.send(Message::text(ask)).unwrap();
                let targets: Value = serde_json::from_str(page.read().unwrap().to_text().unwrap()).unwrap();
                let target = targets["result"]["targetInfos"].as_array().unwrap();
                let id = target.iter().find(|target| target["type"] == "page").unwrap()["targetId"].as_str().unwrap();
                let host = endpoint.trim_start_matches("ws://").split('/').next().unwrap();
                let (page, _) = tungstenite::connect(format!("ws://{host}/devtools/page/{id}")).unwrap();
                page
            },
        };
        if let MaybeTlsStream::Plain(stream) = browser.page.get_ref() {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            browser.ask(domain, &json!({}));
        }
        browser
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let order = json!({"id": self.last, "method": method, "params": params}).to_string();
        self.page.send(Message::text(order)).unwrap();
        loop {
            let said: Value = serde_json::from_str(self.page.read().unwrap().to_text().unwrap()).unwrap();
            if said["id"] == self.last {
                return said["result"].clone();
            }
            match said["method"].as_str() {
                Some("Runtime.exceptionThrown") => self.complaints.push(said["params"].to_string()),
                Some("Log.entryAdded") if said["params"]["entry"]["source"] == "security" => {
                    self.complaints.push(said["params"].to_string());
                }
                _ => {}
            }
        }
    }

    pub(crate) fn open(&mut self, url: &str) {
        self.ask("Page.navigate", &json!({ "url": url }));
    }

    /// What `code` gives; a promise is waited for.
    pub(crate) fn value(&mut self, code: &str) -> Value {
        let params = json!({"expression": code, "awaitPromise": true, "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", &params);
        assert!(answer.get("exceptionDetails").is_none(), "{code}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until `code` gives something that is true.
    pub(crate) fn wait_for(&mut self, code: &str) {
        let deadline = Instant::now() + PATIENCE;
        // Each look waits for a frame of the page.
        let look = format!("new Promise((done) => requestAnimationFrame(() => done(Boolean({code}))))");
        while self.value(&look) != true {
            if Instant::now() > deadline {
                let text = self.value("document.body.innerText");
                panic!("`{code}` did not come; the page shows:\n{}", text.as_str().unwrap_or_default());
            }
        }
    }

    pub(crate) fn click(&mut self, selector: &str) {
        self.value(&format!("document.querySelector({}).click()", json!(selector)));
    }

    /// Presses one key.
    pub(crate) fn press(&mut self, key: &str) {
        let code = if key == "Enter" { 13 } else { 9 };
        let mut down = json!({"type": "rawKeyDown", "key": key, "code": key, "windowsVirtualKeyCode": code});
        if key == "Enter" {
            down["type"] = json!("keyDown");
            down["text"] = json!("\r");
        }
        self.ask("Input.dispatchKeyEvent", &down);
        self.ask("Input.dispatchKeyEvent", &json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code}));
    }

    /// Types into what has the focus.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.ask("Input.insertText", &json!({ "text": text }));
    }
}
