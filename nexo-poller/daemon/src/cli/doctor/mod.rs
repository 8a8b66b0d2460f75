//! What stands between a poller's crate and a good publication.
//!
//! Lives here: the checks, each with its fix, and their report. May not enter: a running daemon; only the crate's own files,
//! Cargo and git are asked.

mod cargo;
mod finding;
mod package;
mod repository;
mod trial;

use std::path::Path;

use serde_json::json;

use self::finding::{Finding, Weight};
use self::package::Package;
use crate::cli::print;
use crate::core::exit::Exit;
use crate::core::terminal::{line_to_stderr, line_to_stdout};

/// Looks at the crate in `folder` and prints what it finds; its tests are run only where `test` says so.
pub(super) async fn doctor(folder: &Path, test: bool, json: bool) -> Exit {
    let package = match Package::of(folder).await {
        Ok(package) => package,
        Err(error) => {
            let file = folder.join("Cargo.toml");
            line_to_stderr(&format!("nexo-poller: {}: {error}; run this in a poller's crate", file.display()));
            return Exit::Failed;
        }
    };
    let mut findings = package::check(&package);
    findings.insert(1, package::packed(folder).await);
    findings.push(repository::conformance(folder));
    findings.push(repository::version(folder, &package.version).await);
    findings.extend(trial::check(folder, &package.name, test).await);
    report(&package, &findings, json);
    if findings.iter().any(|finding| finding.weight == Weight::Fail) { Exit::Failed } else { Exit::Ok }
}

fn report(package: &Package, findings: &[Finding], json: bool) {
    if json {
        let value = json!({"crate": package.name, "version": package.version, "findings": findings});
        line_to_stdout(&print::pretty(&value));
        return;
    }
    line_to_stdout(&format!("{} {}", package.name, package.version));
    for finding in findings {
        line_to_stdout(&finding.to_string());
    }
    let wants = findings.iter().filter(|finding| finding.weight != Weight::Ok).count();
    line_to_stdout(&match wants {
        0 => "nothing stands between this crate and its publication: `cargo publish`".to_owned(),
        1 => "1 thing stands between this crate and a good publication".to_owned(),
        _ => format!("{wants} things stand between this crate and a good publication"),
    });
}
