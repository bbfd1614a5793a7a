//! HTTP/1.1 from a client's side, just enough of it and cheap: keep-alive, one request at a time.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is used again and again.
pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    body: Vec<u8>,
}

/// What came back.
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The body, without transfer coding.
    pub body: &'a [u8],
}

/// Where an answer's parts lie.
struct Frame {
    status: u16,
    body_start: usize,
    length: Option<usize>,
}

impl Connection {
    /// Connects, without Nagle's delay.
    pub async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: Vec::with_capacity(8 * 1024), body: Vec::new() })
    }

    /// Sends a request that fits the socket's buffer and waits for its answer.
    pub async fn exchange(&mut self, request: &[u8]) -> std::io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        let status = receive(&mut self.stream, &mut self.input, &mut self.body).await?;
        Ok(Answer { status, body: &self.body })
    }

    /// Sends a request of any size, reading the answer meanwhile: a streaming server answers as it goes.
    pub async fn exchange_streaming(&mut self, request: &[u8]) -> std::io::Result<Answer<'_>> {
        let (mut reading, mut writing) = self.stream.split();
        let received = receive(&mut reading, &mut self.input, &mut self.body);
        let (_, status) = tokio::try_join!(writing.write_all(request), received)?;
        Ok(Answer { status, body: &self.body })
    }
}

async fn receive<R: AsyncRead + Unpin>(
    stream: &mut R,
    input: &mut Vec<u8>,
    body: &mut Vec<u8>,
) -> std::io::Result<u16> {
    input.clear();
    body.clear();
    let frame = loop {
        if let Some(frame) = frame(input)? {
            break frame;
        }
        more(stream, input).await?;
    };
    match frame.length {
        Some(length) => {
            while input.len() < frame.body_start + length {
                more(stream, input).await?;
            }
            body.extend_from_slice(&input[frame.body_start..frame.body_start + length]);
        }
        None => {
            let mut at = frame.body_start;
            while !unchunk(input, &mut at, body)? {
                more(stream, input).await?;
            }
        }
    }
    Ok(frame.status)
}

async fn more<R: AsyncRead + Unpin>(stream: &mut R, input: &mut Vec<u8>) -> std::io::Result<()> {
    match stream.read_buf(input).await? {
        0 => Err(Error::new(
            ErrorKind::UnexpectedEof,
            "the server closed the connection before it had answered",
        )),
        _ => Ok(()),
    }
}

/// The head of the answer, once it is whole.
fn frame(input: &[u8]) -> std::io::Result<Option<Frame>> {
    let Some(end) = find(input, b"\r\n\r\n") else { return Ok(None) };
    let strange = || Error::new(ErrorKind::InvalidData, "not an HTTP/1.1 answer");
    let status = input
        .get(9..12)
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .ok_or_else(strange)?;
    let mut length = (status == 204 || status == 304).then_some(0);
    for line in input[..end].split(|byte| *byte == b'\n') {
        if let Some(value) = header(line, b"content-length:") {
            length = Some(
                std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.trim().parse().ok())
                    .ok_or_else(strange)?,
            );
        }
    }
    Ok(Some(Frame { status, body_start: end + 4, length }))
}

/// The value of a header line, if it is the one named (in lower case, with its colon).
pub fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    line.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name)).map(|_| &line[name.len()..])
}

/// Where the bytes first stand.
pub fn find(within: &[u8], wanted: &[u8]) -> Option<usize> {
    within.windows(wanted.len()).position(|window| window == wanted)
}

/// Takes whole chunks from `at` on; true once the last one was there (RFC 9112 section 7.1; no trailers).
fn unchunk(input: &[u8], at: &mut usize, body: &mut Vec<u8>) -> std::io::Result<bool> {
    loop {
        let Some(line) = find(&input[*at..], b"\r\n") else { return Ok(false) };
        let size = std::str::from_utf8(&input[*at..*at + line])
            .ok()
            .and_then(|text| usize::from_str_radix(text.split(';').next()?.trim(), 16).ok())
            .ok_or_else(|| Error::new(ErrorKind::InvalidData, "a chunk without its size"))?;
        let start = *at + line + 2;
        let Some(chunk) = input.get(start..start + size + 2) else { return Ok(false) };
        *at = start + size + 2;
        if size == 0 {
            return Ok(true);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
