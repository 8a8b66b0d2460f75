"use strict";
// Everything that is shown comes from the admin API; nothing is asked of anybody else. Texts are set as text, never as markup.
const byId = (id) => document.getElementById(id);
const jobs = new Map();
let shown = [];
let chosen = null;
const ticks = new Map();
const stale = new Set();

const FAILING = { backoff: "warn", breaker_open: "bad", paused: "warn", quarantined: "bad", running: "good", scheduled: "good" };

const NO_TOKEN = "nothing was done: it needs the token";
// An answer that is none of 401: then the token is asked for, once for all who wait for it.
let typing = null;
async function answer_of(path, options = {}) {
  for (;;) {
    if (typing) await typing;
    const token = sessionStorage.getItem("token");
    const headers = { ...options.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
    const answer = await fetch(path, { ...options, headers });
    if (answer.status !== 401) return answer;
    if (sessionStorage.getItem("token") !== token) continue;
    // The daemon's token is another one now; much can be read without.
    if (token) { sessionStorage.removeItem("token"); continue; }
    const question = "This needs the daemon's admin token. On its own machine that is the content of the file admin.token beside the state.";
    typing ??= prompt_for(question, "password").finally(() => { typing = null; });
    const given = await typing;
    if (given === null) throw new Error(NO_TOKEN);
    sessionStorage.setItem("token", given.trim());
  }
}

async function ask(path, method = "GET", body) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const answer = await answer_of(path, { method, ...sent });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || `the daemon answered with status ${answer.status}`);
  return said;
}

// What somebody types, or null.
function prompt_for(question, type = "text", value = "") {
  const dialog = byId("ask");
  byId("question").textContent = question;
  const reply = byId("reply");
  reply.type = type === "none" ? "hidden" : type;
  reply.value = value;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue === "yes" ? reply.value : null), { once: true });
  });
}

const path_of = (id) => `/admin/pollers/${encodeURIComponent(id)}`;

function span(seconds) {
  const s = Math.abs(Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

function due(job) {
  if (job.running_since) return "now";
  if (!job.next_due) return "–";
  const wait = (Date.parse(job.next_due) - Date.now()) / 1000;
  return wait <= 0 ? "due" : `in ${span(wait)}`;
}

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function drawing(width, height, label) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  if (label) { svg.setAttribute("role", "img"); svg.setAttribute("aria-label", label); }
  return svg;
}

function bar(svg, x, height, width, total, kind) {
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of [["x", x], ["y", total - height], ["width", width], ["height", height]]) rect.setAttribute(name, value);
  if (kind) rect.setAttribute("class", kind);
  svg.append(rect);
}

// One bar a tick: its height is how long it took, its colour how it ended.
function spark(list) {
  const failed = list.filter((tick) => tick.outcome !== "ok").length;
  const svg = drawing(120, 20, `${list.length} ticks, ${failed} failed`);
  svg.setAttribute("class", "spark");
  const longest = Math.max(1, ...list.map((tick) => tick.took_ms));
  list.forEach((tick, at) => bar(svg, at * 6, 3 + 17 * (tick.took_ms / longest), 4, 20, tick.outcome === "ok" ? "" : "failed"));
  return svg;
}

function row(job) {
  const button = element("button", undefined, "row");
  button.type = "button";
  if (job.id === chosen) button.setAttribute("aria-current", "true");
  const phase = job.phase.replace("_", " ");
  const state = element("span", phase === "scheduled" ? phase : `${phase}: ${job.why}`, FAILING[job.phase] || "dim");
  state.title = job.why;
  const last = element("span");
  const known = ticks.get(job.id);
  if (known && known.length) last.append(spark(known)); else last.textContent = job.last_outcome || "–";
  const fresh = job.freshness_secs === null || job.freshness_secs === undefined ? "never" : span(job.freshness_secs);
  button.append(
    element("span", job.id), state, element("span", due(job)), last, element("span", fresh, "dim"),
    element("span", String(job.consecutive_errors), job.consecutive_errors ? "bad" : "dim"),
  );
  button.addEventListener("click", () => choose(job.id));
  return button;
}

// Only the rows in sight exist: thousands of jobs scroll like ten.
function draw_rows() {
  const list = byId("list"), rows = byId("rows");
  const height = matchMedia("(max-width: 40rem)").matches ? 3.4 : 2.4;
  const pixels = height * parseFloat(getComputedStyle(document.documentElement).fontSize);
  const from = Math.max(0, Math.floor(list.scrollTop / pixels) - 5);
  const until = Math.min(shown.length, from + Math.ceil(list.clientHeight / pixels) + 10);
  const focused = document.activeElement && document.activeElement.dataset.job;
  rows.style.height = `${shown.length * pixels}px`;
  const made = [];
  for (let at = from; at < until; at += 1) {
    const item = element("li");
    item.style.top = `${at * pixels}px`;
    item.setAttribute("aria-setsize", shown.length);
    item.setAttribute("aria-posinset", at + 1);
    const button = row(shown[at]);
    button.dataset.job = shown[at].id;
    item.append(button);
    made.push(item);
  }
  rows.replaceChildren(...made);
  if (focused) [...rows.querySelectorAll("button")].find((b) => b.dataset.job === focused)?.focus({ preventScroll: true });
  wanted_ticks = shown.slice(from, until).map((job) => job.id).filter((id) => !ticks.has(id) || stale.has(id));
}

