//! A guide that is followed: files are written where it says, commands run in its order.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::finish;
use crate::{Outcome, say};

/// One thing that the guide asks for.
#[derive(Debug, PartialEq)]
enum Step {
    /// `<!-- file: NAME -->` and a block: its content.
    File { name: String, content: String },
    /// A `sh` block.
    Commands(String),
}

/// Follows the guide at `file` from `folder` on; `prepare` sets what each shell needs. What begins with `git clone` is there already.
pub(crate) fn follow(file: &Path, folder: &Path, prepare: impl Fn(&mut Command) -> Outcome) -> Outcome {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut here = folder.to_owned();
    let mark = folder.join(".here");
    for step in steps(&text) {
        match step {
            Step::File { name, content } => {
                let path = here.join(&name);
                fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
            }
            Step::Commands(commands) if commands.trim_start().starts_with("git clone") => {}
            Step::Commands(commands) => {
                say(&format!("{}: {}", file.display(), commands.lines().next().unwrap_or_default()))?;
                let mut shell = Command::new("sh");
                // Where one block goes, the next begins.
                shell.args(["-euc", &format!("{commands}\npwd > \"$HERE\"")]).current_dir(&here).env("HERE", &mark);
                prepare(&mut shell)?;
                finish(&mut shell)?;
                let left = fs::read_to_string(&mark).map_err(|error| format!("{}: {error}", mark.display()))?;
                here = PathBuf::from(left.trim_end());
            }
        }
    }
    Ok(())
}

fn steps(text: &str) -> Vec<Step> {
    let (mut steps, mut above) = (Vec::new(), "");
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let content: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let content = content.join("\n") + "\n";
            let name = above.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->"));
            match name {
                Some(name) => steps.push(Step::File { name: name.to_owned(), content }),
                None if language == "sh" => steps.push(Step::Commands(content)),
                None => {}
            }
        }
        if !line.trim().is_empty() {
            above = line.trim();
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_commands_are_found_in_their_order_and_what_is_only_shown_is_not() {
        let text = "a\n<!-- file: src/a.rs -->\n```rust\nfn a() {}\n```\n```yaml\nb: 1\n```\n<!-- ci: x -->\n```sh\nls\npwd\n```\n";
        let file = Step::File { name: "src/a.rs".to_owned(), content: "fn a() {}\n".to_owned() };
        assert_eq!(steps(text), [file, Step::Commands("ls\npwd\n".to_owned())]);
    }
}
