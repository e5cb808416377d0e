//! Webhooks as their receivers see them: real HTTP servers, verifiers that we did not write, kill -9; and the stream.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use paperknife::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::fleet;
use crate::gateway::{Gateway, done, eventually};
use crate::hostile::Dice;
use crate::peers;

/// Lets webhooks reach this machine without TLS.
const LOCAL: [(&str, &str); 3] = [
    ("PAPERKNIFE_DELIVERY__ALLOW_HTTP", "true"),
    ("PAPERKNIFE_DELIVERY__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]"),
    ("PAPERKNIFE_DELIVERY__TIMEOUT", "2s"),
];

/// A request as a receiver got it.
#[derive(Clone, Debug)]
struct Got {
    headers: BTreeMap<String, String>,
    body: String,
    at: Instant,
    wall_ms: i64,
}

impl Got {
    fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// From the conclusion, whose time is in the id (RFC 9562 §5.7), to here.
    fn delay_ms(&self) -> i64 {
        let concluded = i64::from_str_radix(&self.id().replace('-', "")[..12], 16).unwrap();
        self.wall_ms - concluded
    }
}

/// How a receiver answers.
#[derive(Clone, Copy)]
enum Manner {
    Hangs,
    Says(u16),
    Slow,
}

/// A receiver on a port of its own.
#[derive(Clone)]
struct Receiver {
    url: String,
    manner: Arc<Mutex<Manner>>,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver = Self { url, manner: Arc::new(Mutex::new(manner)), got: Arc::default() };
        let own = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let own = own.clone();
                std::thread::spawn(move || own.serve(stream));
            }
        });
        receiver
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut lines = reader.by_ref().lines().map_while(Result::ok);
        assert_eq!(lines.next()?, "POST /hook HTTP/1.1");
        let headers: BTreeMap<String, String> = lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
            .collect();
        let mut body = vec![0; headers["content-length"].parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        let manner = *self.manner.lock().unwrap();
        let status = match manner {
            Manner::Hangs => {
                std::thread::sleep(Duration::from_secs(30));
                return None;
            }
            Manner::Says(status) => status,
            Manner::Slow => {
                std::thread::sleep(Duration::from_millis(1500));
                200
            }
        };
        if status == 200 {
            let got = Got {
                headers,
                body: String::from_utf8_lossy(&body).into_owned(),
                at: Instant::now(),
                wall_ms: SystemClock.now().millis(),
            };
            self.got.lock().unwrap().push(got);
        }
        let mut stream = stream;
        write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    fn ids(&self) -> BTreeSet<String> {
        self.got().iter().map(|got| got.id().to_owned()).collect()
    }
}

/// A receiver that takes everything: its URL, and how many requests it had.
pub(crate) fn listener() -> (String, impl Fn() -> usize) {
    let receiver = Receiver::start(Manner::Says(200));
    (receiver.url.clone(), move || receiver.got().len())
}

fn token(gateway: &Gateway) -> String {
    done(&["tokens", "add", "hooks", "--scope", "subscriptions,read", "--data", &gateway.place()])
}

