//! Reads the sources of our crates and fails where files import each other in a circle: inside a room and across rooms.
//! A re-export (`pub use`) is a name, not an import: what is imported through it is taken from the file that defines it.
#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the failure")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates whose files are looked at, from this one's folder.
const CRATES: [&str; 5] =
    ["src", "daemon/src", "../nexo-poller-macros/src", "../nexo-poller-testkit/src", "../xtask/src"];

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut found = String::new();
    for root in CRATES {
        let house = House::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(root));
        assert!(house.files.len() > 10, "{root}: only {} files found", house.files.len());
        for circle in circles(&house.imports()) {
            let shown: Vec<String> = circle.iter().map(|module| format!("    {}", module.join("::"))).collect();
            found += &format!("  {root}: {} files\n{}\n", circle.len(), shown.join("\n"));
        }
    }
    assert!(found.is_empty(), "files that import each other in a circle:\n{found}");
}

#[test]
fn a_circle_is_seen_through_re_exports_groups_and_inline_paths() {
    let house = House::of(&[
        ("lib", "mod a;\nmod b;\npub use a::First;"),
        ("a/mod", "mod one;\nmod two;\npub use self::one::First;\npub use self::two::*;"),
        ("a/one", "use super::Second;\npub struct First;"),
        ("a/two", "pub struct Second;\nfn f() { let _ = crate::First; }"),
        ("b", "use crate::{a::{First, Second}};\n// use crate::c::Third;\n"),
        ("c", "#[cfg(test)]\nmod tests {\n    use crate::b::X;\n}"),
    ]);
    let path = |text: &str| -> Module { text.split("::").map(str::to_owned).collect() };
    assert_eq!(circles(&house.imports()), [vec![path("a::one"), path("a::two")]]);
    let imports = house.imports();
    assert_eq!(imports[&path("b")], [path("a::one"), path("a::two")].into());
    assert!(imports[&path("c")].is_empty());
}

type Module = Vec<String>;

/// The files of one crate, by their module.
struct House {
    files: BTreeMap<Module, File>,
}

#[derive(Default)]
struct File {
    /// Every path that its code names, relative ones made absolute.
    names: BTreeSet<Module>,
    /// What it re-exports: the name, and the path that it stands for.
    exports: Vec<(String, Module)>,
}

impl House {
    fn read(root: &Path) -> Self {
        let mut texts = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path: PathBuf = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let name = path.strip_prefix(root).unwrap().with_extension("").display().to_string();
                    texts.push((name, fs::read_to_string(&path).unwrap()));
                }
            }
        }
        let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        Self::of(&texts)
    }

    fn of(texts: &[(&str, &str)]) -> Self {
        let product = texts.iter().filter(|(name, _)| !name.split('/').any(|part| part == "tests"));
        let files = product.map(|(name, text)| {
            let mut module: Module = name.split('/').map(str::to_owned).collect();
            if ["mod", "lib", "main"].contains(&module.last().unwrap().as_str()) {
                module.pop();
            }
            let file = File::of(&module, text);
            (module, file)
        });
        Self { files: files.collect() }
    }

    /// Which files each file takes names from.
    fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let of = |module: &Module, file: &File| {
            let names = file.names.iter().filter_map(|path| self.home(path, 0));
            names.filter(|home| home != module).collect()
        };
        self.files.iter().map(|(module, file)| (module.clone(), of(module, file))).collect()
    }

    /// The file that defines what `path` names, through however many re-exports.
    fn home(&self, path: &Module, depth: usize) -> Option<Module> {
        if depth > 8 {
            return None;
        }
        // The longest prefix that is a file.
        let (module, rest) =
            (0..=path.len()).rev().map(|n| path.split_at(n)).find(|(m, _)| self.files.contains_key(*m))?;
        let Some(item) = rest.first() else { return Some(module.to_vec()) };
        let exports = &self.files[module].exports;
        let through = |target: &Module| {
            let whole: Module = target.iter().chain(&rest[1..]).cloned().collect();
            self.home(&whole, depth + 1)
        };
        if let Some((_, target)) = exports.iter().find(|(name, _)| name == item) {
            return through(target);
        }
        // `pub use self::x::*`: whoever of them has the name.
        for (_, target) in exports.iter().filter(|(name, _)| name == "*") {
            let whole: Module = target.iter().chain(rest).cloned().collect();
            let found = self.home(&whole, depth + 1);
            if found.is_some() {
                return found;
            }
        }
        Some(module.to_vec())
    }
}

