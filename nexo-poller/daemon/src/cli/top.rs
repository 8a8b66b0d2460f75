use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use crossterm::{cursor, execute, queue, terminal};
use nexo_poller::runner::{JobPhase, JobStatus};
use tokio::sync::mpsc;

use super::client::{Client, ClientError};
use super::print;
use crate::api::ListAnswer;
use crate::core::exit::Exit;

/// A list of thousands of jobs takes the daemon a moment; it is asked for no more than this part of the time.
const SHARE: u32 = 10;
/// Lines that are not jobs: the summary, the head of the table, the keys.
const OTHER_LINES: usize = 3;

/// Shows the jobs, those in trouble first, until somebody ends it.
///
/// # Errors
/// Where there is no terminal, or no daemon to begin with.
pub(super) async fn top(daemon: &Client, every: Duration) -> Result<Exit, ClientError> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let sentence = "`top` needs a terminal; `nexo-poller list` prints the same once";
        return Err(ClientError::new(Exit::Failed, sentence));
    }
    let mut view = View { listed: daemon.get("/admin/pollers").await?, ..View::default() };
    let failed = |error: io::Error| ClientError::new(Exit::Failed, format!("the terminal: {error}"));
    let screen = Screen::open().map_err(failed)?;
    let mut keys = keys();
    let mut pause = every;
    loop {
        screen.draw(&mut view).map_err(failed)?;
        tokio::select! {
            key = keys.recv() => match key {
                Some(key) if !view.obey(key) => {}
                _ => return Ok(Exit::Ok),
            },
            () = tokio::time::sleep(pause) => {
                let asked = Instant::now();
                view.take(daemon.get("/admin/pollers").await);
                pause = every.max(asked.elapsed() * SHARE);
            }
        }
    }
}

/// Keys and resizes, as they come.
fn keys() -> mpsc::UnboundedReceiver<Event> {
    let (pressed, keys) = mpsc::unbounded_channel();
    // It ends with the process: a read from a terminal cannot be called off.
    std::thread::spawn(move || while event::read().is_ok_and(|event| pressed.send(event).is_ok()) {});
    keys
}

/// What is on the screen.
#[derive(Default)]
struct View {
    listed: ListAnswer,
    /// Why what is shown is old.
    trouble: Option<String>,
    /// How many jobs are above the first line.
    offset: usize,
    /// How many fit.
    page: usize,
}

impl View {
    fn take(&mut self, answer: Result<ListAnswer, ClientError>) {
        match answer {
            Ok(listed) => (self.listed, self.trouble) = (listed, None),
            Err(error) => self.trouble = Some(error.sentence),
        }
    }

    /// Whether that was the end.
    fn obey(&mut self, event: Event) -> bool {
        let Event::Key(KeyEvent { code, modifiers, .. }) = event else { return false };
        match code {
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char('c' | 'd') if modifiers.contains(KeyModifiers::CONTROL) => return true,
            KeyCode::Down | KeyCode::Char('j') => self.offset += 1,
            KeyCode::Up | KeyCode::Char('k') => self.offset = self.offset.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.offset += self.page,
            KeyCode::PageUp => self.offset = self.offset.saturating_sub(self.page),
            KeyCode::Home => self.offset = 0,
            KeyCode::End => self.offset = usize::MAX,
            _ => {}
        }
        false
    }

    /// The lines of a screen of `width` and `height`.
    fn lines(&mut self, width: u16, height: u16) -> Vec<String> {
        let mut jobs: Vec<&JobStatus> = self.listed.pollers.iter().collect();
        jobs.sort_by_key(|job| (rank(job.phase), job.next_due));
        self.page = usize::from(height).saturating_sub(OTHER_LINES).max(1);
        self.offset = self.offset.min(jobs.len().saturating_sub(self.page));
        let in_sight = jobs.iter().skip(self.offset).take(self.page).copied();
        let table = print::job_table(in_sight, Some(width));
        let mut lines = vec![self.summary()];
        lines.extend(table.lines());
        lines.truncate(usize::from(height).saturating_sub(1));
        lines.push("q ends, arrows and PageUp, PageDown scroll; `nexo-poller show JOB` says why".to_owned());
        lines
    }

