//! What the admin API costs, on a real daemon: `cargo bench -p nexo-poller-daemon --bench admin`.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark ends where something fails")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long each rate is taken.
const WHILE: Duration = Duration::from_secs(5);
/// Connections that ask at once.
const CALLERS: usize = 4;

/// A daemon with so many jobs of a real plugin.
struct Daemon {
    process: Child,
    address: String,
    _home: tempfile::TempDir,
}

impl Daemon {
    fn boot(jobs: usize, every: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_nexo-poller"));
        let plugin = program.with_file_name("fixture_quick");
        let mut file = format!(
            "pollers:\n  admin: {{ bind: '127.0.0.1:0' }}\n  default_jitter_ms: 0\n  plugins: [ {} ]\n  jobs:\n",
            plugin.display()
        );
        for n in 0..jobs {
            let schedule = format!("{{ every: {every}, stagger_jitter_ms: 1000 }}");
            file += &format!("    - {{ id: job_{n:05}, kind: quick_{}, agent: ana, schedule: {schedule} }}\n", n % 8);
        }
        std::fs::write(home.path().join("pollers.yaml"), file).unwrap();
        let mut command = Command::new(program);
        command
            .arg("run")
            .current_dir(home.path())
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .stdout(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        let mut address = String::new();
        while !line.contains("plugins are settled") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the daemon has ended");
            if let Some((_, rest)) = line.split_once("admin=") {
                address = rest.split_whitespace().next().unwrap().to_owned();
            }
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { process, address, _home: home }
    }

    fn connect(&self) -> Caller {
        Caller { stream: BufReader::new(TcpStream::connect(&self.address).unwrap()), address: self.address.clone() }
    }

    /// Calls of `show` that are answered in a second.
    fn calls_a_second(&self) -> f64 {
        let began = Instant::now();
        let callers = (0..CALLERS).map(|n| {
            let mut caller = self.connect();
            std::thread::spawn(move || {
                let mut answered = 0_u32;
                while began.elapsed() < WHILE {
                    caller.get(&format!("/admin/pollers/job_{:05}", (answered as usize * 7 + n) % 5_000));
                    answered += 1;
                }
                answered
            })
        });
        let callers: Vec<_> = callers.collect();
        let answered: u32 = callers.into_iter().map(|caller| caller.join().unwrap()).sum();
        f64::from(answered) / began.elapsed().as_secs_f64()
    }

    /// Ticks that have succeeded.
    fn ticks(&self) -> f64 {
        let text = self.connect().get("/metrics");
        let lines =
            text.lines().filter(|line| line.starts_with("poller_ticks_total{") && line.contains("status=\"ok\""));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Seconds of processor time so far.
    fn cpu_secs(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks / 100.0
    }

    /// Ticks a second, and microseconds of the daemon's processor time for each, while `meanwhile` is done once a second.
    fn load(&self, meanwhile: impl Fn()) -> (f64, f64) {
        let (ticks, cpu, began) = (self.ticks(), self.cpu_secs(), Instant::now());
        while began.elapsed() < WHILE {
            meanwhile();
            std::thread::sleep(Duration::from_secs(1).min(WHILE.saturating_sub(began.elapsed())));
        }
        let (took, spent) = (began.elapsed().as_secs_f64(), self.cpu_secs() - cpu);
        let ticks = self.ticks() - ticks;
        (ticks / took, spent / ticks * 1e6)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Caller {
    stream: BufReader<TcpStream>,
    address: String,
}

impl Caller {
    fn get(&mut self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut length, mut line) = (0, String::new());
        self.stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if let Some(said) = line.to_lowercase().strip_prefix("content-length:") {
                length = said.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }
}

fn figure(name: &str, value: f64, unit: &str, limit: f64, note: &str) {
    let (mut out, ratio) = (std::io::stdout(), value / limit);
    writeln!(out, "figure admin.{name} value={value:.2} unit={unit} limit={limit:.2} ratio={ratio:.3} note={note}")
        .expect("stdout is there");
}

fn main() {
    // `cargo test --benches` and its like only ask whether it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--package", "fixtures", "--bin", "fixture_quick"])
        .status();
    assert!(built.expect("cargo runs").success());

    let daemon = Daemon::boot(5_000, "1h");
    let mut caller = daemon.connect();
    let mut took: Vec<f64> = (0..11)
        .map(|_| {
            let began = Instant::now();
            assert!(caller.get("/admin/pollers").contains("job_04999"));
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took.sort_by(f64::total_cmp);
    figure("list_5000_jobs_ms", took[5], "ms", 500.0, "median-of-11-limit-is-half-a-second");
    let idle = daemon.calls_a_second();
    figure("calls_per_s_idle", idle, "1/s", 1_000.0, "show-4-connections-5000-jobs");
    drop(daemon);

    let daemon = Daemon::boot(11_000, "1s");
    let (rate, alone) = daemon.load(|| ());
    figure("ticks_per_s", rate, "1/s", 10_000.0, "11000-jobs-every-second-8-kinds-one-plugin");
    let (_, scraped) = daemon.load(|| drop(daemon.connect().get("/metrics")));
    figure("us_per_tick_scraped_each_second", scraped, "us-of-cpu", alone, "limit-is-the-same-without-scrapes");
    let busy = daemon.calls_a_second();
    figure("calls_per_s_under_ticks", busy, "1/s", idle, "limit-is-the-idle-daemon-above");
}
