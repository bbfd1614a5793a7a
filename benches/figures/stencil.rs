//! HTTP requests written from a pattern, so that composing one costs little more than a copy.

use std::net::SocketAddr;

/// A whole request with slots for numbers: in the pattern each run of `#` takes the sequence number, each run of `@` the
/// debtor's, zero padded to the width of the run.
pub struct Stencil {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

struct Slot {
    start: usize,
    width: usize,
    debtor: bool,
}

impl Stencil {
    /// A request with a JSON body.
    pub fn json(method: &str, path: &str, address: SocketAddr, key: &str, body: &str) -> Self {
        let head = head(method, path, address, key, "application/json", body.len());
        Self::new(&(head + body))
    }

    /// From a pattern.
    pub fn new(pattern: &str) -> Self {
        let bytes = pattern.as_bytes().to_vec();
        let mut slots = Vec::new();
        let mut at = 0;
        while let Some(mark) = bytes.get(at).copied() {
            let width = bytes[at..].iter().take_while(|byte| **byte == mark).count();
            // One such character alone is just itself (an e-mail address, say).
            if (mark == b'#' || mark == b'@') && width > 1 {
                slots.push(Slot { start: at, width, debtor: mark == b'@' });
            }
            at += width;
        }
        Self { bytes, slots }
    }

    /// Appends the request for these numbers.
    pub fn write(&self, sequence: u64, debtor: u64, into: &mut Vec<u8>) {
        let base = into.len();
        into.extend_from_slice(&self.bytes);
        for slot in &self.slots {
            let mut rest = if slot.debtor { debtor } else { sequence };
            for digit in into[base + slot.start..base + slot.start + slot.width].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
    }
}

/// The head of a request, its blank line included.
pub fn head(
    method: &str,
    path: &str,
    address: SocketAddr,
    key: &str,
    content_type: &str,
    length: usize,
) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

/// The head of a request without a body.
pub fn get(path: &str, address: SocketAddr, key: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n")
}
