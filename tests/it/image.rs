//! The image without a registry: its last stage built by buildah out of the binary under test, and the binary at work in
//! that root, as the user and with the files that it has there and no others. And the files of `deploy/`, read as what they
//! are. What cannot run here says so.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::gateway::{BINARY, request};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// As the Dockerfile has it.
const USER: &str = "10001:10001";

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Root with buildah, or why not.
fn missing() -> Option<&'static str> {
    let is_root = run(Command::new("id").arg("-u")) == "0";
    let buildah = Command::new("buildah").arg("--version").output().is_ok_and(|output| output.status.success());
    match (is_root, buildah) {
        (false, _) => Some("not root"),
        (_, false) => Some("no buildah (Debian: apt-get install buildah; `make test` does)"),
        _ => None,
    }
}

/// The root of the image, for as long as this lives.
struct Image {
    storage: tempfile::TempDir,
    container: String,
    root: PathBuf,
}

impl Image {
    fn build() -> Self {
        let storage = tempfile::tempdir().unwrap();
        let stage = storage.path().join("stage");
        run(Command::new("sh").arg(Path::new(ROOT).join("deploy/stage.sh")).args([Path::new(BINARY), &stage]));
        let containerfile = storage.path().join("Containerfile");
        std::fs::write(&containerfile, last_stage()).unwrap();
        let mut build = buildah(&storage);
        build.args(["build", "--isolation", "chroot", "--format", "docker", "--tag", "paperknife-proof", "--file"]);
        run(build.arg(&containerfile).arg(&stage));
        let container = run(buildah(&storage).args(["from", "paperknife-proof"]));
        let root = run(buildah(&storage).args(["mount", &container])).into();
        Self { storage, container, root }
    }

    /// The binary within, as the image's user, with the image's environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("/usr/sbin/chroot");
        command.args(["--userspec", USER]).arg(&self.root).arg("/usr/bin/paperknife").args(arguments);
        command.env_clear().env("PAPERKNIFE_SERVER__DATA", "/data");
        command
    }

    fn inspect(&self) -> Value {
        serde_json::from_str(&run(buildah(&self.storage).args(["inspect", &self.container]))).unwrap()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = buildah(&self.storage).args(["rm", &self.container]).output();
    }
}

fn buildah(storage: &tempfile::TempDir) -> Command {
    let mut command = Command::new("buildah");
    command.args(["--storage-driver", "vfs", "--root"]).arg(storage.path().join("root"));
    command.arg("--runroot").arg(storage.path().join("run"));
    command
}

/// What stands after `FROM scratch`, with the laid-out folder as its context.
fn last_stage() -> String {
    let whole = std::fs::read_to_string(Path::new(ROOT).join("Dockerfile")).unwrap();
    let stage = whole.split_once("\nFROM scratch\n").expect("its last stage is of scratch").1;
    let copied = stage.replace("COPY --from=build /stage/root /", "COPY root /");
    let copied = copied.replace("COPY --from=build --chown=10001:10001 /stage/data", "COPY --chown=10001:10001 data");
    assert!(!copied.contains("--from"), "it takes what stage.sh laid out, and nothing else");
    format!("FROM scratch\n{copied}")
}

/// A gateway in the root, and what it printed.
struct Inside {
    child: Child,
    url: String,
    token: String,
}

