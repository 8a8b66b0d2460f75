//! Plugins that are not found, do not come up, or say the wrong thing when they do.

use std::path::Path;

use nexo_poller::router::{PluginState, Supervisor, discover};

use super::world::{World, binary, options};

#[tokio::test]
async fn a_binary_that_is_missing_is_named() {
    let world = World::new().await;
    let mut plugin = binary("faulty", "none", "long_lived");
    plugin.program = "/nonexistent/jira-poller".into();
    let kinds = world.router.register(&plugin).unwrap();
    let supervisor = Supervisor::start(plugin, &world.router, options());
    supervisor.settled().await;
    let sentence = world.sentence(&kinds[0].poller).await;
    assert_eq!(
        sentence,
        "plugin `faulty` cannot be started: /nonexistent/jira-poller: No such file or directory (os error 2); \
         start 2 follows in 60 s"
    );
    assert_eq!(supervisor.status().state, PluginState::Restarting);
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_that_exits_at_once_is_quoted_with_its_exit_code_and_its_last_words() {
    let world = World::new().await;
    let (_supervisor, poller) = world.start("exit").await;
    let sentence = world.sentence(&poller).await;
    assert_eq!(
        sentence,
        "plugin `faulty` exited with code 7 before it was up: it closed its stdout before it answered `initialize`; \
         start 2 follows in 60 s; its last line of stderr: the licence has expired"
    );
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_that_never_answers_initialize_is_given_up_and_killed() {
    let world = World::new().await;
    let (supervisor, poller) = world.start("silent").await;
    let sentence = world.sentence(&poller).await;
    assert!(sentence.contains("did not answer `initialize` within 5 s; is it a nexo plugin"), "{sentence}");
    assert_eq!(supervisor.status().pid, None);
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_that_answers_with_another_id_or_as_another_plugin_is_refused() {
    let world = World::new().await;
    let (_supervisor, poller) = world.start("wrong_id").await;
    let sentence = world.sentence(&poller).await;
    assert!(sentence.contains("answered `initialize` under id 4711 instead of 1"), "{sentence}");
    let (_supervisor, poller) = world.start("other_plugin").await;
    let sentence = world.sentence(&poller).await;
    let refused =
        "plugin `faulty` cannot be used: it says it is plugin `somebody_else`, but its manifest file says `faulty`";
    assert!(sentence.starts_with(refused), "{sentence}");
    world.others_go_on().await;
}

#[tokio::test]
async fn a_binary_that_asks_for_more_topics_than_its_manifest_file_gives_it_does_not_come_up() {
    let world = World::new().await;
    let (_supervisor, poller) = world.start("greedy").await;
    let sentence = world.sentence(&poller).await;
    assert!(
        sentence.contains(
            "its binary wants to publish `plugin.>`, but its manifest file allows [daemon.rpc.faulty, plugin.outbound.>, \
             _inbox.>]; if that is meant, write the file again from --print-manifest"
        ),
        "{sentence}"
    );
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_is_found_by_its_manifest_or_by_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &Path, text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let manifest = binary("jira", "none", "long_lived").manifest;
    let text = manifest.to_toml().replace("fixture_faults", "jira-poller");
    write(&folder.path().join("with/nexo-plugin.toml"), &text);
    write(&folder.path().join("with/jira-poller"), "#!/bin/sh\n");
    write(
        &folder.path().join("printer"),
        &format!("#!/bin/sh\ncat <<'END'\n{}\nEND\n", text.replace("jira", "printer")),
    );
    write(&folder.path().join("no-plugin"), "#!/bin/sh\nexit 3\n");
    write(&folder.path().join("chatter"), "#!/bin/sh\necho hello\n");
    let (found, errors) = discover(folder.path()).await;
    let ids: Vec<&str> = found.iter().map(|plugin| plugin.manifest.plugin.id.as_str()).collect();
    assert_eq!(ids, ["printer", "jira"]);
    assert_eq!(found[1].program, folder.path().join("with/jira-poller"));
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(errors[0].contains("chatter --print-manifest`: line 1"), "{errors:?}");
    assert!(
        errors[1].ends_with(
            "no nexo-plugin.toml beside it, and `--print-manifest` failed (exit status: 3); is it a nexo plugin?"
        ),
        "{errors:?}"
    );
}

#[tokio::test]
async fn two_plugins_with_one_kind_are_both_named() {
    let world = World::new().await;
    let mut twin = binary("twin", "none", "long_lived");
    twin.manifest.plugin.poller.as_mut().unwrap().kinds = vec!["healthy".to_owned()];
    let error = world.router.register(&twin).err().unwrap().to_string();
    assert_eq!(
        error,
        "kind `healthy` is declared by plugin `healthy` and by plugin `twin`: remove one of them, or rename its kind"
    );
    // Registering a plugin again replaces its own entry.
    world.router.register(&binary("healthy", "none", "long_lived")).unwrap();
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_that_others_can_change_is_not_run_and_one_whose_program_is_missing_is_not_found() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let (jira, ran) = (folder.path().join("jira"), folder.path().join("ran"));
    std::fs::write(&jira, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
    mode(&jira, 0o777);
    let said = |errors: Vec<nexo_poller::router::DiscoverError>| errors[0].to_string();
    let (found, errors) = discover(folder.path()).await;
    let place = jira.display();
    assert_eq!(
        said(errors),
        format!(
            "plugin {place}: {place} can be changed by everybody (mode 0777), and what stands there is run: close it with \
             `chmod go-w {place}`"
        )
    );
    assert!(found.is_empty() && !ran.exists(), "it was run");
    mode(&jira, 0o755);
    mode(folder.path(), 0o757);
    let (found, errors) = discover(&jira).await;
    assert!(found.is_empty() && said(errors).contains("can be changed by everybody (mode 0757)") && !ran.exists());
    mode(folder.path(), 0o755);

    let manifest = binary("jira", "none", "long_lived").manifest.to_toml();
    let file = folder.path().join("nexo-plugin.toml");
    std::fs::remove_file(&jira).unwrap();
    for (command, why) in [
        (
            "fixture_faults",
            format!("and there is no such executable file in {} or on the PATH", folder.path().display()),
        ),
        ("/nonexistent/jira", "where there is no executable file".to_owned()),
    ] {
        std::fs::write(&file, manifest.replace("\"fixture_faults\"", &format!("\"{command}\""))).unwrap();
        let (found, errors) = discover(folder.path()).await;
        let expected = format!(
            "manifest {}: `plugin.entrypoint.command` names `{command}`, {why}; correct the name, or put the program there",
            file.display()
        );
        assert_eq!((found.len(), said(errors)), (0, expected));
    }
    mode(&file, 0o666);
    let (found, errors) = discover(folder.path()).await;
    assert!(found.is_empty() && said(errors).contains("nexo-plugin.toml can be changed by everybody (mode 0666)"));
}
