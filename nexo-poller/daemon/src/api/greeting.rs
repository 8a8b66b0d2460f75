use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a daemon proves that it knows the token.
pub(super) const PATH: &str = "/admin/hello";

/// A daemon of this machine that is at work answers within this time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// No honest answer is longer: whoever took the port may send without end.
const LONGEST: usize = 4 * 1024;

/// How a daemon and a command of its machine show each other that they know the token without sending it: whoever has taken
/// the port of a daemon that is gone would get it otherwise. What is said holds for one address, so that nobody can pass on
/// what the daemon at another one says; and a command's pass holds for one run of the daemon, so that one that reaches
/// somebody else is worth nothing.
#[derive(Debug, Clone)]
pub(crate) struct Greeting {
    key: hmac::Key,
    address: SocketAddr,
}

/// What a daemon answers to a nonce.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Hello {
    /// Names this run of the daemon.
    run: String,
    /// The base64 (URL-safe, without padding) of HMAC-SHA256 over `proof`, address, run and nonce, a line each, under the token.
    proof: String,
}

/// Why a pass was not given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GreetingError {
    /// Nobody answers.
    #[error(transparent)]
    Unanswered(reqwest::Error),
    /// Somebody does who does not know the token.
    #[error("whoever answers there does not know the token")]
    Unproven,
}

impl Greeting {
    /// Between those at `address` who know `token`.
    pub(crate) fn new(token: &str, address: SocketAddr) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes()), address }
    }

    /// Asks the daemon for its proof.
    ///
    /// # Errors
    /// [`GreetingError`]: whoever is there must not be told anything. Otherwise what to show in place of the token.
    pub(crate) async fn ask(&self, http: &reqwest::Client) -> Result<String, GreetingError> {
        let nonce = fresh();
        let url = format!("http://{}{PATH}?nonce={nonce}", self.address);
        let mut answer = http.get(url).timeout(PATIENCE).send().await.map_err(GreetingError::Unanswered)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(GreetingError::Unanswered)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err(GreetingError::Unproven);
            }
        }
        let hello: Hello = serde_json::from_slice(&body).map_err(|_| GreetingError::Unproven)?;
        if self.is_proven_by(&hello, &nonce) { Ok(self.pass(&hello.run)) } else { Err(GreetingError::Unproven) }
    }

    /// What a daemon says to `nonce`.
    fn answer(&self, run: &str, nonce: &str) -> Hello {
        let proof = hmac::sign(&self.key, self.statement("proof", run, nonce).as_bytes());
        Hello { run: run.to_owned(), proof: URL_SAFE_NO_PAD.encode(proof) }
    }

    fn is_proven_by(&self, hello: &Hello, nonce: &str) -> bool {
        let statement = self.statement("proof", &hello.run, nonce);
        URL_SAFE_NO_PAD
            .decode(&hello.proof)
            .is_ok_and(|proof| hmac::verify(&self.key, statement.as_bytes(), &proof).is_ok())
    }

    /// What a command shows in place of the token to the daemon whose run this is.
    fn pass(&self, run: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, self.statement("pass", run, "").as_bytes()))
    }

    /// A proof is never a pass: each begins with what it is.
    fn statement(&self, what: &str, run: &str, nonce: &str) -> String {
        format!("{what}\n{}\n{run}\n{nonce}", self.address)
    }
}

/// A daemon's side of it, for one run.
#[derive(Debug, Clone)]
pub(super) struct Greeter {
    greeting: Greeting,
    run: String,
}

impl Greeter {
    /// Of a daemon that begins to run at `address`.
    pub(super) fn new(token: &str, address: SocketAddr) -> Self {
        Self { greeting: Greeting::new(token, address), run: fresh() }
    }

    /// The proof, for a nonce of somebody; `None` where it is none.
    pub(super) fn answer(&self, nonce: &str) -> Option<Hello> {
        let is_nonce = (16..=128).contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_nonce.then(|| self.greeting.answer(&self.run, nonce))
    }

    /// What those who know the token show in place of it.
    pub(super) fn pass(&self) -> String {
        self.greeting.pass(&self.run)
    }
}

/// A text that nobody has used before, and nobody guesses.
fn fresh() -> String {
    Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn only_who_knows_the_token_proves_itself_and_only_at_its_own_address_and_for_this_nonce() {
        let asked = Greeting::new(TOKEN, at(9091));
        let nonce = fresh();
        let proven = |token: &str, port: u16, answered: &str| {
            asked.is_proven_by(&Greeter::new(token, at(port)).answer(answered).unwrap(), &nonce)
        };
        assert!(proven(TOKEN, 9091, &nonce));
        assert!(!proven("another-0123456789abcdef0123456789", 9091, &nonce));
        // An impostor may ask the daemon that runs at another port by now.
        assert!(!proven(TOKEN, 9092, &nonce));
        assert!(!proven(TOKEN, 9091, &fresh()));
        let mut hello = Greeter::new(TOKEN, at(9091)).answer(&nonce).unwrap();
        hello.run.push('x');
        assert!(!asked.is_proven_by(&hello, &nonce));
    }

    #[test]
    fn a_pass_holds_for_one_run_at_one_address_and_is_no_proof() {
        let greeter = Greeter::new(TOKEN, at(9091));
        let nonce = fresh();
        let hello = greeter.answer(&nonce).unwrap();
        let pass = Greeting::new(TOKEN, at(9091)).pass(&hello.run);
        assert_eq!(pass, greeter.pass());
        assert_ne!(pass, Greeter::new(TOKEN, at(9091)).pass(), "another run");
        assert_ne!(pass, Greeting::new(TOKEN, at(9092)).pass(&hello.run), "another address");
        assert_ne!(pass, hello.proof);
    }

    #[test]
    fn what_is_no_nonce_is_not_signed() {
        let greeter = Greeter::new(TOKEN, at(9091));
        for nonce in ["", "short", "a\nb\nc\nd\ne\nf\ng\nh\ni", "x".repeat(129).as_str(), "é".repeat(20).as_str()] {
            assert!(greeter.answer(nonce).is_none(), "{nonce:?}");
        }
    }
}
