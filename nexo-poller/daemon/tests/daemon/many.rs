//! Several daemons on one set of jobs: real daemons, real plugins, a real server, and what goes wrong between them.

use std::time::{Duration, Instant};

use nexo_poller_testkit::NatsServer;

use crate::copies::{Copy, remote_home};
use crate::home::Home;
use crate::recorder::Recorder;

const STATE: &str = ", state: { bucket: pollers, history: 64 }";

/// A daemon that is silent for six seconds is gone; the next beat notices.
const NOTICED: Duration = Duration::from_secs(9);

/// The shortest lease.
const LEASE: Duration = Duration::from_secs(30);

fn every_second(count: usize) -> (Vec<String>, Vec<String>) {
    let ids: Vec<String> = (0..count).map(|n| format!("job_{n}")).collect();
    let jobs =
        ids.iter().map(|id| format!("id: {id}, kind: chatty, schedule: {{ every: 1s }}, config: {{ do: count }}"));
    (jobs.collect(), ids)
}

fn homes(server: &NatsServer, count: usize, jobs: &[String]) -> Vec<Home> {
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    (0..count).map(|_| remote_home(&server.url(), STATE, &jobs)).collect()
}

#[test]
fn two_daemons_share_the_jobs_one_that_is_killed_is_taken_over_and_gets_its_part_back() {
    let server = NatsServer::start().unwrap();
    let _copy = Copy::start(&server.url());
    let (jobs, ids) = every_second(12);
    let homes = homes(&server, 2, &jobs);
    let (mut first, mut second) = (homes[0].boot(), homes[1].boot());
    first.wait_for_log("daemons=2");
    let mut recorder = Recorder::start(&server.url(), "pollers");
    recorder.wait_for_commits(&ids, 3);
    let holders = |recorder: &Recorder, from: usize| {
        let mut holders: Vec<_> = recorder.all[from..].iter().filter_map(|write| write.holder.clone()).collect();
        holders.sort_unstable();
        holders.dedup();
        holders
    };
    let from = recorder.all.len();
    recorder.wait_for_commits(&ids, 2);
    assert_eq!(holders(&recorder, from).len(), 2, "both have their part");

    first.signal("KILL");
    let killed = Instant::now();
    first.ended();
    second.wait_for_log("daemons=1");
    let noticed = killed.elapsed();
    assert!(noticed <= NOTICED, "noticed after {noticed:?}");
    // What it held at that moment waits for its lease; everything else goes on at once.
    let before = recorder.all.len();
    let held = |job: &String| recorder.claims(job).last().map(|claim| claim.sequence) == last_write(&recorder, job);
    let free: Vec<_> = ids.iter().filter(|id| !held(id)).cloned().collect();
    recorder.wait_for_commits(&free, 2);
    let later = recorder.all.iter().skip(before).filter(|write| write.at > killed + NOTICED);
    let living: Vec<_> = later.filter_map(|write| write.holder.clone()).collect();
    assert!(living.iter().all(|holder| *holder == living[0]), "only one is left: {living:?}");

    // A third one comes, and gets a part.
    let third = homes[0].boot();
    second.wait_for_log("before=1");
    recorder.wait_for_commits(&free, 3);
    let from = recorder.all.len();
    recorder.wait_for_commits(&free, 3);
    assert_eq!(holders(&recorder, from).len(), 2, "the newcomer has a part");
    recorder.check();
    println!("noticed a killed daemon after {:.1} s", noticed.as_secs_f64());
    third.stop();
    second.stop();
}

fn last_write(recorder: &Recorder, job: &str) -> Option<u64> {
    recorder.all.iter().rev().find(|write| write.job == job).map(|write| write.sequence)
}

