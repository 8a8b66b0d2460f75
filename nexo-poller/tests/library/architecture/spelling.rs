//! Topics and codes of the protocol are spelled in one file each; everybody else uses the names from there.

use std::fs;
use std::path::Path;

/// Where production code lives, seen from this crate. A crate that is published alone has the first only.
const ROOTS: [&str; 3] = ["src", "daemon/src", "../nexo-poller-testkit/src"];

/// The one file that spells topics.
const TOPICS: &str = "src/contract/topics.rs";
/// The one file that spells codes.
const CODES: &str = "src/contract/code.rs";

/// What only a topic of the protocol holds.
const TOPIC_PARTS: [&str; 5] = ["daemon.rpc", "daemon.members", "daemon.relay", "plugin.outbound", "_inbox"];

/// The keys of the manifest's table `[plugin.poller]`, whose paths look like topics.
const KEYS: [&str; 5] = ["kinds", "broker_topic_prefix", "lifecycle", "max_concurrent_ticks", "tick_timeout_secs"];

#[test]
fn no_file_but_one_spells_a_topic_of_the_protocol() {
    let found: Vec<String> = production()
        .into_iter()
        .filter(|(shown, _)| shown != TOPICS)
        .flat_map(|(shown, text)| {
            let literals = Code::read(&text).literals;
            let topics = literals.into_iter().filter(|(_, literal)| is_topic(literal));
            topics.map(|(line, literal)| format!("  {shown}:{line}: {literal:?}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "use `topics` ({TOPICS}) in place of these:\n{}", found.join("\n"));
}

#[test]
fn no_file_but_one_spells_a_code_of_the_protocol() {
    let found: Vec<String> = production()
        .into_iter()
        .filter(|(shown, _)| shown != CODES)
        .flat_map(|(shown, text)| {
            let Code { plain, literals } = Code::read(&text);
            let numbers = plain.lines().enumerate().map(|(at, line)| (at + 1, line.to_owned()));
            let spelled = numbers.chain(literals).filter(|(_, text)| holds_code(text));
            spelled.map(|(line, text)| format!("  {shown}:{line}: {}", text.trim())).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "use `code` ({CODES}) in place of these:\n{}", found.join("\n"));
}

#[test]
fn the_reader_of_literals_sees_code_and_neither_comments_nor_attributes_nor_tests() {
    let text = r##"
        // "daemon.rpc.a"
        /* "daemon.rpc.b" */ /// "daemon.rpc.c"
        #[poller(publish = ["plugin.outbound.>"])]
        fn f<'a>(c: char) -> &'a str { if c == '"' { "one \" two" } else { r#"three "four""# } }
        const URL: &str = "nats://host"; let code = -32601;
        b"five";
#[cfg(test)]
mod tests { const T: &str = "_inbox.>"; }
"##;
    let Code { plain, literals } = Code::read(text);
    let literals: Vec<_> = literals.iter().map(|(line, literal)| (*line, literal.as_str())).collect();
    assert_eq!(literals, [(5, r#"one \" two"#), (5, r#"three "four""#), (6, "nats://host"), (7, "five")]);
    assert!(holds_code(&plain) && !plain.contains("daemon") && !plain.contains("tests"), "{plain}");
}

#[test]
fn a_topic_is_told_from_a_key_of_the_manifest_and_a_code_from_other_numbers() {
    for topic in ["daemon.rpc.{id}", "_inbox.>", "plugin.outbound.", "plugin.poller.{id}", "{prefix}.tick", ".tick"] {
        assert!(is_topic(topic), "{topic}");
    }
    for other in ["plugin.poller.kinds[{index}]", "plugin.poller", "poller.ticks", "a tick", "daemon"] {
        assert!(!is_topic(other), "{other}");
    }
    assert!(holds_code("x == -32_001") && holds_code("code: -32602,") && holds_code("-32001 alone"));
    assert!(!holds_code("a - 32") && !holds_code("-320") && !holds_code("utf-32"));
}

fn is_topic(literal: &str) -> bool {
    let key = |rest: &str| KEYS.iter().any(|key| rest.starts_with(key));
    TOPIC_PARTS.iter().any(|part| literal.contains(part))
        || literal.strip_prefix("plugin.poller.").is_some_and(|rest| !key(rest))
        || literal.ends_with(".tick")
}

/// JSON-RPC's own codes, and those that it leaves to its users, have five digits.
fn holds_code(text: &str) -> bool {
    let digits = text.replace('_', "");
    digits.match_indices("-32").any(|(at, _)| digits[at + 3..].chars().take_while(char::is_ascii_digit).count() == 3)
}

/// Every source that is not one of tests, with the path to show.
fn production() -> Vec<(String, String)> {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = ROOTS.map(|root| crate_root.join(root)).to_vec();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_stem().unwrap_or_default();
            if name == "tests" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let shown = path.strip_prefix(crate_root).unwrap_or(&path).display().to_string();
                found.push((shown, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.iter().any(|(shown, _)| shown == TOPICS) && found.iter().any(|(shown, _)| shown == CODES));
    found
}

/// A source, taken apart.
#[derive(Default)]
struct Code {
    /// Everything but comments, attributes and the contents of literals, lines kept.
    plain: String,
    /// The string literals outside attributes, as written, with their lines.
    literals: Vec<(usize, String)>,
}

impl Code {
    /// Reads `text` up to its tests, which stand at the end.
    fn read(text: &str) -> Self {
        let tests = text.match_indices("\n#[cfg(test)]\n").find(|(at, line)| {
            let mut rest = text[at + line.len()..].lines().skip_while(|line| line.starts_with("#["));
            rest.next().is_some_and(|line| line.starts_with("mod ") && line.contains('{'))
        });
        let mut code = Self::default();
        let mut rest = tests.map_or(text, |(at, _)| &text[..at]);
        let (mut attribute, mut line) = (0, 1);
        while let Some(first) = rest.chars().next() {
            let (taken, literal) = token(rest, first);
            let (token, after) = rest.split_at(taken);
            rest = after;
            match first {
                '#' if attribute == 0 && (after.starts_with('[') || after.starts_with("![")) => {
                    attribute = 1;
                    rest = &after[after.find('[').map_or(0, |at| at + 1)..];
                }
                '[' if attribute > 0 => attribute += 1,
                ']' if attribute > 0 => attribute -= 1,
                _ if attribute == 0 => match literal {
                    Some((from, to)) => code.literals.push((line, token[from..to].to_owned())),
                    None if taken == first.len_utf8() => code.plain.push(first),
                    None => {}
                },
                _ => {}
            }
            let ends = token.matches('\n').count();
            line += ends;
            if taken > 1 || attribute > 0 {
                code.plain.extend(std::iter::repeat_n('\n', ends));
            }
        }
        code
    }
}

/// How long the token at the head of `rest` is, and where in it a literal's content stands.
fn token(rest: &str, first: char) -> (usize, Option<(usize, usize)>) {
    let to = |end: Option<usize>, width: usize| end.map_or(rest.len(), |at| at + width);
    match first {
        '/' if rest.starts_with("//") => (to(rest.find('\n'), 0), None),
        '/' if rest.starts_with("/*") => (to(rest.find("*/"), 2), None),
        '"' => {
            let mut escaped = false;
            let end = rest[1..].find(|letter| {
                let ends = letter == '"' && !escaped;
                escaped = letter == '\\' && !escaped;
                ends
            });
            let end = end.map_or(rest.len() - 1, |at| at + 1);
            (end + 1, Some((1, end)))
        }
        'r' if rest.starts_with("r\"") || rest.starts_with("r#") => {
            let hashes = rest[1..].chars().take_while(|letter| *letter == '#').count();
            let open = 1 + hashes;
            if !rest[open..].starts_with('"') {
                return (1, None);
            }
            let close = format!("\"{}", "#".repeat(hashes));
            let end = rest[open + 1..].find(&close).map_or(rest.len() - close.len(), |at| open + 1 + at);
            (end + close.len(), Some((open + 1, end)))
        }
        // A character, not a lifetime.
        '\'' if rest.starts_with("'\\") => (to(rest[2..].find('\''), 3), None),
        '\'' if rest.chars().nth(2) == Some('\'') => (rest.chars().take(3).map(char::len_utf8).sum(), None),
        _ => (first.len_utf8(), None),
    }
}
