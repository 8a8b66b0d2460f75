use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::config::PollersFile;

/// A configuration whose team `a` has a folder of its own, beside what the daemon keeps secret.
struct Etc(TempDir);

impl Etc {
    /// One that includes the team's folder as `include` says, with this text in the config of the team's job.
    fn with(include: &str, text: &str) -> Self {
        let etc = Self(tempfile::tempdir().unwrap());
        etc.write(
            "pollers.yaml",
            &format!(
                "pollers:\n  credentials: accounts.yaml\n  state_db: data/poller.db\n  include: {include}\n  jobs:\n    \
                 - {{ id: own, kind: rss, agent: ops, schedule: {{ every: 1h }}, config: {{ path: '${{PATH}}' }} }}\n"
            ),
        );
        for secret in ["accounts.yaml", "data/poller.db", "data/admin.token", "secrets/a/token", "secrets/b/token"] {
            etc.write(secret, "canary\n");
        }
        etc.write(
            "teams/a/jobs.yaml",
            &format!(
                "pollers:\n  jobs:\n    - {{ id: theirs, kind: rss, agent: team_a, schedule: {{ every: 1h }}, config: {{ x: {} }} }}\n    \
                 - {{ id: good, kind: rss, agent: team_a, schedule: {{ every: 1h }} }}\n",
                json!(text)
            ),
        );
        etc
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    /// The job ids that are read, and what is said of the others.
    fn read(&self) -> (Vec<String>, String) {
        let file = PollersFile::load(&self.path().join("pollers.yaml")).unwrap_or_else(|refused| panic!("{refused}"));
        let said: Vec<String> = file.problems.iter().map(ToString::to_string).collect();
        (file.jobs.iter().map(|job| job.id.clone()).collect(), said.join("\n"))
    }

    fn refused(&self) -> String {
        let (read, said) = self.read();
        assert_eq!(read, ["own", "good"], "only the job that reaches out is left out: {said}");
        assert!(!said.contains("canary"), "{said}");
        said
    }
}

/// Where a `..` of the team's folder leads to.
const PLAIN: &str = "teams/a";
const ALL: &str = "{ files: teams/a, env: '*', read: . }";

#[test]
fn an_included_file_reads_nothing_that_it_is_not_granted() {
    for (text, said) in [
        ("${PATH}", "the environment variable `PATH` is not granted to this file"),
        ("${PATH:-none}", "the environment variable `PATH` is not granted to this file"),
        ("${file:../../accounts.yaml}", "an included file never reads"),
        ("${file:../../data/admin.token}", "an included file never reads"),
        ("${file:../../secrets/b/token}", "this file may not read"),
        ("${file:../../secrets/./a/../b/token}", "this file may not read"),
        ("${file:/nowhere/at/all}", "this file may not read /nowhere/at/all"),
        ("${file:jobs.yaml}", "this file may not read"),
        ("${file:/proc/self/environ}", "nothing of /proc, /sys and /dev"),
        ("${file:/dev/zero}", "nothing of /proc, /sys and /dev"),
    ] {
        let found = Etc::with(PLAIN, text).refused();
        assert!(found.contains(said) && found.contains("jobs.yaml:3:"), "{text}: {found}");
    }
}

#[test]
fn the_refusal_says_what_to_write_and_that_is_a_grant() {
    for (text, grant) in [
        ("${PATH}", "include: [ { files: teams/a, env: [ PATH ] } ]"),
        ("${file:../../secrets/a/token}", "include: [ { files: teams/a, read: [ secrets/a/token ] } ]"),
    ] {
        let etc = Etc::with(PLAIN, text);
        let said = etc.refused();
        assert!(said.contains(&format!("`{grant}`")), "{said}");
        let (read, said) = Etc::with(grant.trim_start_matches("include: "), text).read();
        assert_eq!((read.len(), said.as_str()), (3, ""), "{grant}");
    }
    let etc = Etc::with("[ { files: teams/a, agents: [ 'team_b*' ] } ]", "x");
    let said = etc.read().1;
    let grant = "include: [ { files: teams/a, agents: [ \"team_b*\", team_a ] } ]";
    assert!(said.contains("the agent `team_a` is not granted") && said.contains(&format!("`{grant}`")), "{said}");
    assert_eq!(Etc::with(grant.trim_start_matches("include: "), "x").read().0.len(), 3);
}

#[test]
fn a_grant_covers_what_is_below_it_and_no_neighbour() {
    for (include, text, is_given) in [
        ("{ files: teams/a, read: secrets/a }", "${file:../../secrets/a/token}", true),
        ("{ files: teams/a, read: secrets/a }", "${file:../../secrets/a/../b/token}", false),
        ("{ files: teams/a, read: secrets/a/tok }", "${file:../../secrets/a/token}", false),
        ("{ files: teams/a, env: [ 'PAT*' ] }", "${PATH}", true),
        ("{ files: teams/a, env: [ PAT ] }", "${PATH}", false),
        ("{ files: teams/a, agents: [] }", "x", false),
        // Whatever is granted, some files are the daemon's own.
        (ALL, "${file:../../secrets/b/token}", true),
        (ALL, "${file:../../accounts.yaml}", false),
        (ALL, "${file:../../data/admin.token}", false),
        (ALL, "${file:../../data/poller.db}", false),
        (ALL, "${file:../../pollers.yaml}", false),
        (ALL, "${file:/proc/self/environ}", false),
        (ALL, "${NEXO_POLLER_ADMIN_TOKEN:-none}", false),
    ] {
        let (read, said) = Etc::with(include, text).read();
        assert_eq!(read.contains(&"theirs".to_owned()), is_given, "{include}, {text}: {said}");
    }
}

#[test]
fn a_link_is_judged_by_where_it_leads() {
    let etc = Etc::with("{ files: teams/a, read: teams/a/keys }", "${file:keys/link}");
    std::fs::create_dir(etc.path().join("teams/a/keys")).unwrap();
    let link = etc.path().join("teams/a/keys/link");
    for (target, said) in [("../../../accounts.yaml", "never reads"), ("../../../secrets/b/token", "may not read")] {
        symlink(target, &link).unwrap();
        let found = etc.refused();
        assert!(found.contains(said), "{found}");
        std::fs::remove_file(&link).unwrap();
    }
    // A second name for the same file is no way around.
    std::fs::hard_link(etc.path().join("accounts.yaml"), &link).unwrap();
    assert!(etc.refused().contains("never reads"));
    std::fs::remove_file(&link).unwrap();
    etc.write("teams/a/keys/token", "fine\n");
    symlink("token", &link).unwrap();
    assert_eq!(etc.read().0, ["own", "theirs", "good"]);
    // A file of jobs that is none of the directory's.
    symlink("../../accounts.yaml", etc.path().join("teams/a/more.yaml")).unwrap();
    let refused = PollersFile::load(&etc.path().join("pollers.yaml")).unwrap_err().to_string();
    assert!(refused.contains("more.yaml cannot be read: it is a link that leads out of"), "{refused}");
}

#[test]
fn an_include_that_means_nothing_is_refused_with_its_place() {
    for (include, said) in [
        ("7", "`include` must be a path, a mapping with `files`, or a list of these, found a number"),
        ("[ { agents: [ ana ] } ]", "an item of `include` lacks `files`"),
        ("[ { fils: teams/a } ]", "did you mean `files`?"),
        ("[ { files: teams/a, env: [ 'A*B' ] } ]", "in `env`, a `*` may only be the last character"),
        ("[ { files: teams/a, read: [ /proc/self ] } ]", "`read` cannot grant what is in /proc, /sys or /dev"),
        ("[ teams/c ]", "teams/c cannot be read"),
    ] {
        let etc = Etc::with(include, "x");
        let refused = PollersFile::load(&etc.path().join("pollers.yaml")).unwrap_err().to_string();
        assert!(refused.contains(said) && refused.contains("pollers.yaml:4:"), "{include}: {refused}");
    }
}
