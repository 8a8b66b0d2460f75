use serde_saphyr::{DuplicateKeyPolicy, Error, MergeKeyPolicy};

use crate::config::yaml::{At, Node, Place, Problem};

/// Reads `text`. `file` names it in problems.
///
/// # Errors
/// The one place where the text stops being YAML.
pub(crate) fn parse(text: &str, file: &str) -> Result<Node, Box<Problem>> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        with_snippet: false,
        emit_comments: false,
        // Repeated keys are reported by whoever walks the tree, each with its place.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Merge,
        budget: serde_saphyr::budget! {
            // A million jobs of some twenty nodes.
            max_events: 80_000_000,
            max_nodes: 40_000_000,
            max_total_scalar_bytes: 1 << 30,
        },
    };
    serde_saphyr::from_str_with_options::<Node>(text, options).map_err(|error| {
        let error = error.without_snippet();
        let place = error.location().map(At::from).filter(|at| at.line > 0).map(Place::item);
        Box::new(Problem { file: file.to_owned(), place, job: None, message: describe(error) })
    })
}

/// What is wrong, in words that hold nothing of the text.
fn describe(error: &Error) -> String {
    match error {
        Error::Eof { .. } => "the file is empty; it must begin with `pollers:`".to_owned(),
        Error::MultipleDocuments { .. } => "a second YAML document begins here; one file holds one document".to_owned(),
        Error::UnknownAnchor { .. } => {
            "an alias (`*name`) refers to an anchor (`&name`) that this file does not have".to_owned()
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } => "`<<` merges mappings only".to_owned(),
        Error::InvalidUtf8Input => "the file is not UTF-8".to_owned(),
        Error::NullIntoString { .. } => "a key is missing before the colon".to_owned(),
        Error::Unexpected { expected, .. } => format!("not readable as YAML here; expected {expected}"),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "the file nests too deep or is too large (at most 64 levels, 40 million values)".to_owned()
        }
        Error::UnsupportedTag { .. } => "a tag (`!name`) that is not known; leave it out".to_owned(),
        // The scanner's own sentences are fixed texts; where one seems to quote the file, it is left out.
        Error::ExternalMessage { msg, .. } if !msg.contains(['\'', '"', '`', '<']) => {
            format!("not YAML: {msg}; look for a missing colon, a wrong indentation or an unclosed quote here or above")
        }
        _ => "not YAML: look for a missing colon, a wrong indentation or an unclosed quote here or above".to_owned(),
    }
}
