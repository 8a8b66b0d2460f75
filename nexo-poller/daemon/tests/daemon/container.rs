//! The container file: no engine is needed to see that each path, program and option in it exists.

use std::path::Path;
use std::process::Command;

use crate::home::Home;
use crate::systemd::contrib;

/// The instructions, continued lines joined: `COPY . .` is (`COPY`, `. .`).
fn instructions() -> Vec<(String, String)> {
    let text = contrib("Containerfile").replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.to_owned())).unwrap()).collect()
}

fn all<'i>(instructions: &'i [(String, String)], word: &str) -> Vec<&'i str> {
    instructions.iter().filter(|(name, _)| name == word).map(|(_, rest)| rest.as_str()).collect()
}

fn words_of_json(text: &str) -> Vec<String> {
    serde_json::from_str(text.get(text.find('[').unwrap()..).unwrap()).unwrap()
}

#[test]
fn the_image_is_built_from_what_the_repository_has() {
    let instructions = instructions();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let build = all(&instructions, "RUN")[0];
    let cargo = build.split("&&").next().unwrap();
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(&root)
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let option = |name: &str| cargo.split_whitespace().skip_while(|word| *word != name).nth(1).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == option("--package")).unwrap();
    let targets = package["targets"].as_array().unwrap();
    assert!(targets.iter().any(|target| target["name"] == option("--bin") && target["kind"][0] == "bin"));
    assert!(cargo.contains("--locked") && root.join("Cargo.lock").is_file());
    // What is copied into the build holds no build of this machine, and everything that is needed.
    let ignored = std::fs::read_to_string(root.join(".dockerignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "**/target"));
    for member in metadata["workspace_default_members"].as_array().unwrap() {
        let folder = member.as_str().unwrap();
        assert!(!ignored.lines().any(|line| folder.ends_with(&format!("/{line}"))), "{folder} is left out");
    }
    // What later stages copy was made before.
    for copied in all(&instructions, "COPY").into_iter().filter(|copy| copy.contains("--from=build")) {
        let source = copied.split_whitespace().find(|word| word.starts_with('/')).unwrap();
        assert!(build.contains(source.trim_end_matches('/')), "{source} is not made: {build}");
    }
}

#[test]
fn what_the_image_runs_is_there_and_runs_without_root_or_a_shell() {
    let instructions = instructions();
    let entry = words_of_json(all(&instructions, "ENTRYPOINT")[0]);
    let health = words_of_json(all(&instructions, "HEALTHCHECK")[0]);
    assert!(all(&instructions, "COPY").iter().any(|copy| copy.ends_with(&entry[0])), "{entry:?}");
    assert_eq!(entry[0], health[0]);
    let home = Home::with_jobs(&["id: one, kind: chatty, schedule: { every: 1h }"]);
    let command = words_of_json(all(&instructions, "CMD")[0]);
    let args: Vec<&str> = command.iter().map(String::as_str).collect();
    let probe: Vec<&str> = health.iter().skip(1).map(String::as_str).collect();
    let daemon = home.boot_with(home.command(&args));
    assert_eq!(home.run(&probe).code, Some(0));
    daemon.stop();
    assert_ne!(home.run(&probe).code, Some(0), "a daemon that is gone is not healthy");
    let user = all(&instructions, "USER")[0].split(':').next().unwrap().parse::<u32>().unwrap();
    assert_ne!(user, 0);
    let state = all(&instructions, "VOLUME")[0];
    let owned =
        all(&instructions, "COPY").into_iter().find(|copy| copy.trim_end_matches('/').ends_with(state)).unwrap();
    assert!(owned.contains(&format!("--chown={user}:")), "{owned}");
    // The program needs no library that the last stage (cc) does not bring.
    let needed = Command::new("ldd").arg(env!("CARGO_BIN_EXE_nexo-poller")).output().unwrap();
    let needed = String::from_utf8(needed.stdout).unwrap();
    let brought = ["linux-vdso.", "libgcc_s.", "libm.", "libc.", "libdl.", "libpthread.", "librt.", "ld-linux"];
    for line in needed.lines() {
        assert!(brought.iter().any(|library| line.contains(library)), "the image has no {line}");
    }
}
