use std::fmt;

/// Why a manifest was refused: every problem at once, each with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestError {
    /// The file, or what stands in its place ("the manifest that `jira-poller --print-manifest` wrote").
    pub file: String,
    /// At least one.
    pub problems: Vec<ManifestProblem>,
}

/// One rule that a manifest breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestProblem {
    /// The dotted key, as in `plugin.poller.kinds[1]`; empty where the file is not TOML.
    pub key: String,
    /// What the rule asks for and what was found.
    pub rule: String,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}: ", self.file)?;
            if !problem.key.is_empty() {
                write!(f, "`{}`: ", problem.key)?;
            }
            f.write_str(&problem.rule)?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestError {}
