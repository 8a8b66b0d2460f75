//! What a browser is told with every answer of the admin API.

use serde_json::Value;

use crate::home::Home;

#[test]
fn every_answer_forbids_a_browser_to_keep_to_guess_to_frame_and_to_load_anything() {
    let home = Home::with_jobs(&["id: count, kind: chatty, schedule: { every: 1h }, config: { do: count }"]);
    let daemon = home.boot();
    let host = format!("Host: {}", daemon.address);
    let token = format!("Authorization: Bearer {}", home.token());
    let described: Value = serde_json::from_str(&daemon.get("/admin/openapi.json").1).unwrap();
    let mut requests = Vec::new();
    for (path, calls) in described["paths"].as_object().unwrap() {
        for method in calls.as_object().unwrap().keys() {
            let path = path.replace("/plugins/{id}", "/plugins/chatty").replace("{id}", "count");
            requests.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    let routes = requests.len();
    requests.extend(
        ["/", "/page.css", "/page.js", "/nowhere", "/admin/pollers/nobody", "/admin/pollers?x=1"]
            .map(|path| format!("GET {path}")),
    );
    requests.extend(["DELETE /admin/pollers", "OPTIONS /", "HEAD /admin/pollers", "HEAD /"].map(str::to_owned));
    let large = "x".repeat(200_000);
    let mut answers = 0;
    for request in &requests {
        for (headers, body) in [
            (vec![host.as_str()], ""),
            (vec![host.as_str(), &token], ""),
            (vec![host.as_str(), &token], large.as_str()),
            (vec![host.as_str(), &token, "Content-Type: text/plain"], "{}"),
            (vec![host.as_str(), "Origin: http://evil.example"], ""),
            (vec!["Host: evil.example"], ""),
        ] {
            let is_refused = headers.iter().any(|header| header.contains("evil.example"));
            if request.ends_with("/admin/events") && !is_refused {
                // Endless: its head is looked at below.
                continue;
            }
            let answer = daemon.exchange(request, &headers, body);
            judge(request, &answer);
            answers += 1;
        }
    }
    let mut stream = daemon.send("GET /admin/events", &[&host], "");
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
        head.extend(byte);
    }
    judge("GET /admin/events", &String::from_utf8(head).unwrap());
    println!("figure admin.answers_without_headers value=0 of={answers} routes={routes}");
    daemon.stop();
}

fn judge(request: &str, answer: &str) {
    let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
    let all = |name: &str| -> Vec<String> {
        let lines = head.lines().filter_map(|line| line.split_once(": ")).filter(|(found, _)| *found == name);
        lines.map(|(_, value)| value.to_owned()).collect()
    };
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "deny"),
    ] {
        assert_eq!(all(name), [value], "{request}: {head}");
    }
    let policy = all("content-security-policy");
    assert!(policy.len() == 1 && policy[0].starts_with("default-src 'none';"), "{request}: {head}");
    assert!(policy[0].contains("frame-ancestors 'none'"), "{request}: {head}");
    let is_of_the_page = ["/", "/page.css", "/page.js"].iter().any(|path| request.ends_with(&format!(" {path}")));
    let is_file = is_of_the_page && head.starts_with("http/1.1 200");
    assert_eq!(policy[0].contains("script-src 'self'"), is_file, "{request}: {head}");
    assert!(!policy[0].contains("unsafe"), "{request}: {head}");
}