fn ask(gateway: &Gateway, token: &str, method: &str, path: &str, body: &Value) -> Value {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = gateway.request(method, path, body.to_string().as_bytes(), &headers);
    assert!((200..300).contains(&answer.status), "{path}: {}", String::from_utf8_lossy(&answer.body));
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

fn subscribe(gateway: &Gateway, token: &str, receiver: &Receiver, more: &Value) -> Value {
    let mut body =
        json!({"name": "hook", "sink": {"kind": "webhook", "url": receiver.url}, "events": ["message.opened"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ask(gateway, token, "POST", "/v1/subscriptions", &body)
}

fn path_of(subscription: &Value) -> String {
    format!("/v1/subscriptions/{}", subscription["id"].as_str().unwrap())
}

fn questions(got: &[Got], secret: &Value) -> Vec<Value> {
    got.iter().map(|got| json!({"secret": secret, "headers": got.headers, "body": got.body})).collect()
}

#[test]
fn verifiers_of_others_accept_every_delivery_and_a_rotation_too() {
    let gateway = Gateway::start_with(&LOCAL);
    let token = token(&gateway);
    let mut devices = fleet::known_devices(&gateway, 3);
    let receivers: Vec<(Receiver, Value)> = ["standard", "cloudevents", "cloudevents-binary"]
        .into_iter()
        .map(|body| {
            let receiver = Receiver::start(Manner::Says(200));
            let made = subscribe(&gateway, &token, &receiver, &json!({"body": body}));
            (receiver, made)
        })
        .collect();
    let mut sent = 0;
    let mut send = |devices: &mut Vec<fleet::Simulated>| {
        for device in devices {
            sent += 1;
            let item = gateway.deliver(&device.seal(f64::from(sent)), Some(&device.name.clone()), Some(fleet::PATH));
            assert_eq!(item["verdict"], "opened", "{item}");
        }
        for (receiver, _) in &receivers {
            eventually(Duration::from_secs(30), "all delivered", || receiver.got().len() == sent as usize);
        }
    };
    send(&mut devices);
    let before: Vec<Vec<Got>> = receivers.iter().map(|(receiver, _)| receiver.got()).collect();
    let rotate = |made: &Value, overlap: u32| {
        ask(&gateway, &token, "POST", &format!("{}/rotate-secret", path_of(made)), &json!({"overlap_s": overlap}))["secret"].clone()
    };
    let second: Vec<Value> = receivers.iter().map(|(_, made)| rotate(made, 3600)).collect();
    send(&mut devices);
    let third: Vec<Value> = receivers.iter().map(|(_, made)| rotate(made, 0)).collect();
    send(&mut devices);
    for (nth, (receiver, made)) in receivers.iter().enumerate() {
        let (first, got) = (&made["secret"], receiver.got());
        let both = &got[before[nth].len()..6];
        let accepted = [
            questions(&before[nth], first),
            questions(both, first),
            questions(both, &second[nth]),
            questions(&got[6..], &third[nth]),
        ];
        let answers = peers::ask_peer("webhook_peer.py", &accepted.concat());
        assert!(answers.len() == 12 && answers.iter().all(|answer| *answer == json!([true, true])), "{answers:?}");
        let refused =
            [questions(&got[6..], first), questions(&got[6..], &second[nth]), questions(&before[nth], &third[nth])];
        let answers = peers::ask_peer("webhook_peer.py", &refused.concat());
        assert!(answers.iter().all(|answer| *answer == json!([false, false])), "{answers:?}");
        // Threat E10: what is no signature, or a part of one, or of another body or moment.
        let genuine = &got[6];
        let altered = |name: &str, value: String| {
            let mut headers = genuine.headers.clone();
            headers.insert(name.to_owned(), value);
            json!({"secret": third[nth], "headers": headers, "body": genuine.body})
        };
        let (signature, at) = (&genuine.headers["webhook-signature"], &genuine.headers["webhook-timestamp"]);
        let forged = [
            altered("webhook-signature", "v1,".to_owned()),
            altered("webhook-signature", signature[..signature.len() - 8].to_owned()),
            altered("webhook-signature", signature.replace("v1,", "v2,")),
            altered("webhook-timestamp", (at.parse::<i64>().unwrap() + 1).to_string()),
            altered("webhook-id", format!("{}.1", genuine.id())),
            json!({"secret": third[nth], "headers": genuine.headers, "body": format!("{} ", genuine.body)}),
        ];
        let answers = peers::ask_peer("webhook_peer.py", &forged);
        assert!(answers.iter().all(|answer| *answer == json!([false, false])), "{answers:?}");
        assert!(got.iter().all(|got| !got.id().contains('.')));
    }
    let standard: Value = serde_json::from_str(&before[0][0].body).unwrap();
    assert_eq!(standard["type"], "message.opened");
    assert_eq!(standard["data"]["proof"]["sender"], standard["data"]["device"]);
    let mut message = gateway.get(&format!("/v1/messages/{}", standard["data"]["id"].as_str().unwrap()));
    assert_eq!(message["content_b64"].take(), standard["data"]["content_b64"], "the data is the message");
}

#[test]
fn endpoints_that_are_dead_slow_or_hung_take_nothing_from_the_others() {
    let gateway = Gateway::start_with(&LOCAL);
    let token = token(&gateway);
    let mut device = fleet::known_devices(&gateway, 1).remove(0);
    let bad = [Manner::Hangs, Manner::Slow, Manner::Says(500), Manner::Says(302)].map(Receiver::start);
    let good: Vec<Receiver> = (0..96).map(|_| Receiver::start(Manner::Says(200))).collect();
    for receiver in bad.iter().chain(&good) {
        subscribe(&gateway, &token, receiver, &json!({}));
    }
    let mut slowest = Duration::ZERO;
    for nth in 1..=3u8 {
        let begun = Instant::now();
        gateway.deliver(&device.seal(f64::from(nth)), Some(&device.name.clone()), Some(fleet::PATH));
        eventually(Duration::from_secs(60), "the healthy have it", || {
            good.iter().all(|receiver| receiver.got().len() == usize::from(nth))
        });
        slowest = slowest.max(begun.elapsed());
    }
    println!("96 healthy endpoints beside 4 bad ones: {slowest:?} at worst");
    // The hung and the failing heal: all that was meant for them arrives, under the ids that the others saw.
    for receiver in &bad {
        *receiver.manner.lock().unwrap() = Manner::Says(200);
    }
    eventually(Duration::from_secs(60), "the healed have it too", || {
        bad.iter().all(|receiver| receiver.ids().len() == 3)
    });
    assert!(bad.iter().all(|receiver| receiver.ids() == good[0].ids()));
    eventually(Duration::from_secs(30), "the queues are empty", || gateway.metric("paperknife_delivery_queue") == 0.0);
    assert_eq!(gateway.metric_with("paperknife_deliveries_total", &["delivered"]), 300.0);
    assert!(gateway.metric_with("paperknife_deliveries_total", &["failed"]) >= 6.0);
}

#[test]
fn nothing_opened_is_lost_on_its_way_when_the_server_is_killed() {
    killed(6);
}

#[test]
#[ignore = "some minutes: make webhooks"]
fn nothing_opened_is_lost_on_its_way_in_a_hundred_kills() {
    killed(100);
}

fn killed(rounds: usize) {
    let mut dice = Dice::new(7);
    let mut gateway = Gateway::start_with(&LOCAL);
    let token = token(&gateway);
    let mut device = fleet::known_quick_devices(&gateway, 1).remove(0);
    let receiver = Receiver::start(Manner::Says(200));
    let made = subscribe(&gateway, &token, &receiver, &json!({}));
    let mut sent = 0u32;
    for _ in 0..rounds {
        for _ in 0..20 {
            sent += 1;
            assert_eq!(gateway.ingest(&device.seal(f64::from(sent)), &[("x-path", fleet::PATH)]).status, 202);
        }
        std::thread::sleep(Duration::from_millis(dice.below(60) as u64));
        gateway.kill();
        gateway.restart_with(&LOCAL);
    }
    gateway.settle();
    let opened: BTreeSet<String> =
        gateway.list("/v1/messages").iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(opened.len(), sent as usize);
    eventually(Duration::from_secs(60), "all delivered", || receiver.ids().len() >= opened.len());
    assert_eq!(receiver.ids(), opened, "each at least once, under one id");
    eventually(Duration::from_secs(30), "all noted", || gateway.metric("paperknife_delivery_queue") == 0.0);
    let counts = ask(&gateway, &token, "GET", &path_of(&made), &Value::Null)["counts"].clone();
    assert_eq!((&counts["enqueued"], &counts["delivered"]), (&json!(sent), &json!(sent)), "{counts}");
    assert!(receiver.got().windows(2).all(|pair| pair[0].at <= pair[1].at));
    println!("{rounds} kills: {sent} opened, {} deliveries, 0 lost", receiver.got().len());
}

/// Reads events of a stream until it has `count`, or ends.
fn follow(gateway: &Gateway, last: Option<&str>, count: usize) -> Vec<(String, Value)> {
    let address = gateway.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
    write!(
        stream,
        "GET /v1/stream?events=message.opened HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{last}\r\n",
        gateway.api_token
    )
    .unwrap();
    let mut id = String::new();
    let mut events = Vec::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if let Some(value) = line.strip_prefix("id: ") {
            id = value.to_owned();
        }
        if let Some(data) = line.strip_prefix("data: ") {
            events.push((id.clone(), serde_json::from_str(data).unwrap()));
            if events.len() == count {
                break;
            }
        }
    }
    events
}

#[test]
fn a_consumer_that_comes_and_goes_sees_each_event_once_in_order() {
    resumed(25);
}

#[test]
#[ignore = "some minutes: make webhooks"]
fn a_consumer_that_comes_and_goes_a_thousand_times_sees_each_event_once_in_order() {
    resumed(1000);
}

fn resumed(rounds: u32) {
    let gateway = Gateway::start();
    let mut device = fleet::known_quick_devices(&gateway, 1).remove(0);
    let mut dice = Dice::new(11);
    let first = std::thread::scope(|scope| {
        let reader = scope.spawn(|| follow(&gateway, None, 1));
        // Until the stream stands, events are not for it: one of them will be.
        let mut value = 0.0;
        while !reader.is_finished() {
            value -= 1.0;
            gateway.deliver(&device.seal(value), Some(&device.name.clone()), Some(fleet::PATH));
        }
        reader.join().unwrap()
    });
    let mut seen = first;
    for round in 0..rounds {
        for nth in 0..4 {
            let sealed = device.seal(f64::from(round * 4 + nth));
            assert_eq!(gateway.ingest(&sealed, &[("x-path", fleet::PATH)]).status, 202);
        }
        let last = seen.last().unwrap().0.clone();
        seen.extend(follow(&gateway, Some(&last), 1 + dice.below(4)));
    }
    gateway.settle();
    let all = gateway.list("/v1/messages");
    let begun = all.iter().position(|message| message["id"] == seen[0].1["data"]["id"]).unwrap();
    let expected: Vec<&Value> = all[begun..].iter().map(|message| &message["id"]).collect();
    let last = seen.last().unwrap().0.clone();
    seen.extend(follow(&gateway, Some(&last), expected.len() - seen.len()));
    let told: Vec<&Value> = seen.iter().map(|(_, event)| &event["data"]["id"]).collect();
    assert_eq!(told, expected);
    assert!(seen.iter().all(|(_, event)| event["id"] == event["data"]["id"]));
    println!("{rounds} resumes: {} events, each once, in order", seen.len());
}

/// What the process holds, in bytes.
pub(crate) fn resident(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
}

#[test]
#[ignore = "some minutes: make webhooks"]
fn a_hundred_thousand_deliveries_that_wait_cost_little_memory() {
    let gateway = Gateway::start_with(&LOCAL);
    let token = token(&gateway);
    let mut devices = fleet::known_quick_devices(&gateway, 10);
    let hundred = |receiver: &Receiver| {
        for _ in 0..100 {
            subscribe(&gateway, &token, receiver, &json!({}));
        }
    };
    // Warm, with as many workers.
    let receiver = Receiver::start(Manner::Says(500));
    hundred(&receiver);
    for device in &mut devices {
        gateway.ingest(&device.seal(0.0), &[]);
    }
    gateway.settle();
    std::thread::sleep(Duration::from_secs(3));
    let before = resident(&gateway);
    for nth in 0..1000 {
        gateway.ingest(&devices[nth % 10].seal(nth as f64), &[]);
    }
    gateway.settle();
    std::thread::sleep(Duration::from_secs(3));
    let (queued, after) = (gateway.metric("paperknife_delivery_queue"), resident(&gateway));
    println!("{queued} deliveries wait: {} KiB more than before them", after.saturating_sub(before) / 1024);
    assert!(queued >= 100_000.0, "{queued}");
    assert!(after.saturating_sub(before) <= 64 << 20, "{before} {after}");
}

#[test]
#[ignore = "some minutes: make webhooks"]
fn healthy_endpoints_hear_within_a_second_of_500_messages_a_second() {
    const RATE: u32 = 500;
    const SECONDS: u32 = 10;
    let gateway = Gateway::start_with(&LOCAL);
    let token = token(&gateway);
    let bad = [Manner::Hangs, Manner::Slow, Manner::Says(500), Manner::Says(302)].map(Receiver::start);
    let good: Vec<Receiver> = (0..96).map(|_| Receiver::start(Manner::Says(200))).collect();
    let mut devices = fleet::known_quick_devices(&gateway, 100);
    // Each healthy one hears of one device, so that 500 messages are 500 deliveries; the bad ones of all.
    for (nth, receiver) in good.iter().enumerate() {
        subscribe(&gateway, &token, receiver, &json!({"filter": {"devices": [format!("urn:dev:test:{nth}")]}}));
    }
    for receiver in &bad {
        subscribe(&gateway, &token, receiver, &json!({}));
    }
    let sealed: Vec<Vec<u8>> = (0..RATE * SECONDS).map(|nth| devices[nth as usize % 96].seal(f64::from(nth))).collect();
    let begun = Instant::now();
    // Sixteen relays' connections, each with its share, at its time.
    std::thread::scope(|scope| {
        for sender in 0..16 {
            let (gateway, sealed) = (&gateway, &sealed);
            scope.spawn(move || {
                for (nth, sealed) in sealed.iter().enumerate().skip(sender).step_by(16) {
                    let due = begun + Duration::from_secs(1) * nth as u32 / RATE;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    assert_eq!(gateway.ingest(sealed, &[]).status, 202);
                }
            });
        }
    });
    let rate = sealed.len() as f64 / begun.elapsed().as_secs_f64();
    let heard = || good.iter().map(|receiver| receiver.got().len()).sum::<usize>();
    eventually(Duration::from_secs(60), "the healthy have it", || heard() == sealed.len());
    let mut delays: Vec<i64> = good.iter().flat_map(|receiver| receiver.got()).map(|got| got.delay_ms()).collect();
    delays.sort_unstable();
    let at = |share: usize| delays[(delays.len() - 1) * share / 100];
    println!("{rate:.0} messages a second: p50 {} ms, p99 {} ms, worst {} ms", at(50), at(99), at(100));
    for receiver in &bad {
        *receiver.manner.lock().unwrap() = Manner::Says(200);
    }
    eventually(Duration::from_secs(300), "the healed have all of it", || {
        bad.iter().all(|receiver| receiver.ids().len() == sealed.len())
    });
    // Where the machine cannot send so fast, nothing is said of that rate.
    assert!(rate < 0.9 * f64::from(RATE) || at(99) <= 1000, "p99 {} ms at {rate:.0} a second", at(99));
}

#[test]
fn a_file_holds_each_event_as_a_line_and_only_where_it_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start_with(&[("PAPERKNIFE_DELIVERY__FILES", folder.path().to_str().unwrap())]);
    let token = token(&gateway);
    let add = |name: &str| {
        let body = json!({"name": "log", "sink": {"kind": "file", "name": name}, "events": ["message.opened"], "order": "per_device"});
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        gateway.request("POST", "/v1/subscriptions", body.to_string().as_bytes(), &headers)
    };
    for name in ["../x", "/etc/cron.d/x", "", ".hidden", "a/b", "a\0b"] {
        assert_eq!(add(name).status, 422, "{name:?}");
    }
    let made = add("opened");
    assert_eq!((made.status, made.json().get("secret")), (201, None));
    let mut device = fleet::known_devices(&gateway, 1).remove(0);
    for nth in 0..20 {
        gateway.ingest(&device.seal(f64::from(nth)), &[]);
    }
    let read = || std::fs::read_to_string(folder.path().join("opened.ndjson")).unwrap_or_default();
    eventually(Duration::from_secs(30), "20 lines", || read().lines().count() == 20);
    let ids: Vec<String> = read()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["data"]["id"].as_str().unwrap().to_owned())
        .collect();
    let messages = gateway.list("/v1/messages");
    assert!(ids.iter().zip(&messages).all(|(id, message)| message["id"] == *id), "each once, in order");
    let none = Gateway::start();
    let token = self::token(&none);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = json!({"name": "log", "sink": {"kind": "file", "name": "x"}, "events": ["message.opened"]});
    assert_eq!(none.request("POST", "/v1/subscriptions", body.to_string().as_bytes(), &headers).status, 422);
}
