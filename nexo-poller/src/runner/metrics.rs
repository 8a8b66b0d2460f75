//! The Prometheus series, made when they are asked for from numbers that cost a tick next to nothing.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// Upper bounds of the latency buckets, in milliseconds.
const LATENCY_BOUNDS: [f64; 9] = [5.0, 25.0, 100.0, 250.0, 1_000.0, 5_000.0, 15_000.0, 60_000.0, f64::INFINITY];
/// Upper bounds of the lag buckets, in milliseconds.
const LAG_BOUNDS: [f64; 9] = [1.0, 5.0, 10.0, 50.0, 100.0, 1_000.0, 10_000.0, 60_000.0, f64::INFINITY];
/// Stands for jobs and agents beyond the bound.
const OTHER: &str = "_other";

/// How long the ticks of one job took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latency {
    buckets: [u32; LATENCY_BOUNDS.len()],
    sum_ms: f64,
}

/// What a job did since the runner started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    pub(crate) ok: u64,
    pub(crate) transient: u64,
    pub(crate) permanent: u64,
    pub(crate) skipped_overlap: u64,
    pub(crate) skipped_misfire: u64,
    pub(crate) items_seen: u64,
    pub(crate) items_dispatched: u64,
    pub(crate) takeovers: u64,
    pub(crate) latency: Latency,
}

/// How late ticks started, over all jobs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lag {
    buckets: [u64; LAG_BOUNDS.len()],
    sum_ms: f64,
}

/// The numbers at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) jobs: Vec<JobSeries>,
    /// How many jobs there are; `jobs` is folded before it is printed.
    pub(crate) loaded: usize,
    pub(crate) max_jobs: usize,
    pub(crate) in_flight: usize,
    pub(crate) store_ok: bool,
    pub(crate) lag: Lag,
}

/// The numbers of one job.
#[derive(Debug, Clone)]
pub(crate) struct JobSeries {
    pub(crate) kind: Arc<str>,
    pub(crate) agent: Arc<str>,
    pub(crate) job_id: Arc<str>,
    pub(crate) counters: Option<Counters>,
    pub(crate) errors: u32,
    pub(crate) breaker: i64,
    pub(crate) freshness_secs: Option<u64>,
    pub(crate) paused: bool,
}

impl Latency {
    pub(crate) fn record(&mut self, took: Duration) {
        let ms = took.as_secs_f64() * 1000.0;
        self.buckets[bucket(&LATENCY_BOUNDS, ms)] += 1;
        self.sum_ms += ms;
    }

    fn merge(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(other.buckets).for_each(|(own, more)| *own += more);
        self.sum_ms += other.sum_ms;
    }
}

impl Lag {
    pub(crate) fn record(&mut self, late: Duration) {
        let ms = late.as_secs_f64() * 1000.0;
        self.buckets[bucket(&LAG_BOUNDS, ms)] += 1;
        self.sum_ms += ms;
    }
}

fn bucket(bounds: &[f64], ms: f64) -> usize {
    bounds.iter().position(|bound| ms <= *bound).unwrap_or(bounds.len() - 1)
}

impl Snapshot {
    /// Folds the jobs beyond the bound into one per kind, so that a scrape stays bounded however many jobs there are.
    fn bound(&mut self) {
        self.jobs.sort_unstable_by(|a, b| a.job_id.cmp(&b.job_id));
        let rest = if self.jobs.len() > self.max_jobs { self.jobs.split_off(self.max_jobs) } else { Vec::new() };
        let mut folded: Vec<JobSeries> = Vec::new();
        for job in rest {
            let Some(sum) = folded.iter_mut().find(|sum| sum.kind == job.kind) else {
                folded.push(JobSeries { agent: OTHER.into(), job_id: OTHER.into(), freshness_secs: None, ..job });
                continue;
            };
            sum.errors = sum.errors.max(job.errors);
            sum.breaker = sum.breaker.max(job.breaker);
            sum.paused |= job.paused;
            if let Some(more) = job.counters {
                let own = sum.counters.get_or_insert_default();
                own.ok += more.ok;
                own.transient += more.transient;
                own.permanent += more.permanent;
                own.skipped_overlap += more.skipped_overlap;
                own.skipped_misfire += more.skipped_misfire;
                own.items_seen += more.items_seen;
                own.items_dispatched += more.items_dispatched;
                own.takeovers += more.takeovers;
                own.latency.merge(&more.latency);
            }
        }
        self.jobs.extend(folded);
    }

    /// The exposition in OpenMetrics text.
    pub(crate) fn into_text(mut self) -> String {
        self.bound();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut out, &registry);
        out
    }

    fn each(&self) -> impl Iterator<Item = (&JobSeries, &Counters)> {
        self.jobs.iter().filter_map(|job| job.counters.as_ref().map(|counters| (job, counters)))
    }
}