let wanted_ticks = [];
async function fetch_ticks() {
  const ids = wanted_ticks.splice(0, 60);
  if (!ids.length) return;
  ids.forEach((id) => stale.delete(id));
  const answer = await ask(`/admin/ticks?ids=${encodeURIComponent(ids.join(" "))}`).catch(() => null);
  if (!answer) return;
  for (const [id, list] of Object.entries(answer.ticks)) ticks.set(id, list);
  draw_rows();
}

function filter() {
  const text = byId("text").value.trim().toLowerCase(), phase = byId("phase").value;
  const fits = (job) => (!phase || job.phase === phase)
    && (!text || [job.id, job.kind, job.agent].some((field) => field.toLowerCase().includes(text)));
  shown = [...jobs.values()].filter(fits);
  byId("matching").textContent = shown.length === jobs.size ? "" : `${shown.length} of ${jobs.size}`;
  draw_rows();
}

function summarise() {
  const counts = new Map();
  for (const job of jobs.values()) counts.set(job.phase, (counts.get(job.phase) || 0) + 1);
  const parts = [...counts].sort().map(([phase, count]) => `${count} ${phase.replace("_", " ")}`);
  byId("summary").textContent = `${jobs.size} ${jobs.size === 1 ? "job" : "jobs"}${parts.length ? ": " : ""}${parts.join(", ")}`;
  const select = byId("phase"), value = select.value;
  const options = [...counts.keys()].sort();
  if (options.join() !== [...select.options].slice(1).map((option) => option.value).join()) {
    select.replaceChildren(new Option("any", ""), ...options.map((phase) => new Option(phase.replace("_", " "), phase)));
    select.value = options.includes(value) ? value : "";
  }
  draw_hour();
}

// How many runs are due in each minute of the next hour: of each job the next one.
function draw_hour() {
  const minutes = new Array(60).fill(0);
  for (const job of jobs.values()) {
    const minute = Math.floor((Date.parse(job.next_due || "") - Date.now()) / 60000);
    if (minute >= 0 && minute < 60) minutes[minute] += 1;
  }
  const most = Math.max(1, ...minutes), total = minutes.reduce((a, b) => a + b, 0);
  const svg = drawing(330, 70);
  minutes.forEach((count, at) => count && bar(svg, at * 5.4, 2 + 50 * (count / most), 4.4, 55));
  for (const [at, text] of [[0, "now"], [27, "30 min"], [55, "1 h"]]) {
    const label = document.createElementNS("http://www.w3.org/2000/svg", "text");
    label.setAttribute("x", at * 5.4);
    label.setAttribute("y", 68);
    label.textContent = text;
    svg.append(label);
  }
  byId("hour").setAttribute("aria-label", `${total} jobs are due within the next hour, at most ${most} in one minute`);
  byId("hour").replaceChildren(svg);
}

function facts(job) {
  const pairs = [
    ["kind", job.kind], ["agent", job.agent], ["schedule", job.schedule], ["next", job.next_due || "–"],
    ["last", job.last_ended ? `${job.last_outcome} at ${job.last_ended}` : "never"],
    ["last success", job.last_success || "never"], ["error", job.last_error], ["first error", job.first_error],
    ["breaker", job.breaker + (job.breaker_until ? ` until ${job.breaker_until}` : "")],
    ["backoff until", job.backoff_until],
    ["paused", job.paused && `by ${job.paused.by}: ${job.paused.reason}`],
    ["held by", job.lease && job.lease.owner], ["cursor", job.cursor_bytes === 1 ? "1 byte" : `${job.cursor_bytes} bytes`],
    ["ticks", `${job.ticks_ok} ok, ${job.ticks_failed} failed`],
    ["left out", `${job.skipped_overlap} overlapping, ${job.skipped_misfire} missed`],
  ];
  const list = byId("facts");
  list.replaceChildren();
  for (const [name, value] of pairs) if (value) list.append(element("dt", name), element("dd", value));
}

async function choose(id) {
  chosen = id;
  byId("job").hidden = false;
  byId("answer").textContent = "";
  await refresh_chosen();
  byId("name").focus();
  draw_rows();
}

async function refresh_chosen() {
  const job = jobs.get(chosen);
  byId("name").textContent = chosen;
  byId("why").textContent = job ? job.why : "this job is gone";
  if (job) facts(job);
}

