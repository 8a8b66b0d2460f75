use std::os::unix::fs::MetadataExt as _;

use nexo_poller::contract::ErrorClass;
use nexo_poller::prelude::*;
use nexo_poller_testkit::http::{Exchange, HttpReplay};
use serde_json::json;
use tempfile::TempDir;

use super::{AccessToken, Account, access_token};

const NOW: &str = "2026-11-23T12:00:00Z";

fn now() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

/// An account whose token has ended, or ends when `expires_at` says.
fn account(server: &HttpReplay, expires_at: impl Into<Value>) -> (TempDir, Account) {
    let expires_at = expires_at.into();
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    std::fs::write(path("id"), "the-client\n").unwrap();
    std::fs::write(path("secret"), "hunter2-client\n").unwrap();
    let token = json!({"refresh_token": "hunter2-refresh", "access_token": "old", "expires_at": expires_at, "more": 1});
    std::fs::write(path("ana.json"), token.to_string()).unwrap();
    let account = Account {
        account_id: "ana@example.com".to_owned(),
        client_id_path: path("id"),
        client_secret_path: path("secret"),
        token_path: path("ana.json"),
        token_uri: Some(server.url("/token").parse().unwrap()),
    };
    (home, account)
}

fn granted() -> Exchange {
    Exchange::post("/token").json(&json!({"access_token": "new", "expires_in": 3599, "token_type": "Bearer"}))
}

async fn ask(account: &Account) -> Result<AccessToken, PollerError> {
    access_token(account.clone(), "ana", now()).await
}

#[tokio::test]
async fn a_token_that_is_good_for_a_minute_is_used_as_it_is_however_its_end_is_written() {
    let soon = now().timestamp() + 61;
    for ends in [
        json!(soon),
        format!("{soon}.5").parse().unwrap(),
        json!("2026-11-23T12:01:01Z"),
        json!("2026-11-23T13:01:01+01:00"),
    ] {
        let server = HttpReplay::of([].into());
        let (_home, account) = account(&server, ends);
        assert_eq!(ask(&account).await.unwrap().bearer(), "Bearer old");
        assert!(server.asked().is_empty());
    }
}

#[tokio::test]
async fn a_token_whose_end_has_passed_or_cannot_be_read_is_refreshed() {
    for ends in [json!(now().timestamp() + 59), json!("soon"), json!(null), json!(-1e300)] {
        let server = HttpReplay::of([granted()].into());
        let (_home, account) = account(&server, ends);
        assert_eq!(ask(&account).await.unwrap().bearer(), "Bearer new");
    }
}

#[tokio::test]
async fn twenty_jobs_whose_token_has_ended_make_one_refresh_and_the_file_is_its_owners_alone() {
    let server = HttpReplay::of([granted()].into());
    let (_home, account) = account(&server, "2026-11-23T12:00:59Z");
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let account = account.clone();
            tokio::spawn(async move { ask(&account).await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap().unwrap().bearer(), "Bearer new");
    }
    assert_eq!(server.asked().len(), 1);
    assert_eq!(std::fs::metadata(&account.token_path).unwrap().mode() & 0o777, 0o600);
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&account.token_path).unwrap()).unwrap();
    assert_eq!(
        kept,
        json!({
            "refresh_token": "hunter2-refresh", "access_token": "new", "expires_at": now().timestamp() + 3599, "more": 1
        })
    );
}

#[tokio::test]
async fn access_that_was_withdrawn_says_who_has_to_do_what_and_quotes_no_secret() {
    for (code, class, words) in [
        ("invalid_grant", ErrorClass::Permanent, "must consent once more"),
        ("invalid_client", ErrorClass::Permanent, "check `client_id_path`"),
    ] {
        let answer = json!({"error": code, "error_description": "hunter2"});
        let server = HttpReplay::of([Exchange::post("/token").status(400).json(&answer)].into());
        let (_home, account) = account(&server, NOW);
        let error = ask(&account).await.unwrap_err();
        assert_eq!(error.class(), class);
        let said = format!("{error} {error:?} {account:?}");
        assert!(said.contains(words) && said.contains("agent `ana`") && !said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn google_failing_or_talking_nonsense_is_tried_again_and_the_old_file_stays() {
    for answer in [
        Exchange::post("/token").status(503),
        Exchange::post("/token").status(429),
        Exchange::post("/token").json(&json!({"token_type": "hunter2"})),
    ] {
        let server = HttpReplay::of([answer].into());
        let (_home, account) = account(&server, NOW);
        let before = std::fs::read_to_string(&account.token_path).unwrap();
        let error = ask(&account).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Transient, "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(std::fs::read_to_string(&account.token_path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_file_that_is_missing_or_no_token_is_named() {
    let server = HttpReplay::of([granted()].into());
    for (file, text, key) in
        [("ana.json", Some("hunter2"), "token_path"), ("ana.json", None, "token_path"), ("id", None, "client_id_path")]
    {
        let (home, account) = account(&server, NOW);
        let path = home.path().join(file);
        match text {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let error = ask(&account).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Config);
        let said = error.to_string();
        assert!(said.contains(&format!("`{key}` of agent `ana`")) && !said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn a_token_shows_nothing_of_itself() {
    let server = HttpReplay::of([granted()].into());
    let (_home, account) = account(&server, "2027-01-01T00:00:00Z");
    assert_eq!(format!("{:?}", ask(&account).await.unwrap()), "AccessToken");
}
