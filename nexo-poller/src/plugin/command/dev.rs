use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::args::DevArgs;
use super::failure::Failure;
use super::input;
use super::once::{Bench, start};
use super::report::{Report, consequence};
use crate::contract::{ErrorClass, TickAck};
use crate::plugin::PollerHandler;

/// Runs ticks until Ctrl-C. The cursor file is complete at every instant, so dying at any of them is a clean stop.
pub(super) fn run(handler: &PollerHandler, args: &DevArgs, out: File) -> Result<(), Failure> {
    let bench = Bench::new(handler, &args.tick)?;
    let file = args.cursor_file.clone().unwrap_or_else(|| PathBuf::from(format!(".nexo-dev/{}.cursor", bench.kind)));
    let report = Report::to_stdout(out, args.tick.json);
    report.remark(&format!("the cursor is kept in {}; delete it to start over; Ctrl-C stops", file.display()))?;
    // Stdin can be read only once; a file is read again for each tick, so that edits take effect.
    let read_once = match args.tick.config.as_deref() {
        Some("-") => Some(input::config(Some("-"))?),
        _ => None,
    };
    let (runtimes, ticks) = start(handler)?;
    runtimes.run(async {
        let mut done = 0;
        loop {
            let config = match &read_once {
                Some(config) => config.clone(),
                None => input::config(args.tick.config.as_deref())?,
            };
            let cursor = read_cursor(&file)?;
            let outcome = bench.tick(&ticks, &report, config, cursor, args.every).await?;
            done += 1;
            let last = args.ticks.is_some_and(|ticks| done >= ticks);
            let wait = match outcome {
                Ok(ack) => {
                    write_cursor(&file, &ack)?;
                    ack.next_interval_hint.unwrap_or(args.every)
                }
                Err(error) => {
                    report.remark(consequence(error.class()))?;
                    if last || error.class() != ErrorClass::Transient {
                        return Err(Failure::of_tick(error.class()));
                    }
                    error.retry_after().unwrap_or_default().max(args.every)
                }
            };
            if last {
                return Ok(());
            }
            tokio::time::sleep(wait).await;
        }
    })
}

fn read_cursor(file: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::other(format!("the cursor file {} cannot be read: {error}", file.display()))),
    }
}

fn write_cursor(file: &Path, ack: &TickAck) -> Result<(), Failure> {
    let written = match ack.next_cursor.as_deref() {
        None => Ok(()),
        Some([]) => match std::fs::remove_file(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
        Some(bytes) => replace(file, bytes),
    };
    written.map_err(|error| Failure::other(format!("the cursor file {} cannot be written: {error}", file.display())))
}

/// Puts `bytes` in place of the file's content at once: a reader sees the old or the new, never a part.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    // What was left there goes, and a link of somebody else with it: the file is ours and new.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut writer = File::create_new(&new)?;
    writer.write_all(bytes)?;
    writer.sync_all()?;
    std::fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_kept_replaced_and_reset() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/er/x.cursor");
        assert_eq!(read_cursor(&file).unwrap(), None);
        write_cursor(&file, &TickAck::with_cursor(&1).unwrap()).unwrap();
        write_cursor(&file, &TickAck::with_cursor(&22).unwrap()).unwrap();
        write_cursor(&file, &TickAck::new()).unwrap();
        assert_eq!(read_cursor(&file).unwrap().as_deref(), Some(b"22".as_slice()));
        for _ in 0..2 {
            write_cursor(&file, &TickAck::new().reset_cursor()).unwrap();
            assert_eq!(read_cursor(&file).unwrap(), None);
        }
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_in_the_place_of_the_draft_leads_nothing_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (file, victim) = (folder.path().join("x.cursor"), folder.path().join("victim"));
        std::fs::write(&victim, "mine").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("x.cursor.new")).unwrap();
        write_cursor(&file, &TickAck::with_cursor(&1).unwrap()).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
        assert_eq!(read_cursor(&file).unwrap().as_deref(), Some(b"1".as_slice()));
    }
}
