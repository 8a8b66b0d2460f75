use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{finish, root};
use crate::{Outcome, say};

/// What stands above a `sh` block of a README or guide and says how it is checked.
#[derive(Debug, PartialEq)]
enum Treatment {
    /// `<!-- ci: run -->`: the block is run in the file's folder and must succeed.
    Run,
    /// `<!-- ci: elsewhere, why -->`: another step runs this very command, or it cannot be run here.
    Elsewhere(String),
}

#[derive(Debug)]
struct Block {
    line: usize,
    treatment: Result<Treatment, String>,
    commands: String,
}

/// Every `sh` block of every README and guide says how it is checked; those that can be run are.
pub(crate) fn check() -> Outcome {
    let mut ran = 0;
    let mut elsewhere = 0;
    let mut unsaid = Vec::new();
    for file in documents()? {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let shown = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
        for block in blocks(&text) {
            match block.treatment {
                Err(rule) => unsaid.push(format!("  {shown}:{}: {rule}", block.line)),
                Ok(Treatment::Elsewhere(_)) => elsewhere += 1,
                Ok(Treatment::Run) => {
                    say(&format!("{shown}:{}: {}", block.line, block.commands.trim()))?;
                    let folder = file.parent().unwrap_or(Path::new("."));
                    finish(Command::new("sh").args(["-euc", &block.commands]).current_dir(folder))
                        .map_err(|error| format!("{shown}:{}: {error}", block.line))?;
                    ran += 1;
                }
            }
        }
    }
    if !unsaid.is_empty() {
        return Err(format!("these blocks do not say how they are checked:\n{}", unsaid.join("\n")));
    }
    say(&format!("commands: {ran} blocks of the documentation ran, {elsewhere} are checked elsewhere"))
}

/// The READMEs and guides.
fn documents() -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "templates" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The commands of every `sh` block of `text`.
pub(crate) fn shell_blocks(text: &str) -> Vec<String> {
    blocks(text).into_iter().map(|block| block.commands).collect()
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut above = "";
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.trim() == "```sh" {
            let commands: Vec<_> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
            found.push(Block { line: index + 1, treatment: treatment(above), commands: commands.join("\n") });
        }
        if !line.trim().is_empty() {
            above = line.trim();
        }
    }
    found
}

fn treatment(above: &str) -> Result<Treatment, String> {
    let rule = "put `<!-- ci: run -->` or `<!-- ci: elsewhere, why -->` above it";
    let said = above.strip_prefix("<!-- ci: ").and_then(|rest| rest.strip_suffix(" -->")).ok_or(rule)?;
    match said.split_once(", ") {
        None if said == "run" => Ok(Treatment::Run),
        Some(("elsewhere", why)) if !why.trim().is_empty() => Ok(Treatment::Elsewhere(why.to_owned())),
        _ => Err(format!("`{said}` is not known: {rule}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_with_its_treatment_and_one_without_is_refused() {
        let text = "a\n<!-- ci: run -->\n\n```sh\nls\npwd\n```\n```sh\nls\n```\n```text\nno\n```\n<!-- ci: elsewhere -->\n```sh\n```";
        let found = blocks(text);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].treatment, Ok(Treatment::Run));
        assert_eq!((found[0].line, found[0].commands.as_str()), (4, "ls\npwd"));
        assert!(found[1].treatment.is_err() && found[2].treatment.is_err());
        assert_eq!(treatment("<!-- ci: elsewhere, later -->"), Ok(Treatment::Elsewhere("later".to_owned())));
    }
}
