use crate::run::{cargo, finish, metadata};
use crate::{Outcome, say};

/// Every member compiles without features, and with each feature alone; a warning is an error.
pub(crate) fn check() -> Outcome {
    let metadata = metadata(&["--no-deps", "--offline"])?;
    let packages = metadata["packages"].as_array().ok_or("`cargo metadata` lists no packages")?;
    let mut checked = 0;
    for package in packages {
        let name = package["name"].as_str().ok_or("a package without a name")?;
        let features = package["features"].as_object().ok_or("a package without features")?;
        let alone = features.keys().filter(|feature| *feature != "default").map(String::as_str);
        for feature in std::iter::once("").chain(alone) {
            let mut check = cargo();
            // Clippy, because flags for rustc by the environment would build every dependency again.
            check.args(["clippy", "--quiet", "--package", name, "--no-default-features"]);
            if !feature.is_empty() {
                check.args(["--features", feature]);
            }
            finish(check.args(["--", "-D", "warnings"]))?;
            checked += 1;
        }
    }
    say(&format!("features: {checked} combinations compile without a warning"))
}