impl JobSeries {
    fn labels(&self) -> [(&'static str, &str); 3] {
        [("kind", &self.kind), ("agent", &self.agent), ("job_id", &self.job_id)]
    }

    fn id_only(&self) -> [(&'static str, &str); 1] {
        [("job_id", &self.job_id)]
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.counters(&mut encoder)?;
        self.gauges(&mut encoder)?;
        self.histograms(&mut encoder)
    }
}

/// One number of a job.
type Read = fn(&Counters) -> u64;

impl Snapshot {
    fn counters(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut family = encoder.encode_descriptor("poller_ticks", "Ticks by outcome", None, MetricType::Counter)?;
        for (job, counters) in self.each() {
            let skipped = counters.skipped_overlap + counters.skipped_misfire;
            for (status, count) in [
                ("ok", counters.ok),
                ("transient", counters.transient),
                ("permanent", counters.permanent),
                ("skipped", skipped),
            ] {
                let labels = (job.labels(), [("status", status)]);
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        let plain: [(&str, &str, Read, bool); 3] = [
            ("poller_items_seen", "Items that sources returned", |c| c.items_seen, false),
            ("poller_items_dispatched", "Items that were published", |c| c.items_dispatched, false),
            ("poller_lease_takeovers", "Leases taken over after they ran out", |c| c.takeovers, true),
        ];
        for (name, help, read, id_only) in plain {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (job, counters) in self.each() {
                let (all, id) = (job.labels(), job.id_only());
                let labels = if id_only { id.as_slice() } else { all.as_slice() };
                ConstCounter::new(read(counters)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn gauges(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut family =
            encoder.encode_descriptor("poller_consecutive_errors", "Failures in a row", None, MetricType::Gauge)?;
        for job in &self.jobs {
            family.encode_family(&job.id_only())?.encode_gauge(&i64::from(job.errors))?;
        }
        let help = "0 closed, 1 half-open, 2 open";
        let mut family = encoder.encode_descriptor("poller_breaker_state", help, None, MetricType::Gauge)?;
        for job in &self.jobs {
            family.encode_family(&job.id_only())?.encode_gauge(&job.breaker)?;
        }
        let help = "Seconds since the job last succeeded";
        let mut family = encoder.encode_descriptor("poller_freshness_seconds", help, None, MetricType::Gauge)?;
        for job in &self.jobs {
            if let Some(secs) = job.freshness_secs {
                let secs = i64::try_from(secs).unwrap_or(i64::MAX);
                family.encode_family(&job.id_only())?.encode_gauge(&secs)?;
            }
        }
        let help = "1 while the job is paused, by somebody, by an error that lasts or by its config";
        let mut family = encoder.encode_descriptor("poller_paused", help, None, MetricType::Gauge)?;
        for job in &self.jobs {
            family.encode_family(&job.id_only())?.encode_gauge(&i64::from(job.paused))?;
        }
        for (name, help, value) in [
            ("poller_jobs", "Jobs that are loaded", self.loaded),
            ("poller_ticks_in_flight", "Ticks that run now", self.in_flight),
            ("poller_store_ok", "0 while the job state cannot be written", usize::from(self.store_ok)),
        ] {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }

    fn histograms(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "How long ticks took, in milliseconds";
        let mut family = encoder.encode_descriptor("poller_latency_ms", help, None, MetricType::Histogram)?;
        for (job, counters) in self.each() {
            let latency = &counters.latency;
            let buckets: Vec<_> = LATENCY_BOUNDS.into_iter().zip(latency.buckets.map(u64::from)).collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            family.encode_family(&job.labels())?.encode_histogram::<NoLabelSet>(
                latency.sum_ms,
                count,
                &buckets,
                None,
            )?;
        }
        let help = "How late ticks started, in milliseconds";
        let mut lag = encoder.encode_descriptor("poller_schedule_lag_ms", help, None, MetricType::Histogram)?;
        let buckets: Vec<_> = LAG_BOUNDS.into_iter().zip(self.lag.buckets).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        lag.encode_histogram::<NoLabelSet>(self.lag.sum_ms, count, &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bucket_of_each_histogram_is_the_one_that_prometheus_calls_plus_inf() {
        let mut lag = Lag::default();
        lag.record(Duration::from_millis(3));
        lag.record(Duration::from_secs(7200));
        let mut counters = Counters::default();
        counters.latency.record(Duration::from_secs(3600));
        let job = JobSeries {
            kind: "rss".into(),
            agent: "ana".into(),
            job_id: "feed".into(),
            counters: Some(counters),
            errors: 0,
            breaker: 0,
            freshness_secs: None,
            paused: false,
        };
        let snapshot = Snapshot { jobs: vec![job], loaded: 1, max_jobs: 10, in_flight: 0, store_ok: true, lag };
        let text = snapshot.into_text();
        assert!(text.contains("poller_schedule_lag_ms_bucket{le=\"60000.0\"} 1\n"), "{text}");
        assert!(text.contains("poller_schedule_lag_ms_bucket{le=\"+Inf\"} 2\n"), "{text}");
        let of_job = text.lines().find(|line| line.contains("latency_ms_bucket") && line.contains("+Inf")).unwrap();
        assert!(of_job.ends_with(" 1"), "{of_job}");
        assert!(!text.contains("e308"), "{text}");
    }
}
