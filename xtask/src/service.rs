//! What stands around the daemon, judged by the programs that will read it: systemd and Prometheus.

use std::fs;
use std::process::Command;

use crate::run::{output, root};
use crate::scratch::Scratch;
use crate::{Outcome, debian, say};

/// What systemd makes of the exposure of the unit, in tenths of its scale to 10; more is a box with holes.
const MOST_EXPOSED: &str = "20";

/// The unit and the alert rules.
pub(crate) fn check() -> Outcome {
    debian::obtain(&["systemd-analyze"], "systemd")?;
    debian::obtain(&["promtool"], "prometheus")?;
    let unit = root().join("contrib/nexo-poller.service");
    let text = fs::read_to_string(&unit).map_err(|error| format!("{}: {error}", unit.display()))?;
    // The program need not be installed to judge the rest; that its commands are ours is tested with the daemon.
    let text = text.replace("/usr/local/bin/nexo-poller", "/bin/true");
    let folder = Scratch::new("service")?;
    let copy = folder.path().join("nexo-poller.service");
    fs::write(&copy, text).map_err(|error| format!("{}: {error}", copy.display()))?;
    let mut verify = Command::new("systemd-analyze");
    let said = verify.args(["verify", "--man=no"]).arg(&copy).output().map_err(|error| format!("systemd: {error}"))?;
    // What it does not know it only mentions.
    let complaints = String::from_utf8_lossy(&said.stderr);
    if !said.status.success() || complaints.contains("nexo-poller.service") {
        return Err(format!("systemd does not take the unit:\n{}", complaints.trim()));
    }
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--no-pager", "--threshold", MOST_EXPOSED]).arg(&copy);
    let exposure = output(&mut security)?;
    say(exposure.lines().rev().find(|line| line.contains("exposure level")).unwrap_or_default().trim())?;
    for (what, file) in [("check", "alerts.yml"), ("test", "alerts.test.yml")] {
        let mut promtool = Command::new("promtool");
        say(&output(promtool.args([what, "rules", file]).current_dir(root().join("contrib/prometheus")))?)?;
    }
    Ok(())
}
