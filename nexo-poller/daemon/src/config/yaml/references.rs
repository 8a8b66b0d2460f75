use std::cell::Cell;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::config::yaml::{At, Node, Place, Sink, Yaml};

/// The most bytes that references bring into one file: a short text that names a long one many times must not fill the memory.
const MOST: usize = 64 * 1024 * 1024;

/// What may stand in a file's texts for something kept elsewhere: `${NAME}` is an environment variable, `${NAME:-text}` has a
/// default, `${file:path}` is a file's content without its last line end, `$${` is `${` itself.
pub(crate) struct References<'r> {
    /// Relative paths start here.
    dir: &'r Path,
    /// Every `${` must be one of these. Otherwise only names in capitals are variables and the rest stays as it is: templates
    /// and secret references of pollers look alike.
    strict: bool,
    kept: &'r dyn Kept,
    /// The bytes that may still be brought in.
    room: Cell<usize>,
}

/// What is kept elsewhere, and given to one file.
pub(crate) trait Kept {
    /// The value of an environment variable; `None` where it is not set.
    fn variable(&self, name: &str) -> Result<Option<String>, NotGiven>;

    /// What stands in a file.
    fn file(&self, path: &Path) -> Result<String, NotGiven>;
}

/// Why something that is kept elsewhere is not given. Shows nothing of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotGiven {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// It is not for this file; the sentence says what to do.
    #[error("{0}")]
    Refused(String),
}

/// One reference.
#[derive(Debug, PartialEq, Eq)]
enum Reference<'t> {
    Variable { name: &'t str, default: Option<&'t str> },
    File(&'t str),
}

/// Why a reference stands for nothing. Shows neither the text that it stands in nor what files hold.
#[derive(Debug, thiserror::Error)]
enum ReferenceError {
    #[error("a `${{` here is none of ${{NAME}}, ${{NAME:-default}} and ${{file:path}}; `$${{` is a plain `${{`")]
    Unknown,
    #[error("the environment variable `{name}` is not set; set it, or give a default: ${{{name}:-…}}")]
    NotSet { name: String },
    #[error("the file {} cannot be read: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    NotGiven(#[from] NotGiven),
    #[error("the references of this file stand for more than {} MiB", MOST / 1024 / 1024)]
    TooMuch,
}

impl<'r> References<'r> {
    /// Those of a file whose every `${` must be one.
    pub(crate) fn strict(dir: &'r Path, kept: &'r dyn Kept) -> Self {
        Self { dir, strict: true, kept, room: Cell::new(MOST) }
    }

    /// Those of a file in which other programs have references of their own.
    pub(crate) fn lenient(dir: &'r Path, kept: &'r dyn Kept) -> Self {
        Self { strict: false, ..Self::strict(dir, kept) }
    }

    /// Puts what they mean in the place of all references below `node`.
    pub(crate) fn resolve(&self, node: &mut Node, sink: &mut Sink<'_>) {
        self.walk(node, &Place::item(node.at), sink);
    }

    fn walk(&self, node: &mut Node, place: &Place, sink: &mut Sink<'_>) {
        match &mut node.value {
            Yaml::Text(text) if text.contains("${") => match self.expand(text) {
                Ok(expanded) => *text = expanded,
                Err(error) => sink.add(place.clone(), error.to_string()),
            },
            Yaml::List(items) => items.iter_mut().for_each(|item| self.walk(item, &Place::item(item.at), sink)),
            Yaml::Map(fields) => fields.iter_mut().for_each(|(key, value)| {
                let at: At = value.at;
                self.walk(value, &Place::value(key, at), sink);
            }),
            _ => {}
        }
    }

    /// `text` with its references replaced.
    ///
    /// # Errors
    /// [`ReferenceError`] for the first reference that stands for nothing.
    fn expand(&self, text: &str) -> Result<String, ReferenceError> {
        let (mut expanded, mut rest) = (String::new(), text);
        while let Some(at) = rest.find("${") {
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            if let Some(before) = before.strip_suffix('$') {
                expanded.push_str(before);
                expanded.push_str(if self.strict { "${" } else { "$${" });
                rest = after;
                continue;
            }
            expanded.push_str(before);
            let inside = after.split_once('}');
            match inside.and_then(|(inside, end)| Some((self.read(inside)?, end))) {
                Some((reference, end)) => {
                    let value = self.value(&reference)?;
                    self.room.set(self.room.get().checked_sub(value.len()).ok_or(ReferenceError::TooMuch)?);
                    expanded.push_str(&value);
                    rest = end;
                }
                None if self.strict => return Err(ReferenceError::Unknown),
                None => {
                    expanded.push_str("${");
                    rest = after;
                }
            }
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn read<'t>(&self, inside: &'t str) -> Option<Reference<'t>> {
        if let Some(path) = inside.strip_prefix("file:") {
            return (!path.is_empty()).then_some(Reference::File(path));
        }
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let known = |c: char| {
            c == '_' || c.is_ascii_digit() || c.is_ascii_uppercase() || (self.strict && c.is_ascii_lowercase())
        };
        (starts && name.chars().all(known)).then_some(Reference::Variable { name, default })
    }

