//! What a stranger gets from `cargo generate`, tried as a stranger would.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::run::{binaries, cargo, finish, metadata, output, root};
use crate::scratch::Scratch;
use crate::{Outcome, commands, generator, guide, say};

/// Our crates, by the folder that each is in.
pub(crate) const CRATES: [&str; 3] = ["nexo-poller", "nexo-poller-macros", "nexo-poller-testkit"];

/// One set of answers to a template's questions.
struct Case {
    template: &'static str,
    name: &'static str,
    answers: &'static [(&'static str, &'static str)],
}

const CASES: [Case; 3] = [
    Case { template: "poller", name: "new-files-poller", answers: &[("kind", "new_files")] },
    Case {
        template: "poller",
        name: "inbox",
        answers: &[
            ("kind", "inbox2"),
            ("description", "Watches the inbox."),
            ("license", "MIT"),
            ("advanced", "true"),
            ("nats", "true"),
            ("lifecycle", "ephemeral"),
        ],
    },
    Case {
        template: "http-poller",
        name: "orders-poller",
        answers: &[
            ("kind", "shop_orders"),
            ("license", "Apache-2.0"),
            ("advanced", "true"),
            ("nats", "false"),
            ("lifecycle", "ephemeral"),
        ],
    },
];

/// Generates every template with several answers and does with each tree what its README says.
pub(crate) fn check() -> Outcome {
    let scratch = Scratch::elsewhere("templates")?;
    let ours = CRATES.map(|name| (name, root().join(name)));
    let world = World::new(scratch.path(), &ours)?;
    refuses_a_bad_kind(&world)?;
    for case in &CASES {
        world.try_out(case)?;
    }
    world.follow_the_guide()?;
    say(&format!("templates: {} generated pollers build, lint, test and run, and so does the guide's", CASES.len()))
}

/// A generated poller against our packed crates alone, as a user of crates.io would have them.
pub(crate) fn check_publish() -> Outcome {
    let scratch = Scratch::elsewhere("publish")?;
    let packed = pack(scratch.path())?;
    let ours: Vec<(&str, PathBuf)> = packed.iter().map(|(name, (folder, _))| (*name, folder.clone())).collect();
    let world = World::new(scratch.path(), &ours)?;
    let case = &CASES[0];
    world.try_out(case)?;
    finish(world.cargo(&world.folder.join(case.name)).args(["package", "--quiet", "--allow-dirty", "--no-verify"]))?;
    for (name, (_, bytes)) in &packed {
        let kib = *bytes as f64 / 1024.0;
        say(&format!(
            "figure publish.{}_kib value={kib:.1} unit=KiB limit=10240 ratio={:.3} note=packed-crate",
            name.replace('-', "_"),
            kib / 10_240.0
        ))?;
    }
    say("publish: a generated poller builds, tests, runs and packs against our packed crates alone")
}

/// The packed crates, unpacked: by name, where each is and how large its file was.
fn pack(scratch: &Path) -> Result<BTreeMap<&'static str, (PathBuf, u64)>, String> {
    let mut package = cargo();
    package.args(["package", "--quiet", "--allow-dirty", "--no-verify"]);
    finish(package.args(CRATES.iter().flat_map(|name| ["--package", name])))?;
    let folder = binaries()?.with_file_name("package");
    let version = version()?;
    let mut packed = BTreeMap::new();
    for name in CRATES {
        let file = folder.join(format!("{name}-{version}.crate"));
        let bytes = fs::metadata(&file).map_err(|error| format!("{}: {error}", file.display()))?.len();
        finish(Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(scratch))?;
        let unpacked = scratch.join(file.file_stem().unwrap_or_default());
        let manifest = fs::read_to_string(unpacked.join("Cargo.toml")).map_err(|error| format!("{name}: {error}"))?;
        if manifest.lines().any(|line| line.starts_with("path = \"..") || line.starts_with("git = ")) {
            return Err(format!("the packed {name} depends on a path or a repository"));
        }
        packed.insert(name, (unpacked, bytes));
    }
    Ok(packed)
}

/// The version that our crates share.
fn version() -> Result<String, String> {
    let metadata = metadata(&["--no-deps", "--offline"])?;
    let packages = metadata["packages"].as_array().ok_or("`cargo metadata` lists no packages")?;
    let library = packages.iter().find(|package| package["name"] == "nexo-poller");
    library.and_then(|package| package["version"].as_str()).map(str::to_owned).ok_or("no version".to_owned())
}

/// A folder whose trees take our crates from `ours`, and share what they build.
struct World {
    folder: PathBuf,
    target: PathBuf,
    bin: PathBuf,
    generator: PathBuf,
}

