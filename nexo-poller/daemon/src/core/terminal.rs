use std::io::{self, Write as _};

/// A reader that has gone (`| head`) is no error.
pub(crate) fn line_to_stdout(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// As [`line_to_stdout`].
pub(crate) fn line_to_stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