/// A job whose tick is in flight for long enough to be caught in it, at one of two daemons.
fn caught_in_flight(how: &str) -> (NatsServer, Copy, Vec<Home>, [crate::home::Daemon; 2], Recorder, Instant) {
    let server = NatsServer::start().unwrap();
    let copy = Copy::spawn({
        let mut command = fixtures::chatty();
        command.env("NEXO_BROKER_URL", server.url()).env("CHATTY_TWO_KINDS", "1");
        command
    });
    // It runs by hand only; its short interval makes its lease the shortest.
    let job = "id: long, kind: hasty, schedule: { every: 10s }, paused_on_boot: true, config: { do: hang_politely }";
    let jobs = vec![job.to_owned()];
    let homes = homes(&server, 2, &jobs);
    let manifest = fixtures::chatty().env("CHATTY_TWO_KINDS", "1").arg("--print-manifest").output().unwrap().stdout;
    for home in &homes {
        // A lease is never shorter than a tick may take.
        let manifest =
            std::str::from_utf8(&manifest).unwrap().replace("tick_timeout_secs = 60", "tick_timeout_secs = 5");
        home.write("manifests/chatty.toml", &manifest);
    }
    let mut daemons = [homes[0].boot(), homes[1].boot()];
    let mut recorder = Recorder::start(&server.url(), "pollers");
    let asking = std::thread::spawn({
        let mut command = homes[0].command(&["run", "long"]);
        move || command.output()
    });
    daemons[0].wait_for_log("waiting");
    daemons[0].signal(how);
    let caught = Instant::now();
    if how == "KILL" {
        daemons[0].ended();
        asking.join().unwrap().unwrap();
    }
    recorder.wait_until("the claim", Duration::from_secs(30), |all| all.iter().any(|write| write.holder.is_some()));
    (server, copy, homes, daemons, recorder, caught)
}

/// The other daemon is asked again and again for the job, and gets it once the lease has run out.
fn taken_over(home: &Home, recorder: &mut Recorder, caught: Instant) -> Duration {
    let holder = recorder.claims("long").next().unwrap().holder.clone();
    let deadline = Instant::now() + LEASE * 2;
    let said = loop {
        let said = home.run(&["run", "long"]);
        if said.code == Some(0) || Instant::now() > deadline {
            break said;
        }
        assert!(said.stderr.contains("is held by"), "{said:?}");
    };
    let after = caught.elapsed();
    assert_eq!(said.code, Some(0), "{said:?}");
    recorder.wait_until("the takeover", Duration::from_secs(10), |all| {
        all.iter().any(|write| write.holder.is_some() && write.holder != holder)
    });
    let taken = recorder.claims("long").find(|claim| claim.holder != holder).unwrap().at - caught;
    assert!(taken <= LEASE + Duration::from_secs(1), "taken over after {taken:?}");
    assert!(taken >= LEASE - Duration::from_secs(2), "nobody takes a lease that has not run out: {taken:?}");
    after.min(taken)
}

#[test]
fn a_lease_of_a_killed_daemon_is_taken_over_within_its_length_and_a_second() {
    let (_server, _copy, homes, [_, other], mut recorder, caught) = caught_in_flight("KILL");
    let taken = taken_over(&homes[1], &mut recorder, caught);
    recorder.check();
    println!(
        "figure nats.takeover_s value={:.2} unit=s limit=30 ratio={:.3} note=lease-of-30-s-killed-holder",
        taken.as_secs_f64(),
        taken.as_secs_f64() / LEASE.as_secs_f64()
    );
    other.stop();
}

#[test]
fn a_daemon_that_sleeps_past_its_lease_wakes_up_to_a_refused_commit() {
    let (_server, _copy, homes, [mut sleeper, other], mut recorder, caught) = caught_in_flight("STOP");
    taken_over(&homes[1], &mut recorder, caught);
    let epoch = recorder.all.iter().map(|write| write.epoch).max();
    sleeper.signal("CONT");
    sleeper.wait_for_log("refused");
    // Whatever it wrote after it woke up was under a new claim, or nothing.
    recorder.check();
    assert_eq!(recorder.all.iter().map(|write| write.epoch).max(), epoch);
    sleeper.stop();
    other.stop();
}

