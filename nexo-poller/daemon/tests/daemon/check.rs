//! What `check` says of what nobody has judged.

use std::os::unix::fs::PermissionsExt;

use crate::copies::remote_home;
use crate::home::Home;

#[test]
fn a_config_that_only_a_plugin_elsewhere_could_judge_is_said_not_to_be_checked() {
    let job = "id: far, kind: chatty, schedule: { every: 1h }, config: { do: nonsense }";
    let home = remote_home("nats://127.0.0.1:4222", "", &[job]);
    let said = home.run(&["check"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.starts_with("not checked: pollers.yaml:"), "{said:?}");
    assert!(said.stdout.contains("job `far`") && said.stdout.contains("plugin `chatty` runs elsewhere"), "{said:?}");
    assert!(said.stdout.ends_with(": 1 job, 1 config not checked\n"), "{said:?}");
    let json = home.json(&["check"]);
    assert_eq!((json["problems"].as_array().map(Vec::len), &json["not_checked"][0]["job"]), (Some(0), &"far".into()));
}

#[test]
fn a_plugin_elsewhere_that_needs_another_daemon_is_refused_by_name() {
    let home = remote_home("nats://127.0.0.1:4222", "", &["id: far, kind: chatty, schedule: { every: 1h }"]);
    let manifest = std::fs::read_to_string(home.path().join("manifests/chatty.toml")).unwrap();
    let line = manifest.lines().find(|line| line.starts_with("min_nexo_version")).unwrap();
    home.write("manifests/chatty.toml", &manifest.replace(line, "min_nexo_version = \">=99\""));
    let said = home.run(&["check"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stdout.contains("plugin `chatty` needs nexo-poller >=99, and this is "), "{said:?}");
    assert!(said.stdout.contains("no plugin offers the kind `chatty`"), "{said:?}");
}

#[test]
fn a_manifest_as_published_plugins_write_it_will_do() {
    let home = remote_home("nats://127.0.0.1:4222", "", &[]);
    home.write(
        "manifests/chatty.toml",
        "[plugin]\nid = \"a_plugin_whose_author_has_chosen_quite_a_long_id\"\nversion = \"0.1.0\"\nname = \"Long\"\n\
         [plugin.poller]\nkinds = [\"long\"]\nbroker_topic_prefix = \"plugin.poller.long\"\n",
    );
    let said = home.run(&["check"]);
    assert!(said.code == Some(0) && said.stdout.ends_with("0 jobs, all good\n"), "{said:?}");
}

#[test]
fn a_plugin_of_this_machine_without_an_entrypoint_is_found_by_its_programs_name() {
    let home = Home::with_jobs(&[]);
    home.write("pollers.yaml", "pollers:\n  plugins: plugins\n  jobs: []\n");
    let chatty = fixtures::chatty();
    let printed = fixtures::chatty().arg("--print-manifest").output().unwrap().stdout;
    let manifest = String::from_utf8(printed).unwrap();
    let (before, rest) = manifest.split_once("[plugin.entrypoint]").unwrap();
    let (_, after) = rest.split_once("\n[").unwrap();
    home.write("plugins/chatty/nexo-plugin.toml", &format!("{before}[{after}"));
    let said = home.run(&["check"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.stdout.contains("no [plugin.entrypoint], and no program `nexo-plugin-chatty` is beside it"),
        "{said:?}"
    );
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", chatty.get_program().display());
    let program = home.write("plugins/chatty/nexo-plugin-chatty", &script);
    std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
    let said = home.run(&["check"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let daemon = home.boot();
    assert_eq!(home.json(&["plugins"])["plugins"][0]["state"], "up");
    daemon.stop();
}