    fn summary(&self) -> String {
        if let Some(trouble) = &self.trouble {
            return format!("{trouble}; what follows is from before");
        }
        let mut phases: BTreeMap<u8, (JobPhase, usize)> = BTreeMap::new();
        for job in &self.listed.pollers {
            phases.entry(rank(job.phase)).or_insert((job.phase, 0)).1 += 1;
        }
        let counts: Vec<String> =
            phases.values().map(|(phase, count)| format!("{count} {}", phase.as_str().replace('_', " "))).collect();
        let refused = match self.listed.refused.len() {
            0 => String::new(),
            count => format!(", {count} not loaded"),
        };
        let jobs = print::counted(self.listed.pollers.len(), "job");
        if counts.is_empty() { format!("{jobs}{refused}") } else { format!("{jobs}: {}{refused}", counts.join(", ")) }
    }
}

/// What an operator wants to see first.
fn rank(phase: JobPhase) -> u8 {
    match phase {
        JobPhase::Quarantined => 0,
        JobPhase::BreakerOpen => 1,
        JobPhase::Backoff => 2,
        JobPhase::Paused => 3,
        JobPhase::Running => 4,
        JobPhase::Waiting => 5,
        JobPhase::Scheduled => 6,
        JobPhase::Elsewhere => 7,
        JobPhase::Finished => 8,
    }
}

/// The terminal, as it was when this is dropped.
struct Screen;

impl Screen {
    fn open() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let screen = Self;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    fn draw(&self, view: &mut View) -> io::Result<()> {
        let (width, height) = terminal::size()?;
        let mut out = io::stdout().lock();
        for (row, line) in
            (0..height).zip(view.lines(width, height).into_iter().map(Some).chain(std::iter::repeat(None)))
        {
            queue!(out, cursor::MoveTo(0, row))?;
            out.write_all(line.unwrap_or_default().as_bytes())?;
            queue!(out, terminal::Clear(terminal::ClearType::UntilNewLine))?;
        }
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(phases: &[(&str, &str)]) -> View {
        let jobs: Vec<_> = phases
            .iter()
            .map(|(id, phase)| {
                json!({
                    "id": id, "kind": "rss", "agent": "ana", "schedule": "every 1h", "phase": phase, "why": "",
                    "consecutive_errors": 0, "attempt": 0, "breaker": "closed", "cursor_bytes": 0, "epoch": 1,
                    "skipped_overlap": 0, "skipped_misfire": 0, "ticks_ok": 0, "ticks_failed": 0,
                })
            })
            .collect();
        View { listed: serde_json::from_value(json!({ "pollers": jobs })).unwrap(), ..View::default() }
    }

    fn key(code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn jobs_in_trouble_come_first_and_every_line_fits() {
        let long = "a_job_with_a_name_that_is_longer_than_most_terminals_are_wide_and_then_some_more";
        let mut view = view(&[("fine", "scheduled"), (long, "backoff"), ("stopped", "quarantined")]);
        let lines = view.lines(60, 10);
        assert_eq!(lines[0], "3 jobs: 1 quarantined, 1 backoff, 1 scheduled");
        assert!(lines[2].contains("stopped") && lines[4].contains("fine"), "{lines:#?}");
        assert!(lines.iter().take(5).all(|line| line.chars().count() <= 60), "{lines:#?}");
        assert!(lines[2].contains(" quarantined "), "what is said of a job is whole: {lines:#?}");
    }

    #[test]
    fn the_list_scrolls_to_its_end_and_not_beyond() {
        let ids: Vec<String> = (0..20).map(|n| format!("job_{n:02}")).collect();
        let mut view = view(&ids.iter().map(|id| (id.as_str(), "scheduled")).collect::<Vec<_>>());
        assert_eq!(view.lines(100, 8).len(), 8);
        assert!(!view.obey(key(KeyCode::End)));
        assert!(view.lines(100, 8)[6].contains("job_19"));
        assert!(!view.obey(key(KeyCode::Up)));
        assert!(view.lines(100, 8)[6].contains("job_18"));
        assert!(!view.obey(key(KeyCode::Home)));
        assert!(view.lines(100, 8)[2].contains("job_00"));
        assert!(view.obey(key(KeyCode::Char('q'))));
        let _ = view.lines(0, 0);
    }

    #[test]
    fn a_daemon_that_has_gone_is_told_and_what_was_known_stays() {
        let mut view = view(&[("fine", "scheduled")]);
        view.take(Err(ClientError::new(Exit::NoDaemon, "the daemon is not there")));
        let lines = view.lines(100, 10);
        assert!(lines[0].starts_with("the daemon is not there") && lines[2].contains("fine"), "{lines:#?}");
    }
}
