//! Reads `src/` and fails when a room imports one that it may not enter, when a name says nothing, or when a file has
//! grown past what one idea needs.
#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the failure")]

#[path = "architecture/spelling.rs"]
mod spelling;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms that it may enter.
type Arrows = &'static [(&'static str, &'static [&'static str])];

/// Who may enter whom. A room may always use itself; what is missing here is forbidden.
const ARROWS: [(&str, &[&str]); 14] = [
    ("contract", &[]),
    ("manifest", &["contract"]),
    ("wire", &["contract"]),
    // The manifest is what the stdio bridge's handshake carries, and the allowlist that it enforces.
    ("broker", &["wire", "manifest", "contract"]),
    // What the macro's expansion names.
    ("private", &["contract"]),
    // The one body of a tick, for whoever runs one.
    ("tick", &["contract"]),
    ("plugin", &["broker", "wire", "manifest", "contract", "tick"]),
    ("store", &["contract"]),
    ("runner", &["contract", "store", "tick"]),
    ("router", &["broker", "wire", "manifest", "contract"]),
    ("host", &["broker", "wire", "contract", "tls"]),
    ("builtins", &["contract", "tls"]),
    ("tls", &[]),
    // What is only re-exported, for our daemon and testkit.
    ("unstable", &["broker", "contract", "router", "runner", "store", "tick", "tls"]),
];

/// The same for the daemon's rooms: `api`, `cli` and `page` look at `core`, and it never looks back.
const DAEMON_ARROWS: [(&str, &[&str]); 9] = [
    ("config", &[]),
    ("page", &[]),
    ("telemetry", &["config"]),
    ("cluster", &["config"]),
    ("plugins", &["config", "telemetry"]),
    ("core", &["cluster", "config", "plugins", "telemetry"]),
    ("api", &["config", "core", "page", "plugins", "telemetry"]),
    ("cli", &["api", "boot", "config", "core", "plugins", "telemetry"]),
    // The parts are put together here.
    ("boot", &["api", "cluster", "config", "core", "plugins", "telemetry"]),
];

/// What the crate's root re-exports under another name: using it is using the room.
const ROOT_NAMES: [(&str, &str); 2] = [("prelude", "contract"), ("poller", "contract")];

/// Names that say nothing of what lives there.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "helper", "manager"];

/// Public structs whose fields are fixed for good: authors write them as literals.
const FIXED: [&str; 2] = ["TickAck", "TickMetrics"];

/// More lines than this in one file, tests included, is more than one idea.
const MOST_LINES: usize = 500;

#[test]
fn no_room_imports_one_that_it_may_not_enter() {
    let mut broken = String::new();
    let daemon = Path::new(env!("CARGO_MANIFEST_DIR")).join("daemon/src");
    for (files, arrows) in [(sources(), &ARROWS[..]), (sources_in(&daemon), &DAEMON_ARROWS[..])] {
        for file in files {
            let Some(room) = file.room() else { continue };
            let Some((_, allowed)) = arrows.iter().find(|(name, _)| *name == room) else {
                writeln!(broken, "  {}: room `{room}` has no line in ARROWS: decide whom it may enter", file.shown)
                    .unwrap();
                continue;
            };
            for (line, target) in imports(&file.text, arrows) {
                if target != room && !allowed.contains(&target.as_str()) {
                    writeln!(broken, "  {}:{line}: {room} → {target}", file.shown).unwrap();
                }
            }
        }
    }
    assert!(broken.is_empty(), "arrows that the design forbids:\n{broken}");
}

#[test]
fn the_architecture_page_has_a_line_for_every_room() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md")).unwrap();
    let rooms = ARROWS.iter().chain(&DAEMON_ARROWS).map(|(room, _)| *room);
    let unsaid: Vec<_> = rooms.filter(|room| !page.contains(&format!("| `{room}` |"))).collect();
    assert!(unsaid.is_empty(), "ARCHITECTURE.md does not say what lives in these rooms: {unsaid:?}");
}

#[test]
fn no_file_or_folder_has_a_name_that_says_nothing() {
    let named: Vec<_> = sources()
        .into_iter()
        .filter(|file| {
            let path = file.path.with_extension("");
            path.components().any(|part| EMPTY_NAMES.iter().any(|name| part.as_os_str() == *name))
        })
        .map(|file| file.shown)
        .collect();
    assert!(named.is_empty(), "name these after what they do: {named:?}");
}

#[test]
fn no_file_holds_more_than_one_idea() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|file| (file.text.lines().count(), file.shown))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .collect();
    assert!(long.is_empty(), "split these, the limit is {MOST_LINES} lines: {long:?}");
}

#[test]
fn a_public_struct_can_grow_unless_its_shape_is_fixed_for_good() {
    let testkit = sources_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../nexo-poller-testkit/src"));
    let mut fixed: Vec<_> =
        sources().into_iter().chain(testkit).flat_map(|file| exhaustive_structs(&file.text)).collect();
    fixed.sort_unstable();
    let mut known: Vec<_> = FIXED.iter().map(|name| (*name).to_owned()).collect();
    known.sort_unstable();
    assert_eq!(fixed, known, "left: what there is; give a new one `#[non_exhaustive]` and a constructor");
}

#[test]
fn the_reader_of_structs_sees_public_fields_and_the_attribute() {
    let text = "#[derive(Debug)]\npub struct A {\n    pub a: u8,\n}\n\n#[non_exhaustive]\n/// Text.\npub struct B<'a> {\n    \
                pub b: &'a str,\n}\n\npub struct C {\n    c: u8,\n}\n\npub struct D(pub u8);\n\npub struct E<T> {\n    e: u8,\n    \
                pub(crate) f: T,\n    pub g: u8,\n}\n";
    assert_eq!(exhaustive_structs(text), ["A", "E"]);
}

