/// Why a text cannot be a job's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JobIdError {
    /// It is empty or too long, or has a space or a control character.
    #[error("`id` must have 1 to {LONGEST} characters and no spaces")]
    Characters,
    /// In the path of a URL it stands for a folder: a client takes it out before it asks.
    #[error("`id` cannot be `.` or `..`: neither can be asked for in a URL; use letters or digits")]
    Dots,
    /// A command takes it for an option.
    #[error("`id` cannot begin with `-`: a command would take it for an option; begin it with a letter or a digit")]
    Option,
}

/// The longest job id, in bytes.
const LONGEST: usize = 200;

/// Checks that every command and every call of the admin API can name a job by this id.
///
/// # Errors
/// [`JobIdError`], which says what to change.
pub fn check_job_id(id: &str) -> Result<(), JobIdError> {
    if id.is_empty() || id.len() > LONGEST || id.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(JobIdError::Characters);
    }
    match id {
        "." | ".." => Err(JobIdError::Dots),
        _ if id.starts_with('-') => Err(JobIdError::Option),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_every_command_and_call_can_name_is_taken() {
        for good in [
            "a",
            "ana_jira",
            "ana.jira-2",
            "team:rss/feed",
            "reload",
            "cursor",
            "log",
            "%2e%2e",
            "...",
            "señal",
            "ニュース",
            "🦀",
            "a#b?c&d",
        ] {
            assert_eq!(check_job_id(good), Ok(()), "{good:?}");
        }
        assert_eq!(check_job_id(&"x".repeat(LONGEST)), Ok(()));
    }

    #[test]
    fn an_id_that_some_of_them_cannot_name_is_refused_with_the_reason() {
        for (bad, why) in [
            ("", "1 to 200 characters"),
            ("a b", "no spaces"),
            ("a\n", "no spaces"),
            ("a\0", "no spaces"),
            (".", "neither can be asked for in a URL"),
            ("..", "neither can be asked for in a URL"),
            ("-x", "take it for an option"),
            ("--help", "take it for an option"),
        ] {
            let said = check_job_id(bad).unwrap_err().to_string();
            assert!(said.contains(why), "{bad:?}: {said}");
        }
        assert_eq!(check_job_id(&"x".repeat(LONGEST + 1)), Err(JobIdError::Characters));
    }
}
