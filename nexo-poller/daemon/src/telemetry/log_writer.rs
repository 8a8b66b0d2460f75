use std::io;

use tracing_subscriber::fmt::MakeWriter;

use super::redactor::redactor;

/// What every line of the log goes through, whoever has written it, on its way to `M`: no secret that this daemon knows is in it,
/// and what follows an end of line inside it cannot be taken for a line of its own.
pub(super) struct Guarded<M>(pub(super) M);

/// One record on its way.
pub(super) struct GuardedWriter<W>(W);

impl<'w, M: MakeWriter<'w>> MakeWriter<'w> for Guarded<M> {
    type Writer = GuardedWriter<M::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        GuardedWriter(self.0.make_writer())
    }

    fn make_writer_for(&'w self, meta: &tracing::Metadata<'_>) -> Self::Writer {
        GuardedWriter(self.0.make_writer_for(meta))
    }
}

impl<W: io::Write> io::Write for GuardedWriter<W> {
    /// A record comes in one piece.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(record);
        self.0.write_all(guarded(&redactor().hide(&text)).as_bytes())?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A record of several lines, with its further lines set in.
fn guarded(record: &str) -> String {
    match record.strip_suffix('\n') {
        Some(lines) if lines.contains('\n') => format!("{}\n", lines.replace('\n', "\n    ")),
        _ => record.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_an_end_of_line_inside_a_record_is_set_in() {
        assert_eq!(guarded("one\n"), "one\n");
        assert_eq!(guarded("one\n2026-01-01 ERROR two\nthree\n"), "one\n    2026-01-01 ERROR two\n    three\n");
    }
}
