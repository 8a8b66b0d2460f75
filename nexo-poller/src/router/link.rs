use std::sync::Arc;

use tokio::sync::watch;

/// Whether a plugin's process is there, as its supervisor sees it and its proxies need it. Clones are one link.
#[derive(Debug, Clone)]
pub struct PluginLink {
    state: Arc<watch::Sender<LinkState>>,
    remote: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum LinkState {
    Up {
        generation: u64,
    },
    /// The sentence that a tick fails with.
    Down(String),
}

impl PluginLink {
    /// A link to a process that has not come up yet.
    #[must_use]
    pub fn new(plugin: &str) -> Self {
        let down = LinkState::Down(format!("plugin `{plugin}` has not come up yet"));
        Self { state: Arc::new(watch::Sender::new(down)), remote: false }
    }

    /// A link to a process that others keep up: a plugin on another machine.
    #[must_use]
    pub fn always_up() -> Self {
        Self { state: Arc::new(watch::Sender::new(LinkState::Up { generation: 0 })), remote: true }
    }

    /// Whether others keep the process up.
    pub(super) fn is_remote(&self) -> bool {
        self.remote
    }

    /// The process number `generation` is up.
    pub(super) fn up(&self, generation: u64) {
        self.state.send_replace(LinkState::Up { generation });
    }

    /// The process is gone; `sentence` says why, and when the next try is.
    pub(super) fn down(&self, sentence: String) {
        self.state.send_replace(LinkState::Down(sentence));
    }

    /// The generation that is up, or the sentence that says why none is.
    pub(super) fn generation(&self) -> Result<u64, String> {
        match &*self.state.borrow() {
            LinkState::Up { generation } => Ok(*generation),
            LinkState::Down(sentence) => Err(sentence.clone()),
        }
    }

    /// Waits until the process number `generation` is gone; the sentence that says why.
    pub(super) async fn lost(&self, generation: u64) -> String {
        let mut state = self.state.subscribe();
        let gone = state.wait_for(|state| *state != LinkState::Up { generation }).await;
        match gone.as_deref() {
            Ok(LinkState::Down(sentence)) => sentence.clone(),
            _ => "it was started again".to_owned(),
        }
    }
}
