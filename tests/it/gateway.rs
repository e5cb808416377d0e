//! A real gateway for tests: the built binary, a real port, a temporary data folder.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_paperknife");

/// Runs the command line and gives its whole output.
pub(crate) fn paperknife(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().expect("the binary runs")
}

/// Runs the command line, which must succeed; its standard output without the last line break.
pub(crate) fn done(arguments: &[&str]) -> String {
    let output = paperknife(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// A running server and the tokens to speak with it.
pub(crate) struct Gateway {
    folder: PathBuf,
    server: Server,
    pub(crate) relay_token: String,
    pub(crate) api_token: String,
    /// Goes with the gateway.
    temporary: Option<TempDir>,
}

/// The process alone.
struct Server {
    child: Child,
    url: String,
}

/// An HTTP answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Server {
    fn start(data: &Path, environment: &[(&str, &str)]) -> Self {
        Self::try_start(data, environment)
            .unwrap_or_else(|_| panic!("no server: {}", std::fs::read_to_string(log_file(data)).unwrap()))
    }

    /// Where it ends before it listens, how it ended.
    fn try_start(data: &Path, environment: &[(&str, &str)]) -> Result<Self, ExitStatus> {
        let mut child = Command::new(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log(data)))
            .spawn()
            .expect("the server starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut listening =
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        match listening.next() {
            Some(url) => Ok(Self { child, url }),
            None => Err(child.wait().expect("its end")),
        }
    }

    fn terminate(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        self.child.wait().expect("its end").code()
    }
}

/// A server on a folder that is asked to end as soon as it listens; its exit code.
pub(crate) fn start_and_end(data: &Path, environment: &[(&str, &str)]) -> Option<i32> {
    match Server::try_start(data, environment) {
        Ok(mut server) => server.terminate(),
        Err(ended) => ended.code(),
    }
}

fn log_file(data: &Path) -> PathBuf {
    data.with_file_name("server.log")
}

fn log(data: &Path) -> std::fs::File {
    std::fs::OpenOptions::new().append(true).create(true).open(log_file(data)).expect("a log file")
}

impl Gateway {
    /// Starts on an empty folder, with a relay `acme` that may name endpoint and path in headers.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with settings from the environment.
    pub(crate) fn start_with(environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut gateway = Self::start_at(folder.path(), environment);
        gateway.temporary = Some(folder);
        gateway
    }

    /// The same in a folder that is there; data goes into `data` in it.
    pub(crate) fn start_at(folder: &Path, environment: &[(&str, &str)]) -> Self {
        let data = folder.join("data");
        let server = Server::start(&data, environment);
        let place = data.to_str().expect("a path of text");
        let options = ["--set", "endpoint_from=header:x-endpoint", "--set", "path_from=header:x-path"];
        let relay_token = done(&[&["relays", "add", "acme", "--data", place], options.as_slice()].concat());
        let api_token = done(&["tokens", "add", "tests", "--scope", "read,admin,keys", "--data", place]);
        Self { folder: folder.to_owned(), server, relay_token, api_token, temporary: None }
    }

    /// Starts on a folder that was made of a backup of `other`: its tokens hold.
    pub(crate) fn restored_at(folder: &Path, other: &Self) -> Self {
        let server = Server::start(&folder.join("data"), &[]);
        let (relay_token, api_token) = (other.relay_token.clone(), other.api_token.clone());
        Self { folder: folder.to_owned(), server, relay_token, api_token, temporary: None }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The data folder as an argument.
    pub(crate) fn place(&self) -> String {
        self.data().to_str().expect("a path of text").to_owned()
    }

    /// What the server logged so far.
    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(log_file(&self.data())).expect("the log")
    }

    pub(crate) fn url(&self) -> &str {
        &self.server.url
    }

    /// Process id of the server.
    pub(crate) fn pid(&self) -> u32 {
        self.server.child.id()
    }

    /// Ends the server at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        self.server.child.kill().expect("a running server");
        self.server.child.wait().expect("its end");
    }

    /// Asks the server to end; its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.server.terminate()
    }

    /// Starts anew on the same folder.
    pub(crate) fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// The same, with settings from the environment.
    pub(crate) fn restart_with(&mut self, environment: &[(&str, &str)]) {
        self.server = Server::start(&self.data(), environment);
    }

    /// The same, where it may end before it listens: how it ended.
    pub(crate) fn try_restart_with(&mut self, environment: &[(&str, &str)]) -> Result<(), ExitStatus> {
        self.server = Server::try_start(&self.data(), environment)?;
        Ok(())
    }

    /// How the server ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.server.child.try_wait().expect("a child")
    }

    /// Waits for the server's end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.server.child.wait().expect("its end")
    }

    /// Imports keys by the command line, beside the running server.
    pub(crate) fn import(&self, keys: &Path) {
        done(&["keys", "import", keys.to_str().expect("a path of text"), "--data", &self.place()]);
    }

    /// Imports a JWK Set given as text.
    pub(crate) fn import_json(&self, keys: &Value) {
        let file = self.folder.join("keys.jwks");
        std::fs::write(&file, keys.to_string()).expect("a key file");
        self.import(&file);
    }

    /// Hands a body over as relay `acme`.
    pub(crate) fn ingest(&self, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        let bearer = format!("Bearer {}", self.relay_token);
        let headers = [&[("authorization", bearer.as_str())], headers].concat();
        self.request("POST", "/ingest/acme", body, &headers)
    }

    /// Hands one envelope over and waits for its verdict: the item of its receipt.
    pub(crate) fn deliver(&self, sealed: &[u8], endpoint: Option<&str>, path: Option<&str>) -> Value {
        let claims = [endpoint.map(|name| ("x-endpoint", name)), path.map(|path| ("x-path", path))];
        let answer = self.ingest(sealed, &claims.into_iter().flatten().collect::<Vec<_>>());
        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
        self.verdicts(&answer)[0].clone()
    }

    /// The items of a receipt, when none is pending.
    pub(crate) fn verdicts(&self, answer: &Answer) -> Vec<Value> {
        let receipt = answer.json()["receipt"].as_str().expect("a receipt").to_owned();
        let state = self.get(&format!("/v1/receipts/{receipt}?wait=10s"));
        state["items"].as_array().expect("items").clone()
    }

    /// An authorized GET that must succeed.
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.get_answer(path);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// An authorized GET, whatever comes.
    pub(crate) fn get_answer(&self, path: &str) -> Answer {
        self.request("GET", path, &[], &[("authorization", &format!("Bearer {}", self.api_token))])
    }

    /// How many lines an answer has that may be longer than memory; it ends as HTTP says, or this panics.
    pub(crate) fn count_lines(&self, path: &str) -> usize {
        let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
        let request =
            agent.get(format!("{}{path}", self.url())).header("authorization", format!("Bearer {}", self.api_token));
        let mut answer = request.call().expect("an answer");
        let lines = BufReader::new(answer.body_mut().as_reader()).lines();
        lines.collect::<Result<Vec<_>, _>>().expect("lines to the end").len()
    }

    /// All items of a list.
    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        let (mut items, mut after) = (Vec::new(), String::new());
        let joint = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self.get(&format!("{path}{joint}limit=1000{after}"));
            items.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return items,
            }
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        request(self.url(), method, path, body, headers)
    }

    /// Waits until nothing is pending.
    pub(crate) fn settle(&self) {
        eventually(Duration::from_secs(60), "nothing pending", || self.metric("paperknife_pending") == 0.0);
    }

    /// The sum of a metric's samples, those whose line holds each of `labels`.
    pub(crate) fn metric_with(&self, name: &str, labels: &[&str]) -> f64 {
        let answer = self.get_answer("/metrics");
        assert_eq!(answer.status, 200);
        let text = String::from_utf8(answer.body).expect("text");
        let samples = text.lines().filter_map(|line| line.rsplit_once(' '));
        let named = samples.filter(|(sample, _)| {
            sample.split('{').next() == Some(name) && labels.iter().all(|label| sample.contains(label))
        });
        named.map(|(_, value)| value.parse::<f64>().expect("a number")).sum()
    }

    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.metric_with(name, &[])
    }

    /// `received = pending + opened + duplicate + refused + held + expired`.
    pub(crate) fn assert_conserved(&self) {
        assert_eq!(self.metric("paperknife_conservation_error"), 0.0);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.child.kill();
        let _ = self.server.child.wait();
    }
}

/// One HTTP request.
pub(crate) fn request(url: &str, method: &str, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .allow_non_standard_methods(true)
        .build()
        .into();
    let mut request = ureq::http::Request::builder().method(method).uri(format!("{url}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = agent.run(request.body(body).expect("a request")).expect("an answer");
    let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let (status, headers) = (answer.status().as_u16(), headers.collect());
    let body = answer.body_mut().with_config().limit(1 << 30).read_to_vec().expect("a body");
    Answer { status, headers, body }
}

/// Asks again and again, for at most `within`.
pub(crate) fn eventually(within: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
