//! A daemon that other machines may ask: a token that was given, TLS, names.

use std::os::unix::fs::PermissionsExt as _;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::home::{Home, Said};

const TOKEN: &str = "a-token-that-somebody-has-chosen-0123456789";
const HOURLY: &str = "id: orders, kind: chatty, schedule: { every: 1h }";

/// An authority, as `ca.pem` in `home`.
fn authority(home: &Home) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    home.write("ca.pem", &authority.pem());
    authority
}

/// A certificate for `name`, as the files that the daemon is told of.
fn certify(home: &Home, authority: &CertifiedIssuer<'_, KeyPair>, name: &str) {
    let key = KeyPair::generate().unwrap();
    let signed = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    home.write("cert.pem", &signed.pem());
    home.private("key.pem", &key.serialize_pem());
}

fn with_admin(home: &Home, admin: &str) {
    home.jobs("", &[HOURLY]);
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    home.write("pollers.yaml", &text.replace("admin: { bind: \"127.0.0.1:0\" }", &format!("admin: {{ {admin} }}")));
}

/// The port of the outer door, from the daemon's log.
fn port_of(line: &str) -> &str {
    line.trim().rsplit(':').next().unwrap()
}

fn from_outside(home: &Home, url: &str, token: &str, args: &[&str]) -> Said {
    let mut command = home.command(args);
    // Elsewhere: neither the file nor the state is there.
    command.args(["-c", "nowhere.yaml", "--admin-url", url, "--admin-ca", "ca.pem"]);
    command.env("NEXO_POLLER_ADMIN_TOKEN", token);
    command.output().unwrap().into()
}

#[test]
fn nobody_from_outside_is_let_in_without_a_given_token_and_tls_or_a_word_about_it() {
    let home = Home::with_jobs(&[]);
    let judged = |admin: &str, sentence: &str, code: i32| {
        with_admin(&home, admin);
        let checked = home.run(&["check"]);
        assert_eq!(checked.code, Some(code), "{checked:?}");
        for said in [checked, home.fail_to_boot()] {
            assert!(format!("{}{}", said.stdout, said.stderr).contains(sentence), "{admin}: {said:?}");
        }
    };
    let refused = |admin: &str, sentence: &str| judged(admin, sentence, 3);
    // Whoever checks a file need not have the daemon's environment.
    let warned_of = |admin: &str, sentence: &str| judged(admin, sentence, 0);
    refused("bind: '0.0.0.0:0'", "add `tls: { cert: …, key: … }`, or `plain_http: true`");
    warned_of("bind: '0.0.0.0:0', plain_http: true", "give them a token of 32 characters or more");
    warned_of("names: [ polls.example ]", "give them a token of 32 characters or more");
    home.write("token", TOKEN);
    std::fs::set_permissions(home.path().join("token"), std::fs::Permissions::from_mode(0o644)).unwrap();
    refused("bind: '0.0.0.0:0', plain_http: true, token_file: token", "chmod 600");
    home.private("token", "short");
    refused("bind: '0.0.0.0:0', plain_http: true, token_file: token", "needs 32 characters or more");
    home.private("token", TOKEN);
    refused("bind: '0.0.0.0:0', token_file: token, tls: { cert: cert.pem, key: key.pem }", "`admin.tls.cert` cert.pem");
}