#[test]
fn the_reader_of_imports_sees_every_way_to_write_one() {
    let table: [(&str, &[&str]); 12] = [
        ("let url = \"http://a\"; crate::wire::x()", &["wire"]),
        ("use crate::wire::Event;", &["wire"]),
        ("use crate::{broker::Broker, wire::{Event, Message}, Plain};", &["broker", "wire"]),
        ("use crate::{\n    broker::Broker,\n    host,\n};", &["broker", "host"]),
        ("fn f() { crate::router::go(); }", &["router"]),
        ("pub(crate) fn f(x: &crate::store::Row) {}", &["store"]),
        ("pub use crate::prelude::*;", &["contract"]),
        ("//! See [`runner`](crate::runner).", &[]),
        ("/// See [`runner`](crate::runner).", &[]),
        ("let a = 1; // crate::runner is not used", &[]),
        ("/* crate::runner */ use crate::contract::X;", &["contract"]),
        ("pub(in crate::router) struct X;", &["router"]),
    ];
    for (text, expected) in table {
        let found: Vec<_> = imports(text, &ARROWS).into_iter().map(|(_, target)| target).collect();
        assert_eq!(found, expected, "in {text}");
    }
    assert_eq!(imports("\n\nuse crate::{\n    wire,\n};", &ARROWS), [(4, "wire".to_owned())]);
}

struct Source {
    path: PathBuf,
    shown: String,
    text: String,
}

impl Source {
    /// The first folder under `src/`, or the file that is a room by itself.
    fn room(&self) -> Option<String> {
        let mut parts = self.path.components();
        let first = parts.next()?.as_os_str().to_string_lossy().into_owned();
        match parts.next() {
            Some(_) if first == "bin" => None,
            Some(_) => Some(first),
            None => match first.trim_end_matches(".rs") {
                "lib" | "main" | "prelude" => None,
                room => Some(room.to_owned()),
            },
        }
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    sources_in(&src())
}

fn sources_in(src: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![src.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(src).unwrap().to_owned();
                found.push(Source { shown: format!("src/{}", path.display()), path, text });
            }
        }
    }
    assert!(found.len() > 20, "only {} files found: is `src/` where this test looks?", found.len());
    found.sort_by(|a, b| a.shown.cmp(&b.shown));
    found
}

/// The public structs of `text` with a public field and without `#[non_exhaustive]`. A newtype is its one field, and does not count.
fn exhaustive_structs(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("\npub struct ").chain(text.starts_with("pub struct ").then_some((0, ""))) {
        let item = text[at..].trim_start();
        if !item.lines().next().is_some_and(|line| line.ends_with('{')) {
            continue;
        }
        let body = item.split("\n}").next().unwrap_or_default();
        let attributes = text[..at].rsplit("\n\n").next().unwrap_or_default();
        if body.contains("\n    pub ") && !attributes.contains("#[non_exhaustive]") {
            let name = item.trim_start_matches("pub struct ");
            found.push(name.chars().take_while(|letter| letter.is_alphanumeric()).collect());
        }
    }
    found
}

/// Every room that `text` names after `crate::`, with its line.
fn imports(text: &str, rooms: Arrows) -> Vec<(usize, String)> {
    let code = without_comments(text);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // `nexo_poller_crate::` is another path.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest_at = at + "crate::".len();
        if code[rest_at..].starts_with('{') {
            found.extend(group(&code, rest_at + 1, rooms));
        } else {
            found.extend(name_at(&code, rest_at, rooms));
        }
    }
    found
}

/// The first segment of each element of `{a::B, c::{D, E}}`, whose text begins at `start`.
fn group(code: &str, start: usize, rooms: Arrows) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut depth = 1;
    let mut element = true;
    for (offset, letter) in code[start..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => element = true,
            letter if element && !letter.is_whitespace() => {
                element = false;
                found.extend(name_at(code, start + offset, rooms));
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// The room whose name begins at `at`, if it is one.
fn name_at(code: &str, at: usize, rooms: Arrows) -> Option<(usize, String)> {
    let name: String = code[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let room = ROOT_NAMES.iter().find(|(root, _)| *root == name).map_or(name.as_str(), |(_, room)| room);
    rooms.iter().any(|(known, _)| *known == room).then(|| (code[..at].matches('\n').count() + 1, room.to_owned()))
}

/// `text` with every comment blanked out, lines kept. `//` after a colon is taken for part of a URL.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut block = false;
    for line in text.lines() {
        let mut rest = line;
        while !rest.is_empty() {
            if block {
                let Some(end) = rest.find("*/") else { break };
                block = false;
                rest = &rest[end + 2..];
            } else if rest.starts_with("//") && !code.ends_with(':') {
                break;
            } else if let Some(after) = rest.strip_prefix("/*") {
                block = true;
                rest = after;
            } else {
                let width = rest.chars().next().map_or(1, char::len_utf8);
                code.push_str(&rest[..width]);
                rest = &rest[width..];
            }
        }
        code.push('\n');
    }
    code
}

#[test]
fn every_file_that_the_architecture_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(|word| word.contains("/src/")).collect();
    assert!(named.len() > 30, "only {} files are named", named.len());
    let gone: Vec<_> = named.into_iter().filter(|path| !root.join(path).exists()).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md names files that are not there: {gone:?}");
}