impl Inside {
    fn start(image: &Image) -> Self {
        let mut command = image.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs([
            ("PAPERKNIFE_DELIVERY__ALLOW_HTTP", "true"),
            ("PAPERKNIFE_DELIVERY__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]"),
        ]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut url, mut token) = (String::new(), String::new());
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            if let Some(found) = line.strip_prefix("admin token (shown once): ") {
                found.clone_into(&mut token);
            }
            if let Some(found) = line.strip_prefix("listening on ") {
                found.clone_into(&mut url);
                break;
            }
        }
        assert!(!url.is_empty() && !token.is_empty());
        Self { child, url, token }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_image_runs_as_its_user_with_nothing_but_itself() {
    if let Some(missing) = missing() {
        return println!("skipped: the image is not proven here: {missing}");
    }
    let image = Image::build();
    let config = image.inspect()["OCIv1"]["config"].clone();
    assert_eq!(config["User"], USER);
    assert_eq!(config["Entrypoint"], json!(["/usr/bin/paperknife"]));
    let health = &image.inspect()["Docker"]["config"]["Healthcheck"]["Test"];
    assert_eq!(*health, json!(["CMD", "/usr/bin/paperknife", "healthcheck"]));
    assert!(config["Volumes"]["/data"].is_object(), "{config}");
    // No shell, no package manager, nothing that is setuid; what is not the data folder is root's.
    for absent in ["bin/sh", "usr/bin/apt", "bin/bash", "usr/bin/env"] {
        assert!(!image.root.join(absent).exists(), "{absent}");
    }
    let stray = run(Command::new("find")
        .arg(&image.root)
        .args(["-perm", "/6000", "-o", "-not", "-uid", "0", "-not", "-path", "*/data"]));
    assert_eq!(stray, "");
    // A demo: devices, a relay that cheats, each message and each attack as it should be.
    let demo = image.command(&["demo", "--devices", "4", "--for", "3"]).env("TMPDIR", "/tmp").output().unwrap();
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stdout));
    // And a gateway that answers, checks its own health, and sends a webhook.
    let gateway = Inside::start(&image);
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.child.id())).unwrap();
    assert!(status.contains("Uid:\t10001\t10001\t10001\t10001"), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    let address = gateway.url.strip_prefix("http://").unwrap();
    let health = image.command(&["healthcheck"]).env("PAPERKNIFE_SERVER__LISTEN", address).output().unwrap();
    assert!(health.status.success(), "{}", String::from_utf8_lossy(&health.stderr));
    let (url, heard) = crate::webhooks::listener();
    let hook = json!({"name": "proof", "sink": {"kind": "webhook", "url": url}, "events": ["message.opened"]});
    let bearer = format!("Bearer {}", gateway.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let made = request(&gateway.url, "POST", "/v1/subscriptions", hook.to_string().as_bytes(), &headers);
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let test = format!("/v1/subscriptions/{}/test", made.json()["id"].as_str().unwrap());
    let tried = request(&gateway.url, "POST", &test, b"", &headers).json();
    assert_eq!(tried["status_code"], 200, "{tried}");
    assert_eq!(heard(), 1);
}

#[test]
fn manifests_say_what_the_image_needs() {
    let read = |file: &str| std::fs::read_to_string(Path::new(ROOT).join("deploy").join(file)).unwrap();
    let compose: Value = serde_saphyr::from_str(&read("compose.yaml")).unwrap();
    let service = &compose["services"]["paperknife"];
    assert_eq!((&service["read_only"], &service["cap_drop"]), (&json!(true), &json!(["ALL"])));
    let text = read("kubernetes.yaml");
    let documents: Vec<Value> = text.split("\n---\n").map(|one| serde_saphyr::from_str(one).unwrap()).collect();
    let kinds: Vec<&str> = documents.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["PersistentVolumeClaim", "StatefulSet", "Service"]);
    let pod = &documents[1]["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsUser"], 10001);
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert!(container[probe]["httpGet"]["path"].is_string(), "{probe}");
    }
    let unit = read("paperknife.service");
    for rule in ["NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=\n", "LimitCORE=0"] {
        assert!(unit.contains(rule), "{rule}");
    }
    // The dashboard and the table name the metrics that are there, and the table all of them.
    let (dashboard, page) = (read("grafana.json"), read("README.md"));
    let code = include_str!("../../src/meter.rs");
    let names = |text: &str| {
        let words =
            text.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).filter(|word| word.starts_with("paperknife_"));
        words.map(|word| word.trim_end_matches("_bucket").to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    assert!(names(&dashboard).is_subset(&names(code)), "{:?}", names(&dashboard).difference(&names(code)));
    assert_eq!(names(&page), names(code));
    serde_json::from_str::<Value>(&dashboard).unwrap();
}
