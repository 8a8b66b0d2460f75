//! The dashboard in a real browser. `cargo xtask check page` obtains one and runs these.

use crate::browser::Browser;
use crate::home::Home;

const HOURLY: &str = "kind: chatty, schedule: { every: 1h }";

fn shows(selector: &str, text: &str) -> String {
    let (selector, text) = (serde_json::json!(selector), serde_json::json!(text));
    format!("document.querySelector({selector})?.textContent.includes({text})")
}

/// The row of `job` in the list.
fn row_of(job: &str) -> String {
    format!("[...document.querySelectorAll('#rows button')].find((row) => row.dataset.job === '{job}')")
}

#[test]
#[ignore = "needs a browser: cargo xtask check page"]
fn an_operator_finds_a_job_pauses_and_runs_it_with_the_keyboard_and_sees_the_outcome_arrive() {
    let home = Home::with_jobs(&[
        &format!("id: orders, {HOURLY}"),
        &format!("id: issues, {HOURLY}, config: {{ do: transient }}"),
        &format!("id: news, {HOURLY}"),
    ]);
    let mut daemon = home.boot();
    let mut page = Browser::start(1300, 900);
    page.open(&format!("http://{}/", daemon.address));
    page.wait_for(&shows("#summary", "3 jobs: 3 scheduled"));
    page.wait_for(&shows("#live", "live"));
    page.wait_for(&shows("#plugins", "chatty 1.2.3: up"));

    // Without a mouse: the field, a word, on to the row, and in.
    page.value("document.getElementById('text').focus()");
    page.type_in("ord");
    page.wait_for("document.querySelectorAll('#rows li').length === 1");
    let on_row = |page: &mut Browser| page.value("document.activeElement.dataset.job ?? ''") == "orders";
    for _ in 0..5 {
        if !on_row(&mut page) {
            page.press("Tab");
        }
    }
    assert!(on_row(&mut page), "the focus is on {}", page.value("document.activeElement.outerHTML"));
    page.press("Enter");
    page.wait_for(&shows("#name", "orders"));

    // What changes something asks for the token, and keeps it.
    page.click("[data-act=run]");
    page.wait_for("document.getElementById('ask').open");
    page.type_in("wrong");
    page.press("Enter");
    page.wait_for("document.getElementById('ask').open && document.getElementById('reply').value === ''");
    page.type_in(&home.token());
    page.press("Enter");
    page.wait_for(&shows("#answer", "ok"));
    page.wait_for(&shows("#facts", "1 ok, 0 failed"));
    page.wait_for("document.querySelector('#rows svg.spark')");

    page.click("[data-act=dry-run]");
    page.wait_for(&shows("#answer", "nothing was published or stored"));
    page.wait_for(&shows("#answer", "cursor: 1 → 2"));

    page.click("[data-act=pause]");
    page.wait_for("document.getElementById('ask').open");
    page.type_in("moved <b>house</b>");
    page.press("Enter");
    page.wait_for(&shows("#facts", "by the page: moved <b>house</b>"));
    page.wait_for(&shows("#rows", "paused"));

    // What somebody else does arrives by itself.
    page.value(
        "document.getElementById('text').value = ''; document.getElementById('text').dispatchEvent(new Event('input'))",
    );
    assert_eq!(home.run(&["run", "issues"]).code, Some(5));
    // Its phase may be any by now: a backoff is drawn at random from nothing up.
    page.wait_for(&format!("{}?.lastElementChild.textContent === '1'", row_of("issues")));
    assert_eq!(home.run(&["resume", "orders"]).code, Some(0));
    page.wait_for(&format!("{}?.textContent.includes('scheduled')", row_of("orders")));

    // The daemon goes and comes back, with a job more.
    let address = daemon.address.clone();
    daemon.signal("TERM");
    daemon.ended();
    page.wait_for(&shows("#live", "does not answer"));
    home.jobs("", &[&format!("id: orders, {HOURLY}"), &format!("id: later, {HOURLY}")]);
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    home.write("pollers.yaml", &text.replace("127.0.0.1:0", &address));
    let daemon = home.boot();
    page.wait_for(&shows("#live", "live"));
    page.wait_for(&shows("#summary", "2 jobs"));
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
    daemon.stop();
}

#[test]
#[ignore = "needs a browser: cargo xtask check page"]
fn from_outside_the_page_shows_nothing_before_it_has_the_token() {
    let home = Home::with_jobs(&[&format!("id: orders, {HOURLY}")]);
    let token = "a-token-that-somebody-has-chosen-0123456789";
    home.private("token", token);
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    home.write("pollers.yaml", &text.replace("127.0.0.1:0\"", "127.0.0.1:0\", token_file: token"));
    let mut daemon = home.boot();
    let line = daemon.wait_for_log("other machines are let in");
    let url = line.split("url=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let mut page = Browser::start(1300, 900);
    page.open(&url);
    page.wait_for("document.getElementById('ask').open");
    assert!(page.value("document.getElementById('rows').textContent") == "");
    page.type_in(token);
    page.press("Enter");
    page.wait_for(&shows("#summary", "1 job"));
    page.wait_for(&shows("#live", "live"));
    daemon.stop();
}

#[test]
#[ignore = "needs a browser: cargo xtask check page"]
fn five_thousand_jobs_are_shown_and_scrolled_without_jank_on_a_phone_too() {
    let jobs: Vec<String> = (0..5_000).map(|n| format!("id: job_{n:04}, {HOURLY}")).collect();
    let home = Home::with_jobs(&jobs.iter().map(String::as_str).collect::<Vec<_>>());
    let daemon = home.boot();
    for (width, height, name) in [(1300, 900, "desk"), (390, 800, "phone")] {
        let mut page = Browser::start(width, height);
        page.open(&format!("http://{}/", daemon.address));
        page.wait_for(&shows("#summary", "5000 jobs"));
        page.wait_for("document.querySelectorAll('#rows li').length > 5");
        assert!(
            page.value("document.querySelectorAll('#rows li').length < 100") == true,
            "only what is in sight exists"
        );
        assert!(page.value("document.documentElement.scrollWidth <= window.innerWidth") == true, "nothing sticks out");
        let paint =
            page.value("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0").as_f64().unwrap();
        let frames = "new Promise((done) => { const list = document.getElementById('list'), took = []; let last = 0, n = 0; \
            const step = (now) => { if (last) took.push(now - last); last = now; list.scrollTop += 400; n += 1; \
            if (n > 120) { took.sort((a, b) => a - b); done(took[Math.floor(took.length * 0.95)]); } \
            else requestAnimationFrame(step); }; requestAnimationFrame(step); })";
        let frame = page.value(frames).as_f64().unwrap();
        println!(
            "figure page.first_paint_ms_{name} value={paint:.0} unit=ms limit=1000 ratio={:.2} note=5000-jobs",
            paint / 1000.0
        );
        println!(
            "figure page.scroll_frame_p95_ms_{name} value={frame:.1} unit=ms limit=50 ratio={:.2} note=5000-jobs",
            frame / 50.0
        );
        assert!(paint < 1_000.0 && frame < 50.0, "first paint after {paint} ms, a frame took {frame} ms");
        page.value("const text = document.getElementById('text'); text.value = 'job_4321'; text.dispatchEvent(new Event('input'))");
        page.wait_for("document.querySelectorAll('#rows li').length === 1");
        assert!(page.complaints.is_empty(), "{:?}", page.complaints);
    }
    daemon.stop();
}