#[test]
fn a_server_that_restarts_in_the_middle_of_a_tick_costs_nothing() {
    let mut server = NatsServer::start().unwrap();
    let _copy = Copy::spawn({
        let mut command = fixtures::chatty();
        command.env("NEXO_BROKER_URL", server.url()).env("CHATTY_TWO_KINDS", "1");
        command
    });
    let job = "id: long, kind: hasty, schedule: { every: 10s }, paused_on_boot: true, config: { do: hang_politely }";
    let home = remote_home(&server.url(), STATE, &[job]);
    let manifest = fixtures::chatty().env("CHATTY_TWO_KINDS", "1").arg("--print-manifest").output().unwrap().stdout;
    home.write("manifests/chatty.toml", std::str::from_utf8(&manifest).unwrap());
    let mut daemon = home.boot();
    let mut recorder = Recorder::start(&server.url(), "pollers");
    let asking = std::thread::spawn({
        let mut command = home.command(&["run", "long"]);
        move || command.output().unwrap()
    });
    daemon.wait_for_log("waiting");
    server.kill();
    server.restart().unwrap();
    let said = asking.join().unwrap();
    assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stdout));
    recorder.wait_until("the commit", Duration::from_secs(30), |all| {
        all.iter().any(|write| write.holder.is_some()) && all.last().is_some_and(|write| write.holder.is_none())
    });
    assert_eq!(recorder.claims("long").count(), 1, "one run, not repeated");
    recorder.check();
    daemon.stop();
}

#[test]
fn a_server_that_is_away_for_thirty_seconds_stops_the_ticks_and_loses_nothing() {
    let mut server = NatsServer::start().unwrap();
    let _copy = Copy::start(&server.url());
    let (jobs, ids) = every_second(6);
    let homes = homes(&server, 2, &jobs);
    let (mut first, second) = (homes[0].boot(), homes[1].boot());
    let mut recorder = Recorder::start(&server.url(), "pollers");
    recorder.wait_for_commits(&ids, 2);
    server.kill();
    first.wait_for_log("no tick starts until the job state can be written again");
    // The fault itself lasts this long.
    std::thread::sleep(Duration::from_secs(30));
    server.restart().unwrap();
    let back = Instant::now();
    first.wait_for_log("the job state can be written again; ticks go on");
    recorder.wait_for_commits(&ids, 2);
    let recovered = back.elapsed();
    // Whose lease was out at that moment waits for it, and a failed tick for its backoff.
    assert!(recovered <= Duration::from_secs(90), "recovered after {recovered:?}");
    recorder.check();
    println!("ticks went on {:.1} s after the server was back", recovered.as_secs_f64());
    first.stop();
    second.stop();
}

#[test]
fn a_daemon_that_is_cut_off_from_the_server_is_stood_in_for_and_joins_again() {
    let server = NatsServer::start().unwrap();
    let line = crate::line::Line::to(server.port());
    let _copy = Copy::start(&server.url());
    let (jobs, ids) = every_second(8);
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    let (near, far) = (remote_home(&server.url(), STATE, &jobs), remote_home(&line.url(), STATE, &jobs));
    let (mut first, mut second) = (near.boot(), far.boot());
    first.wait_for_log("daemons=2");
    let mut recorder = Recorder::start(&server.url(), "pollers");
    recorder.wait_for_commits(&ids, 2);
    line.cut();
    let cut = Instant::now();
    first.wait_for_log("daemons=1");
    assert!(cut.elapsed() <= NOTICED, "noticed after {:?}", cut.elapsed());
    second.wait_for_log("no tick starts until the job state can be written again");
    let held = |job: &String| recorder.claims(job).last().map(|claim| claim.sequence) == last_write(&recorder, job);
    let free: Vec<_> = ids.iter().filter(|id| !held(id)).cloned().collect();
    recorder.wait_for_commits(&free, 2);
    line.mend();
    second.wait_for_log("the job state can be written again");
    first.wait_for_log("before=1");
    recorder.wait_for_commits(&free, 2);
    recorder.check();
    first.stop();
    second.stop();
}

#[test]
fn a_cluster_that_loses_its_leader_goes_on() {
    let mut cluster = nexo_poller_testkit::NatsCluster::start(3).unwrap();
    let url = cluster.url();
    let _copy = Copy::start(&url);
    let (jobs, ids) = every_second(4);
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    let home = remote_home(&url, ", state: { bucket: pollers, history: 64, replicas: 3 }", &jobs);
    let daemon = home.boot();
    let mut recorder = Recorder::start(&url, "pollers");
    recorder.wait_for_commits(&ids, 2);
    let leader = recorder.leader(&url);
    cluster.servers[leader].kill();
    let lost = Instant::now();
    recorder.wait_for_commits(&ids, 3);
    println!("ticks of every job went on within {:.1} s of the leader's death", lost.elapsed().as_secs_f64());
    recorder.check();
    daemon.stop();
}