async function act(what) {
  const id = chosen, answer = byId("answer");
  if (what === "close") {
    chosen = null;
    byId("job").hidden = true;
    return draw_rows();
  }
  let body = {};
  if (what === "pause") {
    const reason = await prompt_for(`Why is ${id} paused? The next person reads it.`);
    if (reason === null) return;
    body = { reason: reason || "no reason was given", by: "the page" };
  }
  if (what === "reset" && await prompt_for(`Forget the cursor of ${id}? Items may be announced again.`, "none") === null) return;
  answer.textContent = what === "run" || what === "dry-run" ? "running …" : "";
  try {
    const said = await ask(`${path_of(id)}/${what}`, "POST", body);
    answer.textContent = outcome(what, said);
  } catch (error) {
    answer.textContent = error.message;
  }
  await refresh_jobs([id]);
}

function outcome(what, said) {
  if (what === "run") return `${said.outcome}${said.error ? `: ${said.error}` : ""}`;
  if (what === "dry-run") {
    const lines = [`${said.outcome} in ${said.took_ms} ms; nothing was published or stored`];
    if (said.error) lines.push(said.error);
    for (const message of said.published) lines.push(`${message.topic}: ${JSON.stringify(message.payload)}`);
    const show = (cursor) => (cursor ? cursor.text ?? cursor.base64 : "none");
    lines.push(said.next_cursor ? `cursor: ${show(said.cursor)} → ${show(said.next_cursor)}` : `cursor: ${show(said.cursor)}, unchanged`);
    return lines.join("\n");
  }
  return "done";
}

async function load() {
  const answer = await ask("/admin/pollers");
  jobs.clear();
  for (const job of answer.pollers) jobs.set(job.id, job);
  byId("refused").textContent = answer.refused.map((refused) => `not loaded: ${refused.problem}`).join("\n");
  const plugins = (await ask("/admin/plugins")).plugins.map((plugin) => {
    const well = ["up", "ephemeral", "remote"].includes(plugin.state);
    const restarts = plugin.restarts ? `, ${plugin.restarts} restarts` : "";
    return element("li", `${plugin.id} ${plugin.version}: ${plugin.state}${restarts}${plugin.why ? ` (${plugin.why})` : ""}`, well ? "state up" : "state down");
  });
  byId("plugins").replaceChildren(...(plugins.length ? plugins : [element("li", "none", "dim")]));
  summarise();
  filter();
  if (chosen) await refresh_chosen();
}

async function refresh_jobs(ids) {
  // Many at once are one list; a few are asked for one by one.
  if (ids.length > 20) return load();
  await Promise.all(ids.map(async (id) => {
    const job = await ask(path_of(id)).catch(() => null);
    if (job) jobs.set(id, job); else jobs.delete(id);
    stale.add(id);
  }));
  summarise();
  filter();
  if (chosen && ids.includes(chosen)) await refresh_chosen();
}

const changed = new Set();
// The stream of events, read by hand: an EventSource cannot show a token.
async function listen() {
  const live = byId("live");
  for (;;) {
    try {
      const answer = await answer_of("/admin/events");
      if (!answer.ok) throw new Error(`the daemon answered with status ${answer.status}`);
      live.textContent = "live";
      live.className = "state up";
      load().catch((error) => { byId("summary").textContent = error.message; });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        text += value;
        const whole = text.split("\n\n");
        text = whole.pop();
        whole.forEach(note);
      }
    } catch (error) {
      if (error.message === NO_TOKEN) {
        live.textContent = "it needs the token: load this page again";
        live.className = "state down";
        return;
      }
    }
    live.textContent = "the daemon does not answer; trying again";
    live.className = "state down";
    await new Promise((done) => { setTimeout(done, 1000); });
  }
}

function note(event) {
  const field = (name) => event.split("\n").find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1).trim();
  const name = field("event");
  if (name === "missed" || name === "clock_set") return void load();
  const { job } = JSON.parse(field("data") ?? "{}");
  if (job) changed.add(job);
}

byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("text").addEventListener("input", () => { byId("list").scrollTop = 0; filter(); });
byId("phase").addEventListener("change", () => { byId("list").scrollTop = 0; filter(); });
byId("actions").addEventListener("click", (event) => event.target.dataset.act && act(event.target.dataset.act));
let drawing_rows = false;
byId("list").addEventListener("scroll", () => {
  if (drawing_rows) return;
  drawing_rows = true;
  requestAnimationFrame(() => { drawing_rows = false; draw_rows(); });
});
addEventListener("resize", draw_rows);
setInterval(() => {
  const ids = [...changed];
  changed.clear();
  if (ids.length) refresh_jobs(ids).catch(() => {});
  fetch_ticks();
}, 500);
// Times are relative; plugins tell nobody when they change.
setInterval(() => { if (!document.hidden) load().catch(() => {}); }, 15000);
listen();
