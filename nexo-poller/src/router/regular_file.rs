use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// The text of the file at `path`, which must be a regular one of at most `most` bytes.
///
/// # Errors
/// Where it cannot be opened or is not text, and where it is a pipe, a device, a directory or a file of the kernel.
pub fn read_regular_file(path: &Path, most: u64) -> io::Result<String> {
    read_opened(open_regular_file(path)?, most)
}

/// Opens the file at `path` for reading.
///
/// # Errors
/// As [`read_regular_file`].
pub fn open_regular_file(path: &Path) -> io::Result<File> {
    // Without this flag the call waits for whoever writes into a pipe, for as long as that takes.
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    must_be_regular(&file)?;
    Ok(file)
}

/// Holds what was opened, and not what stands at its path by now, to the rule.
///
/// # Errors
/// Where `file` is not regular.
pub fn must_be_regular(file: &File) -> io::Result<()> {
    let kind = file.metadata()?.file_type();
    if !kind.is_file() {
        let message = format!("it is {}, and must be a regular file", noun(kind));
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    if is_of_the_kernel(file)? {
        let message = "it is a file of the kernel (/proc, /sys), and must be one of a disk";
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    Ok(())
}

/// The rest of `file` as text.
///
/// # Errors
/// Where it has more than `most` bytes, or is not text.
pub fn read_opened(file: File, most: u64) -> io::Result<String> {
    let too_large = || {
        let limit = if most >= MEBIBYTE { format!("{} MiB", most / MEBIBYTE) } else { format!("{} KiB", most / 1024) };
        io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {limit}"))
    };
    if file.metadata()?.len() > most {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

const MEBIBYTE: u64 = 1024 * 1024;

fn noun(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// Files of the kernel look regular, and are made of what this very process is and knows.
#[cfg(target_os = "linux")]
fn is_of_the_kernel(file: &File) -> io::Result<bool> {
    /// `SYSFS_MAGIC` of linux/magic.h.
    const SYSFS: u64 = 0x6265_6572;
    let system = u64::try_from(rustix::fs::fstatfs(file)?.f_type).unwrap_or_default();
    Ok([u64::try_from(rustix::fs::PROC_SUPER_MAGIC).unwrap_or_default(), SYSFS].contains(&system))
}

#[cfg(not(target_os = "linux"))]
fn is_of_the_kernel(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_that_nobody_writes_into_and_a_device_without_end_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for (path, said) in [
            (pipe.as_path(), "it is a pipe, and must be a regular file"),
            (dir.path(), "it is a directory, and must be a regular file"),
            (Path::new("/dev/zero"), "it is a device, and must be a regular file"),
        ] {
            assert_eq!(read_regular_file(path, 10).unwrap_err().to_string(), said);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn files_of_the_kernel_are_refused_though_they_look_regular() {
        for path in ["/proc/self/environ", "/proc/version", "/sys/kernel/uevent_seqnum"] {
            if Path::new(path).exists() {
                let said = read_regular_file(Path::new(path), 1 << 20).unwrap_err().to_string();
                assert!(said.contains("a file of the kernel"), "{path}: {said}");
            }
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "x".repeat(2048)).unwrap();
        assert_eq!(read_regular_file(&path, 2048).unwrap().len(), 2048);
        assert_eq!(read_regular_file(&path, 1024).unwrap_err().to_string(), "it has more than 1 KiB");
        // A hole of a terabyte costs its reader nothing.
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read_regular_file(&path, MEBIBYTE).unwrap_err().to_string(), "it has more than 1 MiB");
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(read_regular_file(&path, 1024).unwrap_err().to_string(), "it is not UTF-8");
    }
}
