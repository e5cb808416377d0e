//! A client that keeps its connection, as relays do: nothing but what the tests of load and loss need.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection to a gateway.
pub(crate) struct Wire(BufReader<TcpStream>);

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u32>,
    /// The server will close the connection.
    pub(crate) closes: bool,
}

impl Wire {
    /// Connects to `http://ADDRESS`.
    pub(crate) fn connect(url: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(url.trim_start_matches("http://"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Hands a body over as relay `acme`, from the path that devices write to, and waits for the whole answer.
    pub(crate) fn deliver(&mut self, token: &str, body: &[u8]) -> io::Result<Reply> {
        let head = format!(
            "POST /ingest/acme HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\nx-path: {}\r\n\
             content-type: application/cose-seq\r\ncontent-length: {}\r\n\r\n",
            crate::fleet::PATH,
            body.len()
        );
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let (mut reply, mut length) = (Reply { status, retry_after: None, closes: false }, 0);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("connection", value)) => reply.closes = value == "close",
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("retry-after", value)) => reply.retry_after = value.parse().ok(),
                Some(_) => {}
                None => break,
            }
        }
        self.0.read_exact(&mut vec![0; length])?;
        Ok(reply)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}
