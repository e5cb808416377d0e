//! kill -9 under load: nothing acknowledged is lost, nothing opens twice. A longer run is `make crash`.

use std::sync::Mutex;
use std::time::Duration;

use crate::fleet;
use crate::gateway::{Gateway, eventually};
use crate::hostile::Dice;

/// Rounds here; `PAPERKNIFE_CRASH_ROUNDS` asks for more.
const ROUNDS: usize = 20;

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let rounds = option_env!("PAPERKNIFE_CRASH_ROUNDS").and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let seed = 42;
    println!("seed {seed}");
    let mut dice = Dice::new(seed);
    let mut gateway = Gateway::start();
    let mut devices = fleet::known_devices(&gateway, 6);
    let mut sent = 0u32;
    let mut acknowledged: Vec<f64> = Vec::new();
    for round in 0..rounds {
        // Sealed before the round, handed over by several threads at once, unacknowledged ones again in the next round.
        let batch: Vec<(f64, Vec<u8>)> = (0..400)
            .map(|nth| {
                sent += 1;
                let value = f64::from(sent);
                (value, devices[nth % 6].seal(value))
            })
            .collect();
        let done = Mutex::new(Vec::new());
        // Log-uniform from 1 ms to 0.7 s.
        let moment = Duration::from_micros((1000.0 * 700f64.powf(dice.below(1000) as f64 / 1000.0)) as u64);
        let pid = gateway.pid();
        std::thread::scope(|scope| {
            for part in batch.chunks(100) {
                let (gateway, done) = (&gateway, &done);
                scope.spawn(move || hand_over(gateway, part, done));
            }
            std::thread::sleep(moment);
            let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
            assert!(killed.expect("kill").success());
        });
        acknowledged.extend(done.into_inner().unwrap());
        gateway.kill();
        gateway.restart();
        println!("round {round}: killed after {moment:?}, {} acknowledged so far", acknowledged.len());
    }
    gateway.settle();
    assert!(acknowledged.len() > rounds, "the load reached the server");
    verify(&gateway, acknowledged);
}

/// One connection's work, until the server is gone.
fn hand_over(gateway: &Gateway, part: &[(f64, Vec<u8>)], done: &Mutex<Vec<f64>>) {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).build().into();
    for (value, sealed) in part {
        let request = agent
            .post(format!("{}/ingest/acme", gateway.url()))
            .header("authorization", format!("Bearer {}", gateway.relay_token))
            .header("x-path", fleet::PATH);
        match request.send(sealed.as_slice()) {
            Ok(answer) if answer.status() == 202 => done.lock().unwrap().push(*value),
            Ok(answer) => panic!("{}", answer.status()),
            Err(_) => return,
        }
    }
}

fn verify(gateway: &Gateway, mut acknowledged: Vec<f64>) {
    eventually(Duration::from_secs(30), "ready", || gateway.get_answer("/readyz").status == 200);
    let messages = gateway.list("/v1/messages");
    let mut opened: Vec<f64> =
        messages.iter().map(|message| message["readings"][0]["value"].as_f64().unwrap()).collect();
    opened.sort_by(f64::total_cmp);
    assert!(opened.windows(2).all(|pair| pair[0] < pair[1]), "opened twice");
    acknowledged.sort_by(f64::total_cmp);
    let lost: Vec<f64> = acknowledged
        .iter()
        .copied()
        .filter(|value| opened.binary_search_by(|known| known.total_cmp(value)).is_err())
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    gateway.assert_conserved();
    let received = gateway.metric("paperknife_received_total");
    println!("{} acknowledged, {} opened, {received} received since the last start", acknowledged.len(), opened.len());
}