impl File {
    fn of(module: &Module, text: &str) -> Self {
        let code = without_tests(&without_comments(text));
        let mut file = Self::default();
        let mut rest = code.as_str();
        // Statements of `use` first; what is left is code.
        let mut code_only = String::new();
        while let Some(at) = next_use(rest) {
            let (before, statement) = rest.split_at(at);
            let end = statement.find(';').map_or(statement.len(), |end| end + 1);
            let line = before.rfind('\n').map_or(0, |at| at + 1);
            let is_export = before[line..].trim_start().starts_with("pub");
            code_only += before;
            let tree = statement[3..end].trim().trim_end_matches(';');
            for (path, alias) in leaves(tree) {
                let Some(path) = absolute(module, &path) else { continue };
                if is_export {
                    let name = alias.unwrap_or_else(|| path.last().cloned().unwrap_or_default());
                    let target = if name == "*" { path[..path.len() - 1].to_vec() } else { path };
                    file.exports.push((name, target));
                } else {
                    file.names.insert(path);
                }
            }
            rest = &statement[end..];
        }
        code_only += rest;
        for root in ["crate::", "super::", "self::"] {
            for (at, _) in code_only.match_indices(root) {
                let free = !code_only[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
                let end = code_only[at..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
                let path = &code_only[at..end.map_or(code_only.len(), |end| at + end)];
                let path: Vec<String> = path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
                if free && let Some(path) = absolute(module, &path) {
                    file.names.insert(path);
                }
            }
        }
        file
    }
}

/// Where the next `use` begins.
fn next_use(code: &str) -> Option<usize> {
    code.match_indices("use ").map(|(at, _)| at).find(|at| {
        let line = code[..*at].rfind('\n').map_or(0, |end| end + 1);
        let before = code[line..*at].trim();
        before.is_empty() || before == "pub" || (before.starts_with("pub(") && before.ends_with(')'))
    })
}

/// The paths of a tree `a::{b, c::{d as e}}`, each with its other name.
fn leaves(tree: &str) -> Vec<(Vec<String>, Option<String>)> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let (path, alias) = match tree.split_once(" as ") {
            Some((path, alias)) => (path, Some(alias.trim().to_owned())),
            None => (tree, None),
        };
        let mut path: Vec<String> = path.split("::").map(|part| part.trim().to_owned()).collect();
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        return vec![(path, alias)];
    };
    let prefix: Vec<String> =
        tree[..open].split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let of_part = |part: &str| -> Vec<(Vec<String>, Option<String>)> {
        let whole = |(path, alias): (Vec<String>, _)| {
            let path = if path == ["self"] { Vec::new() } else { path };
            (prefix.iter().cloned().chain(path).collect(), alias)
        };
        leaves(part).into_iter().map(whole).collect()
    };
    parts.into_iter().filter(|part| !part.trim().is_empty()).flat_map(of_part).collect()
}

/// `path` from the crate's root, where it begins at one of `crate`, `self`, `super`, or at a child of the root.
fn absolute(module: &Module, path: &[String]) -> Option<Module> {
    let (mut at, mut rest): (Module, &[String]) = match path.first()?.as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" => (module.clone(), &path[1..]),
        "super" => (module.clone(), path),
        // A child that is named without `self::`, as `pub use a::First` in the root.
        _ if module.is_empty() => (Vec::new(), path),
        _ => return None,
    };
    while rest.first().is_some_and(|part| part == "super") {
        at.pop()?;
        rest = &rest[1..];
    }
    at.extend(rest.iter().cloned());
    Some(at)
}

/// `code` without its modules of unit tests, which stand at its end.
fn without_tests(code: &str) -> String {
    let mut kept = code;
    for mark in ["#[cfg(test)]\nmod ", "#[cfg(all(test"] {
        if let Some(at) = kept.find(mark)
            && kept[at..].lines().nth(1).is_some_and(|line| line.ends_with('{'))
        {
            kept = &kept[..at];
        }
    }
    kept.to_owned()
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| -> String {
        let comment = line.match_indices("//").map(|(at, _)| at).find(|at| !line[..*at].ends_with(':'));
        comment.map_or(line, |at| &line[..at]).to_owned()
    };
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// The strongly connected components of more than one file (Tarjan, 1972).
fn circles(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<Module>> {
    let mut search = Search { imports, order: BTreeMap::new(), low: BTreeMap::new(), open: Vec::new(), found: vec![] };
    for module in imports.keys() {
        if !search.order.contains_key(module) {
            search.visit(module);
        }
    }
    search.found.sort();
    search.found
}

struct Search<'a> {
    imports: &'a BTreeMap<Module, BTreeSet<Module>>,
    order: BTreeMap<&'a Module, usize>,
    low: BTreeMap<&'a Module, usize>,
    open: Vec<&'a Module>,
    found: Vec<Vec<Module>>,
}

impl<'a> Search<'a> {
    fn visit(&mut self, module: &'a Module) {
        let number = self.order.len();
        self.order.insert(module, number);
        self.low.insert(module, number);
        self.open.push(module);
        for next in &self.imports[module] {
            if !self.order.contains_key(next) {
                self.visit(next);
                self.low.insert(module, self.low[module].min(self.low[next]));
            } else if self.open.contains(&next) {
                self.low.insert(module, self.low[module].min(self.order[next]));
            }
        }
        if self.low[module] == self.order[module] {
            let at = self.open.iter().position(|open| *open == module).unwrap();
            let mut circle: Vec<Module> = self.open.drain(at..).cloned().collect();
            if circle.len() > 1 {
                circle.sort();
                self.found.push(circle);
            }
        }
    }
}
