//! Readings for analysts: patterns, buckets, and everything at once, by the API and by `export`.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fleet;
use crate::gateway::{Gateway, done, paperknife};

/// A gateway with so many readings of two devices.
fn furnished(readings: usize) -> Gateway {
    let gateway = Gateway::start();
    let mut devices = fleet::known_quick_devices(&gateway, 2);
    for nth in 0..readings {
        gateway.ingest(&devices[nth % 2].seal(nth as f64), &[]);
    }
    gateway.settle();
    gateway
}

fn lines(text: &[u8]) -> Vec<String> {
    String::from_utf8(text.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn csv_and_lines_hold_everything_by_the_api_and_by_export() {
    let gateway = furnished(2500);
    let asked = gateway.get_answer("/v1/readings?format=csv");
    assert_eq!(asked.header("content-type"), Some("text/csv; charset=utf-8"));
    let csv = lines(&asked.body);
    assert_eq!(csv.len(), 2501);
    assert!(csv[0].starts_with("time,device,name,value,unit,type,"), "{}", csv[0]);
    let ndjson = lines(&gateway.get_answer("/v1/readings?format=ndjson").body);
    let values: Vec<f64> =
        ndjson.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["value"].as_f64().unwrap()).collect();
    assert_eq!(values.len(), 2500);
    assert!(values.iter().enumerate().all(|(nth, value)| nth as f64 == *value), "in the order of commits");
    let exported = done(&["export", "--data", &gateway.place()]);
    assert_eq!(lines(exported.as_bytes()), csv, "beside the running gateway, the same");
    let file = gateway.data().join("../day.ndjson");
    done(&["export", "--format", "ndjson", "-o", file.to_str().unwrap(), "--data", &gateway.place()]);
    assert_eq!(lines(&std::fs::read(file).unwrap()), ndjson);
    // With a limit, a page.
    let page = gateway.get_answer("/v1/readings?format=csv&limit=10");
    assert_eq!(lines(&page.body).len(), 11);
    let next = format!("/v1/readings?format=csv&limit=10&after={}", page.header("x-next-cursor").unwrap());
    assert_eq!(lines(&gateway.get_answer(&next).body)[1], csv[11]);
}

#[test]
fn patterns_and_times_choose_and_buckets_sum_up() {
    let gateway = furnished(100);
    let count = |query: &str| lines(&gateway.get_answer(&format!("/v1/readings?format=ndjson&{query}")).body).len();
    assert_eq!(count("name=/3303/*"), 100);
    assert_eq!(count("name=/3304/*"), 0);
    assert_eq!(count("name=/3303/0/570%3F&device=urn:dev:test:1"), 50);
    assert_eq!(count("device=urn:dev:test:1&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"), 50);
    assert_eq!(count("device=urn:dev:test:1&to=2020-01-01T00:00:00Z"), 0);
    let buckets = gateway.list("/v1/readings?bucket=24h&device=urn:dev:test:1");
    let sum = |member: &str| buckets.iter().map(|bucket| bucket[member].as_f64().unwrap()).sum::<f64>();
    assert_eq!((sum("count"), sum("sum")), (50.0, (0..50).map(|nth| f64::from(2 * nth + 1)).sum()));
    let one = &buckets[0];
    if buckets.len() == 1 {
        // Unless midnight came between.
        let members = ["min", "max", "mean", "first", "last"].map(|member| one[member].as_f64().unwrap());
        assert_eq!(members, [1.0, 99.0, 50.0, 1.0, 99.0]);
    }
    let csv = done(&["export", "--bucket", "86400", "--aggregate", "max", "--data", &gateway.place()]);
    assert!(csv.starts_with("time,device,name,value,unit,count,min,max,mean,sum,first,last"), "{csv}");
    assert_eq!(paperknife(&["export", "--aggregate", "max", "--data", &gateway.place()]).status.code(), Some(2));
}

const DAY_S: u32 = 24 * 60 * 60;
/// 2026-01-01T00:00:00Z.
const BEGIN_S: u32 = 1_767_225_600;

/// Ten devices, a hundred days, ten messages of a hundred readings a day: a million.
fn million(gateway: &Gateway) {
    use paperknife_device::senml::{Reading, pack};
    let mut devices = fleet::known_quick_devices(gateway, 10);
    for nth in 0..10_000_u32 {
        let (device, day, part) = (nth % 10, nth / 100, nth / 10 % 10);
        let time = |at: u32| f64::from(BEGIN_S + day * DAY_S + part * (DAY_S / 10) + at * 60);
        let one = |at: u32| Reading { time: Some(time(at)), ..Reading::number("/3303/0/5700", f64::from(at)) };
        let readings: Vec<Reading<'_>> = (0..100).map(one).collect();
        let answer = gateway.ingest(&devices[device as usize].seal_bytes(&pack(&readings)), &[]);
        assert_eq!(answer.status, 202);
    }
    gateway.settle();
}

/// Deliveries a second, for some seconds.
fn ingested(gateway: &Gateway, devices: &mut [fleet::Simulated], goes_on: impl Fn() -> bool) -> f64 {
    let (begun, mut count) = (Instant::now(), 0_u32);
    while goes_on() || begun.elapsed() < Duration::from_secs(3) {
        assert_eq!(gateway.ingest(&devices[0].seal(f64::from(count)), &[]).status, 202);
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

#[test]
#[ignore = "some minutes: make webhooks"]
fn a_day_of_a_device_among_a_million_readings_comes_at_once_and_all_of_them_in_constant_memory() {
    let gateway = Gateway::start();
    million(&gateway);
    // Sorted in, when the writer has nothing else to do.
    std::thread::sleep(Duration::from_secs(5));
    let day = "device=urn:dev:test:3&from=2026-02-10T00:00:00Z&to=2026-02-11T00:00:00Z&limit=1000";
    let mut times: Vec<Duration> = (0..30)
        .map(|_| {
            let begun = Instant::now();
            let answer = gateway.get(&format!("/v1/readings?{day}"));
            assert_eq!(answer["items"].as_array().unwrap().len(), 1000);
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    let mut buckets: Vec<Duration> = (0..30)
        .map(|_| {
            let begun = Instant::now();
            let answer = gateway.get(&format!("/v1/readings?{day}&bucket=1h&aggregate=max"));
            assert_eq!(answer["items"].as_array().unwrap().len(), 24);
            begun.elapsed()
        })
        .collect();
    buckets.sort_unstable();
    println!(
        "one day, one device, 1,000 readings: median {:?}, worst {:?}; by the hour: {:?}",
        times[15], times[29], buckets[15]
    );
    let mut others = fleet::known_quick_devices(&gateway, 1);
    let alone = ingested(&gateway, &mut others, || false);
    let before = crate::webhooks::resident(&gateway);
    let (beside, lines, seconds) = std::thread::scope(|scope| {
        let export = scope.spawn(|| {
            let begun = Instant::now();
            (gateway.count_lines("/v1/readings?format=csv"), begun.elapsed().as_secs_f64())
        });
        let beside = ingested(&gateway, &mut others, || !export.is_finished());
        let (lines, seconds) = export.join().unwrap();
        (beside, lines, seconds)
    });
    let grown = crate::webhooks::resident(&gateway).saturating_sub(before);
    println!(
        "{lines} lines of CSV in {seconds:.1} s, {} KiB more memory; ingest {alone:.0} → {beside:.0} a second",
        grown / 1024
    );
    assert!(lines > 1_000_000 && grown < 32 << 20, "{lines} lines, {grown} bytes");
    assert!(times[15] <= Duration::from_millis(20), "{:?}", times[15]);
}
