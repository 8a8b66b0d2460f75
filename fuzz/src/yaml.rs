use std::path::Path;

use crate::config::yaml::{Kept, NotGiven, Place, References, Sink, Table, entries, parse};

/// What the references stand for; nothing that is wrong may quote it.
const CANARY: &str = "canary-c4n4ry";

/// What a configuration is made of. Noise of other bytes is rarely YAML.
const WORDS: [&str; 32] = [
    "\n",
    "\n  ",
    "\n    ",
    "\n- ",
    "- ",
    ": ",
    "{ ",
    " }",
    "[ ",
    " ]",
    ", ",
    "a",
    "b",
    "text",
    "1",
    "-0.5",
    "true",
    "~",
    "\"",
    "'",
    "&x ",
    "*x",
    "<<: ",
    "|\n",
    "# ",
    "!t ",
    "${A}",
    "${A:-b}",
    "${file:b}",
    "${file:",
    "$${",
    "}",
];

/// One variable, and one file.
struct Few;

impl Kept for Few {
    fn variable(&self, name: &str) -> Result<Option<String>, NotGiven> {
        Ok((name == "A").then(|| CANARY.to_owned()))
    }

    fn file(&self, path: &Path) -> Result<String, NotGiven> {
        match path.to_str() {
            Some("/etc/b") => Ok(format!("{CANARY}\n")),
            Some(_) => Err(NotGiven::Refused("it is not for this file".to_owned())),
            None => Err(std::io::Error::from(std::io::ErrorKind::NotFound).into()),
        }
    }
}

/// A configuration with references: it is refused or read, with every problem inside the text and without a secret.
pub(crate) fn yaml(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let text: String = if *first < 64 {
        String::from_utf8_lossy(rest).into_owned()
    } else {
        rest.iter().map(|byte| WORDS[usize::from(*byte) % WORDS.len()]).collect()
    };
    // A fuzzer that is guided learns the secret from where it is looked for.
    if text.contains(CANARY) {
        return;
    }
    let mut sink = Sink { file: "fuzz.yaml", job: None, problems: Vec::new() };
    match parse(&text, sink.file) {
        Err(problem) => sink.problems.push(*problem),
        Ok(mut root) => {
            let dir = Path::new("/etc");
            let is_strict = first % 2 == 0;
            let references = if is_strict { References::strict(dir, &Few) } else { References::lenient(dir, &Few) };
            references.resolve(&mut root, &mut sink);
            let json = root.to_json().to_string();
            assert!(text.contains("${") || !json.contains(CANARY), "{text:?} holds what it does not name");
            if let Some(mut table) = Table::open("the file", Place::item(root.at), &root, &mut sink) {
                let _ = table.required("a", &mut sink);
                let _ = table.flag("b", false, &mut sink);
                let _ = table.whole("1", 0..=9, &mut sink);
                let _ = table.number("-0.5", -1.0..=1.0, &mut sink);
                let _ = table.texts("text", &mut sink);
                table.finish(&mut sink);
            }
            let _ = entries("the file", Place::item(root.at), &root, &mut sink);
        }
    }
    // YAML counts a carriage return alone as well.
    let lines = text.matches(['\n', '\r']).count() + 1;
    for problem in sink.problems {
        let line = problem.place.as_ref().map_or(1, Place::line) as usize;
        assert!((1..=lines).contains(&line), "{text:?} has no line {line}: {problem}");
        assert!(!problem.to_string().contains(CANARY), "{text:?}: {problem}");
    }
}