    fn value(&self, reference: &Reference<'_>) -> Result<String, ReferenceError> {
        match *reference {
            Reference::Variable { name, default } => {
                let value = self.kept.variable(name)?.or_else(|| default.map(str::to_owned));
                value.ok_or_else(|| ReferenceError::NotSet { name: name.to_owned() })
            }
            Reference::File(path) => {
                let path: PathBuf = self.dir.join(path);
                let text = self.kept.file(&path).map_err(|error| match error {
                    NotGiven::Unreadable(source) => ReferenceError::File { path, source },
                    refused @ NotGiven::Refused(_) => refused.into(),
                })?;
                let text = text.strip_suffix('\n').unwrap_or(&text);
                let text = text.strip_suffix('\r').unwrap_or(text).to_owned();
                VALUES_OF_FILES.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone());
                Ok(text)
            }
        }
    }
}

/// What this process has read by `${file:…}`: whoever keeps a value in a file of its own means it to be a secret, whatever the key
/// is called that it stands under.
static VALUES_OF_FILES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What this process has read by `${file:…}`.
pub(crate) fn values_of_files() -> BTreeSet<String> {
    VALUES_OF_FILES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One variable, and one file.
    struct Few;

    impl Kept for Few {
        fn variable(&self, name: &str) -> Result<Option<String>, NotGiven> {
            Ok((name == "TOKEN").then(|| "hunter2".to_owned()))
        }

        fn file(&self, path: &Path) -> Result<String, NotGiven> {
            match path.to_str() {
                Some("/nowhere/token") => Ok("hunter2\r\n".to_owned()),
                Some("/nowhere/long") => Ok("x".repeat(MOST / 2)),
                _ => Err(io::Error::from(io::ErrorKind::NotFound).into()),
            }
        }
    }

    fn expand(strict: bool, text: &str) -> Result<String, String> {
        let references = References { strict, ..References::strict(Path::new("/nowhere"), &Few) };
        references.expand(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_variable_stands_for_its_value_and_a_default_for_one_that_is_not_set() {
        for (text, expanded) in [
            ("Bearer ${TOKEN}!", "Bearer hunter2!"),
            ("${NONE:-9091}${TOKEN:-x}", "9091hunter2"),
            ("${NONE:-}", ""),
            ("no reference, $5 {x}", "no reference, $5 {x}"),
        ] {
            assert_eq!(expand(true, text).as_deref(), Ok(expanded), "of {text}");
            assert_eq!(expand(false, text).as_deref(), Ok(expanded), "of {text}");
        }
        assert_eq!(expand(true, "$${TOKEN}").as_deref(), Ok("${TOKEN}"));
        let said = expand(true, "${NONE}").unwrap_err();
        assert!(said.contains("`NONE` is not set"), "{said}");
    }

    #[test]
    fn what_pollers_read_themselves_is_left_to_them() {
        for text in ["${tracker.token}", "costs ${price}", "${", "${}", "$${x}", "$${tracker.token}"] {
            assert_eq!(expand(false, text).as_deref(), Ok(text));
        }
        for text in ["${hunter2.token}", "${", "${}", "${9}", "${file:}"] {
            let said = expand(true, text).unwrap_err();
            assert!(said.contains("${file:path}") && !said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn a_file_stands_there_without_its_last_line_end() {
        assert_eq!(expand(true, "Bearer ${file:token}").unwrap(), "Bearer hunter2");
        assert!(expand(true, "${file:none}").unwrap_err().contains("the file /nowhere/none cannot be read"));
    }

    #[test]
    fn a_long_file_that_is_named_many_times_does_not_fill_the_memory() {
        assert_eq!(expand(true, "${file:long}${file:long}").unwrap().len(), MOST);
        let said = expand(true, "${file:long}${file:long}${TOKEN}").unwrap_err();
        assert_eq!(said, "the references of this file stand for more than 64 MiB");
    }

    proptest! {
        #[test]
        fn a_text_without_a_reference_is_itself(text in "[a-z$ {}.é]{0,20}") {
            prop_assume!(!text.contains("${"));
            prop_assert_eq!(expand(true, &text), Ok(text));
        }
    }
}
