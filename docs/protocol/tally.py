#!/usr/bin/env python3
"""The kind `tally` counts its ticks and tells somebody. Made from docs/protocol.md alone, with the standard library alone."""
import base64, datetime, json, os, socket, sys, urllib.parse, uuid

TICK, CALLS = "plugin.poller.tally.tick", "daemon.rpc.tally"
PLUGIN = {"id": "tally", "version": "0.1.0", "name": "Tally", "description": "Counts its ticks.", "min_nexo_version": ">=0.2.0",
          "entrypoint": {"command": "tally.py"}, "requires": {"nexo_capabilities": ["broker"]},
          "capabilities": {"broker": {"subscribe": [TICK, "_inbox.>"], "publish": [CALLS, "plugin.outbound.>", "_inbox.>"]}},
          "poller": {"kinds": ["tally"], "broker_topic_prefix": "plugin.poller.tally"}}

def toml(path, table):
    own = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    return "\n".join([f"[{path}]", *own, *(toml(f"{path}.{key}", value) for key, value in table.items() if isinstance(value, dict))])
def event(topic, payload, stable_id=None):
    return {"id": stable_id or str(uuid.uuid4()), "timestamp": datetime.datetime.now(datetime.timezone.utc).isoformat(), "topic": topic,
            "source": "tally", "session_id": None, "payload": payload}
def message(topic, body, reply_to=None):
    return event(topic, {"id": str(uuid.uuid4()), "topic": topic, "reply_to": reply_to, "payload": body})

class Stdio:
    def line(self, frame): print(json.dumps(frame), flush=True)
    def send(self, topic, event): self.line({"jsonrpc": "2.0", "method": "broker.publish", "params": {"topic": topic, "event": event}})
    def receive(self):
        for frame in map(json.loads, iter(sys.stdin.readline, "")):
            method, answer = frame.get("method"), {"jsonrpc": "2.0", "id": frame.get("id")}
            if method == "broker.event": return frame["params"]["topic"], frame["params"]["event"]
            if method == "initialize": self.line(answer | {"result": {"manifest": {"plugin": PLUGIN}, "server_version": "tally-0.1.0"}})
            elif method == "shutdown": sys.exit(self.line(answer | {"result": {"ok": True}}) if "id" in frame else 0)
            elif "id" in frame and method: self.line(answer | {"error": {"code": -32601, "message": f"what is {method}?"}})
        sys.exit(0)

class Nats:
    def __init__(self, url):
        self.socket = socket.create_connection((url.hostname, url.port or 4222))
        self.lines, login = self.socket.makefile("rb"), {"user": url.username, "pass": url.password} if url.username else {}
        self.socket.sendall(f"CONNECT {json.dumps({'verbose': False} | login)}\r\nSUB {TICK} tally 1\r\nSUB _inbox.tally.> 2\r\n".encode())
    def send(self, topic, event): self.socket.sendall(f"PUB {topic} {len(data := json.dumps(event).encode())}\r\n".encode() + data + b"\r\n")
    def receive(self):
        for line in self.lines:
            if line.startswith(b"PING"): self.socket.sendall(b"PONG\r\n")
            elif line.startswith(b"MSG"): return line.split()[1].decode(), json.loads(self.lines.read(int(line.split()[-1]) + 2))
        sys.exit("the server is gone")

def ask(link, params, method, asked):
    inbox = f"_inbox.tally.{uuid.uuid4()}"
    link.send(CALLS, message(CALLS, {"method": method, "params": asked, "agent_id": params["agent_id"], "job_id": params["job_id"]}, inbox))
    while (received := link.receive())[0] != inbox: pass  # One tick at a time: nothing else can come that matters.
    answer = received[1]["payload"].get("payload", received[1]["payload"])
    if answer.get("error"): raise Exception(answer["error"]["code"], answer["error"]["message"])
    return answer.get("result")

def tick(link, params):
    if not isinstance(to := (params.get("config") or {}).get("to"), str): raise Exception(-32602, "config.to must be text")
    count = int(base64.urlsafe_b64decode((params.get("cursor") or "MA") + "==")) + 1  # "MA" is "0"
    account = ask(link, params, "credentials_get", {"channel": "console", "agent_id": params["agent_id"]})["account_id"]
    topic, same_each_time = f"plugin.outbound.console.{account}", str(uuid.uuid5(uuid.NAMESPACE_OID, f"{params['job_id']} {count}"))
    link.send(topic, event(topic, {"to": to, "text": f"tick {count}"}, same_each_time))
    return {"next_cursor": base64.urlsafe_b64encode(b"%d" % count).decode().rstrip("="), "metrics": {"items_seen": 1, "items_dispatched": 1}}

def answer(link, body):
    try: return {"result": (result := tick(link, body.get("params", body))), **result}
    except Exception as e: code, text = e.args if len(e.args) == 2 else (-32001, f"{type(e).__name__}: {e}")
    return {"error": {"code": code, "message": text}, "metrics": text}

url = urllib.parse.urlparse(os.environ.get("NEXO_BROKER_URL", ""))
if "--print-manifest" in sys.argv: sys.exit(print("manifest_version = 2\n" + toml("plugin", PLUGIN)))
link = Nats(url) if url.scheme == "nats" else Stdio()
if os.environ.get("NEXO_POLLER_EPHEMERAL") == "1": sys.exit(link.line(answer(link, json.loads(sys.stdin.readline()))))
for topic, asked in iter(link.receive, None):
    if topic == TICK: link.send(to := asked["payload"]["reply_to"], message(to, answer(link, asked["payload"]["payload"])))
