use serde_json::Value;

use crate::run::metadata;
use crate::{Outcome, say};

/// No package of the lock file asks for a newer Rust than the workspace's `rust-version`. That our own code does not is
/// clippy's part (`incompatible_msrv`).
pub(crate) fn check() -> Outcome {
    let metadata = metadata(&["--all-features", "--locked"])?;
    let packages = metadata["packages"].as_array().ok_or("`cargo metadata` lists no packages")?;
    let promised = packages
        .iter()
        .find(|package| package["name"] == "nexo-poller")
        .and_then(|package| package["rust_version"].as_str())
        .ok_or("the package `nexo-poller` has no `rust-version`")?;
    let newer: Vec<String> = packages
        .iter()
        .filter_map(|package| Some((package, package["rust_version"].as_str()?)))
        .filter(|(_, asked)| release(asked) > release(promised))
        .map(|(package, asked)| format!("  {} {} asks for {asked}", text(package, "name"), text(package, "version")))
        .collect();
    if newer.is_empty() {
        return say(&format!("msrv: none of {} packages asks for more than Rust {promised}", packages.len()));
    }
    Err(format!("the workspace promises Rust {promised}, but:\n{}", newer.join("\n")))
}

fn text<'v>(package: &'v Value, key: &str) -> &'v str {
    package[key].as_str().unwrap_or("?")
}

/// `1.89` as numbers that compare.
fn release(version: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    numbers.resize(3, 0);
    numbers
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn releases_compare_as_numbers() {
        assert!(release("1.100") > release("1.89"));
        assert!(release("1.89.1") > release("1.89"));
        assert_eq!(release("1.89"), release("1.89.0"));
    }
}
