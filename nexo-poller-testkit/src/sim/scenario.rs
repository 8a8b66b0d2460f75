use std::ops::Range;
use std::time::Duration;

use nexo_poller::contract::PollerError;

/// Something that is wrong with the sources for a while, in elapsed time.
#[derive(Debug, Clone)]
pub(super) struct Spell {
    /// `None`: of all jobs.
    pub(super) job: Option<String>,
    pub(super) when: Range<Duration>,
    pub(super) trouble: Trouble,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trouble {
    Down,
    RateLimited(Duration),
    /// It will never work again as it is.
    Gone(String),
    Slow(Duration),
    /// No answer ever, and deaf to `cancel`.
    Hangs,
}

/// Something that happens once, at an instant of elapsed time.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    JumpClock(i64),
    Crash {
        runner: usize,
        down: Duration,
    },
    Restart {
        runner: usize,
        down: Duration,
    },
    /// The runner's process is there again.
    Start {
        runner: usize,
    },
    Pause(String),
    Resume(String),
    Reset(String),
    RunNow(String),
}

/// What goes wrong, and when.
#[derive(Debug, Clone, Default)]
pub(super) struct Scenario {
    pub(super) spells: Vec<Spell>,
    pub(super) acts: Vec<(Duration, Act)>,
    /// When all writes to the store fail.
    pub(super) store_down: Vec<Range<Duration>>,
    /// When the writes of one runner are held up; they arrive at the end.
    pub(super) cut_off: Vec<(usize, Range<Duration>)>,
}

/// What a tick meets.
#[derive(Debug, Default)]
pub(super) struct Met {
    pub(super) takes: Duration,
    pub(super) hangs: bool,
    pub(super) error: Option<PollerError>,
}

/// Trouble under the name that the history gives it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    pub(super) job: Option<String>,
    pub(super) name: String,
    pub(super) when: Range<Duration>,
}

impl Spell {
    fn is_on(&self, job: &str, elapsed: Duration) -> bool {
        self.when.contains(&elapsed) && self.job.as_deref().is_none_or(|of| of == job)
    }

    /// `the source is down`: how the history names it.
    pub(super) fn name(&self) -> String {
        match &self.trouble {
            Trouble::Down => "the source is down".to_owned(),
            Trouble::RateLimited(after) => format!("the source says retry-after {} s", after.as_secs()),
            Trouble::Gone(reason) => reason.clone(),
            Trouble::Hangs => "the source never answers".to_owned(),
            Trouble::Slow(took) => format!("the source takes {} s", took.as_secs_f64()),
        }
    }
}

impl Scenario {
    /// What a tick of `job` meets at `elapsed`.
    pub(super) fn met_by(&self, job: &str, elapsed: Duration) -> Met {
        let mut met = Met::default();
        for spell in self.spells.iter().filter(|spell| spell.is_on(job, elapsed)) {
            match &spell.trouble {
                Trouble::Slow(took) => met.takes = met.takes.max(*took),
                Trouble::Hangs => met.hangs = true,
                Trouble::Down => met.error = met.error.or_else(|| Some(PollerError::transient("the source is down"))),
                Trouble::RateLimited(after) => {
                    let error = || PollerError::rate_limited("the source has had enough", *after);
                    met.error = met.error.or_else(|| Some(error()));
                }
                Trouble::Gone(reason) => met.error = Some(PollerError::permanent(reason.clone())),
            }
        }
        met
    }

    /// Whether the store can be written at `elapsed`; else until when not.
    pub(super) fn store_is_down(&self, elapsed: Duration) -> bool {
        self.store_down.iter().any(|when| when.contains(&elapsed))
    }

    /// How long the writes of `runner` are held up at `elapsed`.
    pub(super) fn held_up(&self, runner: usize, elapsed: Duration) -> Option<Duration> {
        let until = self.cut_off.iter().filter(|(of, when)| *of == runner && when.contains(&elapsed));
        until.map(|(_, when)| when.end.saturating_sub(elapsed)).max()
    }

    /// What goes on for a while, for the history.
    pub(super) fn troubles(&self) -> Vec<Named> {
        let named = |job: &Option<String>, name: String, when: &Range<Duration>| Named {
            job: job.clone(),
            name,
            when: when.clone(),
        };
        let spells = self.spells.iter().map(|spell| named(&spell.job, spell.name(), &spell.when));
        let store = self.store_down.iter().map(|when| named(&None, "the store is down".to_owned(), when));
        let cut = self.cut_off.iter();
        let cut = cut.map(|(runner, when)| named(&None, format!("runner {runner} is cut off from the store"), when));
        spells.chain(store).chain(cut).collect()
    }

    /// In the order of their instants; what is said first comes first of two at one instant.
    pub(super) fn sort(&mut self) {
        self.acts.sort_by_key(|(at, _)| *at);
    }
}