#[test]
fn another_machines_commands_work_over_tls_with_the_token_and_say_what_is_wrong_without() {
    let home = Home::with_jobs(&[]);
    let authority = authority(&home);
    certify(&home, &authority, "localhost");
    home.private("token", &format!("{TOKEN}\n"));
    with_admin(
        &home,
        "bind: '127.0.0.1:0', token_file: token, names: [ localhost ], tls: { cert: cert.pem, key: key.pem }",
    );
    let mut daemon = home.boot();
    let line = daemon.wait_for_log("other machines are let in");
    let url = format!("https://localhost:{}", port_of(&line));

    let said = from_outside(&home, &url, TOKEN, &["run", "orders"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = from_outside(&home, &url, "another-token-of-the-right-length-00000", &["list"]);
    assert!(said.stderr.contains("does not know the token in NEXO_POLLER_ADMIN_TOKEN"), "{said:?}");
    // The users of the daemon's own machine need to know none of it.
    assert_eq!(home.run(&["show", "orders"]).code, Some(0));

    // A renewed certificate is shown from the next reload on.
    certify(&home, &authority, "elsewhere.example");
    assert_eq!(home.run(&["reload"]).code, Some(0));
    let said = from_outside(&home, &url, TOKEN, &["list"]);
    assert!(said.code == Some(6) && said.stderr.contains("only valid for"), "{said:?}");
    home.write("cert.pem", "garbage");
    home.run(&["reload"]);
    daemon.wait_for_log("the old certificate stays");
    for canary in [TOKEN, "PRIVATE KEY"] {
        assert!(!daemon.heard_log.contains(canary));
    }
    daemon.stop();
}

#[test]
fn the_daemon_of_another_file_does_not_answer_for_one_that_was_killed() {
    let (home, other) = (Home::with_jobs(&[HOURLY]), Home::with_jobs(&[HOURLY]));
    let mut killed = home.boot();
    killed.signal("KILL");
    killed.ended();
    let daemon = other.boot();
    // The address that was left behind is another daemon's by now.
    home.write("data/admin.addr", &daemon.address);
    for args in [&["list"][..], &["ready"], &["pause", "orders"], &["events"]] {
        let said = home.run(args);
        assert_eq!(said.code, Some(6), "{args:?}: {said:?}");
        assert!(said.stderr.contains("does not know the token in") && said.stderr.contains("admin.token"), "{said:?}");
    }
    // Nor is it taken for one that shares the state of the one that was killed.
    let again = home.boot();
    assert_eq!(home.run(&["ready"]).code, Some(0));
    again.stop();
    // A file that was never run has no daemon, whoever has the port that it names.
    let never = Home::with_jobs(&[]);
    with_admin(&never, &format!("bind: '{}'", daemon.address));
    let said = never.run(&["list"]);
    assert!(said.code == Some(6) && said.stderr.contains("no daemon is running for pollers.yaml"), "{said:?}");

    assert_eq!(other.run(&["ready"]).code, Some(0));
    let token = other.path().join("data/admin.token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = other.run(&["pause", "orders"]);
    assert!(said.code == Some(1) && said.stderr.contains("chmod 600") && !said.stderr.contains("ask as"), "{said:?}");
    let said = other.run(&["list", "--admin-url", &daemon.address]);
    assert!(said.code == Some(2) && said.stderr.contains("must begin with https:// or http://"), "{said:?}");
    let said = other.run(&["list", "--admin-url", &format!("https://{}", daemon.address)]);
    assert!(said.code == Some(6) && said.stderr.contains("it does not speak TLS: is it http://?"), "{said:?}");
    let said = other.run(&["list", "--admin-url", "https://host:99999"]);
    assert!(said.code == Some(2) && said.stderr.contains("invalid port number"), "{said:?}");
    let mut without = other.command(&["list", "--admin-url", &format!("http://{}", daemon.address)]);
    let said: Said = without.env("NEXO_POLLER_ADMIN_TOKEN", "").output().unwrap().into();
    assert_eq!(said.code, Some(0), "an empty token is as good as none: {said:?}");
    daemon.stop();
}

#[test]
fn an_address_for_commands_does_not_keep_a_daemon_from_booting_and_an_empty_one_is_none() {
    let home = Home::with_jobs(&[HOURLY]);
    let elsewhere = |args: &[&str], url: &str| {
        let mut command = home.command(args);
        command.env("NEXO_POLLER_ADMIN_URL", url);
        command
    };
    let daemon = home.boot_with(elsewhere(&["run"], "somewhere:9091"));
    let said: Said = elsewhere(&["list"], "").output().unwrap().into();
    assert!(said.code == Some(0) && said.stdout.contains("orders"), "{said:?}");
    daemon.stop();
}
