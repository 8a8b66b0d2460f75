use super::daemon::Daemon;

/// Whether the daemon can do its work, at the price of one look however many jobs there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DaemonHealth {
    /// Jobs that are loaded.
    pub(crate) jobs: usize,
    /// Plugins that the jobs' kinds come from.
    pub(crate) plugins: usize,
    /// What stands in the way, a sentence each.
    pub(crate) problems: Vec<String>,
}

impl DaemonHealth {
    /// `None` where the scheduler has ended.
    pub(crate) async fn of(daemon: &Daemon) -> Option<Self> {
        let runner = daemon.runner.health().await.ok()?;
        let plugins = daemon.plugins();
        let ill = plugins.iter().filter(|plugin| !plugin.is_well());
        let mut problems: Vec<String> =
            ill.map(|plugin| format!("plugin `{}` is {}: {}", plugin.id, plugin.state, plugin.why)).collect();
        problems.extend(daemon.plugin_faults());
        if let Some(problem) = runner.store_trouble {
            problems.insert(0, format!("no tick starts: {problem}"));
        } else if let Some(file) = &daemon.state_file
            && let Some(problem) = file.problem().await
        {
            problems.insert(0, problem);
        }
        Some(Self { jobs: runner.jobs, plugins: plugins.len(), problems })
    }

    /// The same in one line.
    pub(crate) fn line(&self) -> String {
        let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let mut line = format!("{}, {}", counted(self.jobs, "job"), counted(self.plugins, "plugin"));
        if let Some(problem) = self.problems.first() {
            let more = self.problems.len() - 1;
            line =
                if more == 0 { format!("{problem} ({line})") } else { format!("{problem}; and {more} more ({line})") };
        }
        line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_one_line_and_begins_with_what_is_wrong() {
        let mut health = DaemonHealth { jobs: 1, plugins: 2, problems: vec![] };
        assert_eq!(health.line(), "1 job, 2 plugins");
        health.problems = vec!["plugin `a` is restarting: it\nended".to_owned()];
        assert_eq!(health.line(), "plugin `a` is restarting: it ended (1 job, 2 plugins)");
        health.problems.push("plugin `b` is stopped: x".to_owned());
        assert_eq!(health.line(), "plugin `a` is restarting: it ended; and 1 more (1 job, 2 plugins)");
    }
}
