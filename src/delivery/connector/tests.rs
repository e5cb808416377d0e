//! What may be asked and dialled, and real receivers that behave badly.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::header::HeaderMap;
use rustls::RootCertStore;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Answer, Connector, Policy, Unreached, address};

fn local() -> Policy {
    Policy { allow_http: true, allow_networks: vec!["127.0.0.0/8".parse().unwrap()] }
}

fn connector(policy: Policy) -> Connector {
    Connector::trusting(RootCertStore::empty(), policy, Duration::from_secs(2)).unwrap()
}

async fn post(connector: &Connector, url: &str) -> Result<Answer, Unreached> {
    connector.post(url, HeaderMap::new(), b"{}".to_vec()).await
}

/// Threats E5: refused when it is given, and when it is dialled.
#[tokio::test]
async fn what_leads_inside_is_refused_on_create_and_on_connect() {
    let connector = connector(Policy::default());
    let rows = [
        "https://127.0.0.1/",
        "https://127.8.9.1/",
        "https://[::1]/",
        "https://0.0.0.0/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://2130706433/",
        "https://017700000001/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://①②⑦.0.0.1/",
        "https://169.254.169.254/",
        "https://[fd00:ec2::254]/",
        "https://100.64.0.1/",
        "https://[64:ff9b::7f00:1]/",
        "https://[64:ff9b:1::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:0:1:1::80ff:fffe]/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://172.31.0.1/",
        "https://[fe80::1]/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://localhost/",
        "https://localhost./",
        "https://127。0。0。1/",
        "https://user@8.8.8.8/",
        "https://user:password@8.8.8.8/",
        "https://8.8.8.8/#f",
        "http://8.8.8.8/",
        "https://8.8.8.8:22/",
        "https://8.8.8.8:25/",
        "https://8.8.8.8:6379/",
        "https://example.com:8443/",
        "file:///etc/passwd",
        "gopher://8.8.8.8/",
        "unix:/run/x",
        "ftp://8.8.8.8/",
        "javascript:1",
        "https:///",
        "https://8.8.8.8/\r\nx",
        "https://8.8.8.8/\tx",
        "https://8.8.8.8\\@127.0.0.1/",
        "https://",
        "",
        "8.8.8.8",
    ];
    for url in rows {
        let created = connector.admit(url).await;
        assert!(matches!(created, Err(Unreached::Url | Unreached::BlockedAddress)), "{url:?} on create: {created:?}");
        let connected = post(&connector, url).await;
        assert!(
            matches!(connected, Err(Unreached::Url | Unreached::BlockedAddress)),
            "{url:?} on connect: {connected:?}"
        );
    }
    assert!(connector.admit(&format!("https://8.8.8.8/{}", "a".repeat(3000))).await.is_err());
    assert_eq!(connector.admit("https://8.8.8.8/hook?a=b").await, Ok(()));
    assert_eq!(connector.admit("https://[2606:4700::1111]/").await, Ok(()));
}

#[test]
fn addresses_are_judged_by_what_they_stand_for() {
    let public = [
        "8.8.8.8",
        "1.1.1.1",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
        "198.20.0.1",
        "192.0.1.1",
        "2001:200::1",
    ];
    for text in public {
        assert!(address::is_public(text.parse::<IpAddr>().unwrap()), "{text}");
    }
    let blocked = [
        "0.1.2.3",
        "10.255.0.1",
        "100.127.255.255",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.9",
        "239.1.1.1",
        "250.0.0.1",
        "::",
        "::1",
        "fc00::1",
        "fdff::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "100::1",
        "2001:db8::1",
        "3fff::1",
        "2001:1ff::1",
        "5f00::1",
        "::ffff:0:10.0.0.1",
        "2002:a00:1::",
        "64:ff9b:1::808:808",
    ];
    for text in blocked {
        assert!(!address::is_public(text.parse::<IpAddr>().unwrap()), "{text}");
    }
}

#[test]
fn of_mixed_answers_only_the_public_are_dialled() {
    let policy = Policy::default();
    let target = policy.target("https://example.com/").unwrap();
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
    let mixed = addresses(&["10.0.0.1:443", "8.8.8.8:443", "[::1]:443"]);
    assert_eq!(policy.choose(&target, &mixed), Ok(addresses(&["8.8.8.8:443"])));
    assert_eq!(policy.choose(&target, &addresses(&["10.0.0.1:443"])), Err(Unreached::BlockedAddress));
    assert_eq!(policy.choose(&target, &[]), Err(Unreached::Dns));
    let inside = Policy { allow_networks: vec!["10.0.0.0/8".parse().unwrap()], ..Policy::default() };
    let target = inside.target("https://erp.example:8443/").unwrap();
    let mixed = addresses(&["10.0.0.1:8443", "8.8.8.8:8443", "192.168.0.1:8443"]);
    assert_eq!(
        inside.choose(&target, &mixed),
        Ok(addresses(&["10.0.0.1:8443"])),
        "any port, but of that network alone"
    );
}

/// A receiver that answers every connection with these bytes.
async fn receiver(answer: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    (address, seen)
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (inside, seen) = receiver(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    for status in [301, 302, 307, 308] {
        let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: http://{inside}/\r\ncontent-length: 0\r\n\r\n");
        let (address, _) = receiver(answer.into_bytes()).await;
        let answer = post(&connector(local()), &format!("http://{address}/")).await;
        assert_eq!(answer, Ok(Answer { status, retry_after: None }));
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0, "nobody came");
}

#[tokio::test]
async fn receivers_that_hang_lie_or_talk_without_end_are_left() {
    let connector = connector(local());
    let rows: [(&[u8], Result<u16, Unreached>); 5] = [
        (b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n", Ok(503)),
        (b"not http at all\r\n\r\n", Err(Unreached::Protocol)),
        (b"", Err(Unreached::Protocol)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", Ok(200)),
        (b"HTTP/1.1 204 None\r\n\r\n", Ok(204)),
    ];
    for (bytes, expected) in rows {
        let (address, _) = receiver(bytes.to_vec()).await;
        let answer = post(&connector, &format!("http://{address}/")).await;
        assert_eq!(answer.map(|answer| answer.status), expected, "{:?}", String::from_utf8_lossy(bytes));
    }
    let mut endless = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n".to_vec();
    endless.resize(1 << 20, b'x');
    let (address, _) = receiver(endless).await;
    assert_eq!(post(&connector, &format!("http://{address}/")).await.unwrap().status, 200);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    assert_eq!(post(&connector, &url).await, Err(Unreached::Timeout));
    drop(silent);
    assert_eq!(post(&connector, &url).await, Err(Unreached::Connect));
}

#[tokio::test]
async fn tls_asks_for_a_certificate_of_that_name_that_is_trusted() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let trusting = Connector::trusting(roots, local(), Duration::from_secs(5)).unwrap();
    assert_eq!(post(&trusting, &format!("https://localhost:{port}/")).await.map(|answer| answer.status), Ok(200));
    assert_eq!(post(&trusting, &format!("https://127.0.0.1:{port}/")).await, Err(Unreached::Tls), "another name");
    assert_eq!(
        post(&connector(local()), &format!("https://localhost:{port}/")).await,
        Err(Unreached::Tls),
        "not trusted"
    );
}
