use std::path::{Path, PathBuf};

use crate::config::private_file;
use crate::config::yaml::{At, Node, Place, Sink, Yaml};

/// What may stand in a file's texts for something kept elsewhere: `${NAME}` is an environment variable, `${NAME:-text}` has a
/// default, `${file:path}` is a file's content without its last line end, `$${` is `${` itself.
pub(crate) struct References<'r> {
    /// Relative paths start here.
    pub(crate) dir: &'r Path,
    /// Every `${` must be one of these. Otherwise only names in capitals are variables and the rest stays as it is: templates
    /// and secret references of pollers look alike.
    pub(crate) strict: bool,
    /// An environment variable's value.
    pub(crate) variable: &'r dyn Fn(&str) -> Option<String>,
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
    File { path: PathBuf, source: std::io::Error },
}

impl References<'_> {
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
                    expanded.push_str(&self.value(&reference)?);
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
                let value = (self.variable)(name).or_else(|| default.map(str::to_owned));
                value.ok_or_else(|| ReferenceError::NotSet { name: name.to_owned() })
            }
            Reference::File(path) => {
                let path: PathBuf = self.dir.join(path);
                let text = private_file::read(&path).map_err(|source| ReferenceError::File { path, source })?;
                let text = text.strip_suffix('\n').unwrap_or(&text);
                Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
            }
        }
    }
}

/// The process's own environment.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;

    fn expand(strict: bool, text: &str) -> Result<String, String> {
        let variable = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
        References { dir: Path::new("/nowhere"), strict, variable: &variable }
            .expand(text)
            .map_err(|error| error.to_string())
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
    fn a_file_is_read_without_its_line_end_and_only_where_it_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("token");
        std::fs::write(&secret, "hunter2\n").unwrap();
        let references = References { dir: dir.path(), strict: true, variable: &|_| None };
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
        let said = references.expand("${file:token}").unwrap_err().to_string();
        assert!(said.contains("chmod 600") && !said.contains("hunter2"), "{said}");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(references.expand("Bearer ${file:token}").unwrap(), "Bearer hunter2");
        assert!(references.expand("${file:none}").unwrap_err().to_string().contains("cannot be read"));
    }

    proptest! {
        #[test]
        fn a_text_without_a_reference_is_itself(text in "[a-z$ {}.é]{0,20}") {
            prop_assume!(!text.contains("${"));
            prop_assert_eq!(expand(true, &text), Ok(text));
        }
    }
}