impl World {
    fn new(scratch: &Path, ours: &[(&str, PathBuf)]) -> Result<Self, String> {
        let folder = scratch.join("generated");
        let cargo_folder = folder.join(".cargo");
        fs::create_dir_all(&cargo_folder).map_err(|error| format!("{}: {error}", cargo_folder.display()))?;
        // Cargo finds it above the generated trees, which stay as they are.
        let mut config = "[patch.crates-io]\n".to_owned();
        for (name, path) in ours {
            config += &format!("{name} = {{ path = {:?} }}\n", path.display().to_string());
        }
        let file = cargo_folder.join("config.toml");
        fs::write(&file, config).map_err(|error| format!("{}: {error}", file.display()))?;
        finish(cargo().args(["build", "--quiet", "--package", "nexo-poller-daemon"]))?;
        let bin = binaries()?;
        let target = bin.with_file_name("templates");
        Ok(Self { folder, target, bin, generator: generator::obtain()? })
    }

    fn try_out(&self, case: &Case) -> Outcome {
        say(&format!("── {} as {}", case.template, case.name))?;
        let folder = self.folder.join(case.name);
        let began = Instant::now();
        self.generate(case)?;
        let once = output(self.cargo(&folder).args(["run", "--quiet", "--", "--print-manifest"]))?;
        let committed = fs::read_to_string(folder.join("nexo-plugin.toml")).unwrap_or_default();
        if once != committed {
            return Err(format!(
                "{}: the generated nexo-plugin.toml is not what the binary prints:\n{once}",
                case.name
            ));
        }
        let seconds = began.elapsed().as_secs_f64();
        say(&format!(
            "figure template.first_output_s value={seconds:.1} unit=s limit=90 ratio={:.2} note={}",
            seconds / 90.0,
            case.name
        ))?;
        let left: Vec<_> = ["cargo-generate.toml"].iter().filter(|file| folder.join(file).exists()).collect();
        if !left.is_empty() {
            return Err(format!("{}: the author would have to delete {left:?}", case.name));
        }
        finish(self.cargo(&folder).args(["fmt", "--check"]))?;
        finish(self.cargo(&folder).args(["clippy", "--quiet", "--all-targets", "--", "-D", "warnings"]))?;
        let readme = fs::read_to_string(folder.join("README.md")).map_err(|error| format!("{}: {error}", case.name))?;
        for commands in commands::shell_blocks(&readme) {
            let mut shell = Command::new("sh");
            shell.args(["-euc", &commands]).current_dir(&folder);
            self.prepare(&mut shell)?;
            finish(&mut shell)?;
        }
        Ok(())
    }

    /// What `docs/write-your-own.md` says, in a folder of its own beside a clone of this repository.
    fn follow_the_guide(&self) -> Outcome {
        say("── docs/write-your-own.md")?;
        let clone = self.folder.join("nexo-poller");
        std::os::unix::fs::symlink(root(), &clone).map_err(|error| format!("{}: {error}", clone.display()))?;
        guide::follow(&root().join("docs/write-your-own.md"), &self.folder, |shell| self.prepare(shell))
    }

    /// A shell finds our daemon and `cargo generate`, and builds where the others do.
    fn prepare(&self, shell: &mut Command) -> Outcome {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let generator = self.generator.parent().map(Path::to_owned);
        let ours = std::iter::once(self.bin.clone()).chain(generator).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(ours).map_err(|error| error.to_string())?;
        shell.env("PATH", path).env("CARGO_TARGET_DIR", &self.target);
        Ok(())
    }

    fn generate(&self, case: &Case) -> Outcome {
        finish(&mut self.generation(case.template, case.name, case.answers))
    }

    fn generation(&self, template: &str, name: &str, answers: &[(&str, &str)]) -> Command {
        let mut generate = Command::new(&self.generator);
        generate.args(["generate", "--silent", "--vcs", "none", "--name", name]);
        generate.arg("--path").arg(root().join("templates").join(template));
        generate.arg("--destination").arg(&self.folder);
        for (key, value) in answers {
            generate.arg("--define").arg(format!("{key}={value}"));
        }
        generate.current_dir(&self.folder);
        generate
    }

    fn cargo(&self, folder: &Path) -> Command {
        let mut cargo = cargo();
        cargo.current_dir(folder).env("CARGO_TARGET_DIR", &self.target);
        cargo
    }
}

fn refuses_a_bad_kind(world: &World) -> Outcome {
    let mut generate = world.generation("poller", "bad-poller", &[("kind", "Bad-Kind")]);
    let refused = generate.output().map_err(|error| format!("cargo-generate could not be started: {error}"))?;
    if refused.status.success() {
        return Err("the template takes the kind `Bad-Kind`".to_owned());
    }
    Ok(())
}
