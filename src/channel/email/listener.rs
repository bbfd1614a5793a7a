//! Takes mail in, over SMTP (RFC 5321) or LMTP (RFC 2033), from the mail server of the operator.
//!
//! It speaks no more than that server needs and keeps nothing: a message is answered with 250 once what follows from it is
//! durable, and with 451 where that cannot be, so that the server keeps it and tries again. It takes mail for its own domains
//! alone and sends none on. Who may write to it, and what to make of forged senders, is for the mail server in front.
//!
//! # Decisions
//! - 2026-11-23: our own, in a few hundred lines: the crates for mail servers bring a queue, a store or a scripting engine of
//!   their own. Only CR LF ends a line of a message, so that nothing can be smuggled past the server in front (CVE-2023-51764).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// RFC 5321, section 4.5.3.2.7: how long a server waits for the next command.
const PATIENCE: Duration = Duration::from_secs(300);
/// RFC 5321, section 4.5.3.1.4 wants 512; parameters need more.
const LONGEST_COMMAND: usize = 2_048;
/// A message longer than this is refused.
const LARGEST: usize = 8 * 1024 * 1024;
const MOST_RECIPIENTS: usize = 100;
const MOST_FAULTS: u32 = 20;
const MOST_CONNECTIONS: usize = 64;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What follows from it is durable.
    Taken,
    /// It is no message.
    Unreadable,
    /// Not now: the server should try again.
    Later,
}

/// Takes a message and its envelope.
pub type Take = Arc<dyn Fn(Vec<u8>, Envelope) -> Pin<Box<dyn Future<Output = Verdict> + Send>> + Send + Sync>;

/// From whom and for whom a message came, as the mail server said (RFC 5321, section 2.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// `MAIL FROM`; empty for the null sender, whom nothing is answered to.
    pub sender: String,
    /// `RCPT TO`.
    pub recipients: Vec<String>,
}

/// How the listener behaves.
#[derive(Clone, Debug)]
pub struct Inbox {
    /// LMTP rather than SMTP: one answer for each recipient.
    pub lmtp: bool,
    /// Mail for these domains is taken, in lower case.
    pub domains: Vec<String>,
    /// The name it greets with.
    pub name: String,
}

/// Listens until it is told to stop; open dialogues end with their message.
pub async fn serve(listener: TcpListener, inbox: Inbox, take: Take, stop: CancellationToken) {
    let inbox = Arc::new(inbox);
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let socket = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::warn!(error = %error, "mail.not_accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let (inbox, take, stop) = (Arc::clone(&inbox), Arc::clone(&take), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            let (read, write) = socket.into_split();
            let mut dialogue = Dialogue::new(BufReader::new(read), write, &inbox, take);
            tokio::select! {
                () = stop.cancelled() => {}
                ended = dialogue.run() => if let Err(error) = ended {
                    tracing::debug!(error = %error, "mail.dialogue_broken");
                },
            }
        });
    }
}

struct Dialogue<'i, R, W> {
    read: R,
    write: W,
    inbox: &'i Inbox,
    take: Take,
    sender: Option<String>,
    recipients: Vec<String>,
    faults: u32,
}

/// A line, or why there is none.
enum Line {
    Text(Vec<u8>),
    TooLong,
    Ended,
}

impl<'i, R: AsyncBufReadExt + AsyncRead + Unpin, W: AsyncWrite + Unpin> Dialogue<'i, R, W> {
    fn new(read: R, write: W, inbox: &'i Inbox, take: Take) -> Self {
        Self { read, write, inbox, take, sender: None, recipients: Vec::new(), faults: 0 }
    }

    async fn run(&mut self) -> io::Result<()> {
        let protocol = if self.inbox.lmtp { "LMTP" } else { "ESMTP" };
        self.answer(&format!("220 {} {protocol}", self.inbox.name)).await?;
        loop {
            let line = match self.line(LONGEST_COMMAND).await? {
                Line::Text(line) => String::from_utf8_lossy(&line).into_owned(),
                Line::TooLong => {
                    self.fault("500 5.5.2 the line is too long").await?;
                    continue;
                }
                Line::Ended => return Ok(()),
            };
            let verb = line.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "QUIT" => return self.answer("221 2.0.0 bye").await,
                "DATA" => self.data().await?,
                _ => self.command(&verb, line.trim_end()).await?,
            }
            if self.faults > MOST_FAULTS {
                return self.answer("421 4.7.0 too many faults").await;
            }
        }
    }

    async fn command(&mut self, verb: &str, line: &str) -> io::Result<()> {
        match verb {
            "LHLO" if self.inbox.lmtp => self.hello().await,
            "EHLO" if !self.inbox.lmtp => self.hello().await,
            "HELO" if !self.inbox.lmtp => {
                self.reset();
                self.answer(&format!("250 {}", self.inbox.name)).await
            }
            "MAIL" if self.sender.is_some() => self.fault("503 5.5.1 the sender is known already").await,
            "MAIL" if path(line, "MAIL FROM:").is_some() => {
                self.sender = path(line, "MAIL FROM:");
                self.answer("250 2.1.0 ok").await
            }
            "RCPT" if self.sender.is_none() => self.fault("503 5.5.1 MAIL comes first").await,
            "RCPT" => self.recipient(line).await,
            "RSET" => {
                self.reset();
                self.answer("250 2.0.0 ok").await
            }
            "NOOP" => self.answer("250 2.0.0 ok").await,
            "VRFY" => self.answer("252 2.1.5 send it and see").await,
            _ => self.fault("500 5.5.1 not a command here").await,
        }
    }

    async fn hello(&mut self) -> io::Result<()> {
        self.reset();
        let name = &self.inbox.name;
        let offers = format!(
            "250-{name}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE {LARGEST}"
        );
        self.answer(&offers).await
    }

    async fn recipient(&mut self, line: &str) -> io::Result<()> {
        let Some(address) = path(line, "RCPT TO:") else {
            return self.fault("501 5.5.4 write RCPT TO:<address>").await;
        };
        let domain = address.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
        if !domain.is_some_and(|domain| self.inbox.domains.contains(&domain)) {
            return self.fault("550 5.7.1 not a domain of ours").await;
        }
        if self.recipients.len() >= MOST_RECIPIENTS {
            return self.answer("452 4.5.3 too many recipients").await;
        }
        self.recipients.push(address);
        self.answer("250 2.1.5 ok").await
    }

    async fn data(&mut self) -> io::Result<()> {
        if self.recipients.is_empty() {
            return self.fault("503 5.5.1 RCPT comes first").await;
        }
        self.answer("354 go on").await?;
        let Some(message) = self.message().await? else { return Ok(()) };
        let recipients = std::mem::take(&mut self.recipients);
        let count = if self.inbox.lmtp { recipients.len() } else { 1 };
        let envelope = Envelope { sender: self.sender.take().unwrap_or_default(), recipients };
        let answer = match message {
            None => "552 5.3.4 the message is too large",
            Some(message) => match (self.take)(message, envelope).await {
                Verdict::Taken => "250 2.0.0 taken",
                Verdict::Unreadable => "554 5.6.0 not a message",
                Verdict::Later => "451 4.3.0 not now",
            },
        };
        self.reset();
        for _ in 0..count {
            self.answer(answer).await?;
        }
        Ok(())
    }

    /// The message up to its end (RFC 5321, section 4.1.1.4), dots unstuffed; none inside where it is too large, none at all
    /// where the other side hung up.
    async fn message(&mut self) -> io::Result<Option<Option<Vec<u8>>>> {
        let (mut message, mut too_large, mut starts) = (Vec::new(), false, true);
        loop {
            let mut line = Vec::new();
            let read = tokio::time::timeout(PATIENCE, read_until_newline(&mut self.read, &mut line, LARGEST));
            if read.await.map_err(|_| io::ErrorKind::TimedOut)?? == 0 {
                return Ok(None);
            }
            if starts && line == b".\r\n" {
                return Ok(Some((!too_large).then_some(message)));
            }
            let dotted = starts && line.starts_with(b".");
            starts = line.ends_with(b"\r\n");
            too_large |= message.len() + line.len() > LARGEST;
            if !too_large {
                message.extend_from_slice(line.get(usize::from(dotted)..).unwrap_or_default());
            }
        }
    }

    async fn line(&mut self, most: usize) -> io::Result<Line> {
        let mut line = Vec::new();
        let read = tokio::time::timeout(PATIENCE, read_until_newline(&mut self.read, &mut line, most));
        if read.await.map_err(|_| io::ErrorKind::TimedOut)?? == 0 {
            return Ok(Line::Ended);
        }
        if line.ends_with(b"\n") {
            return Ok(Line::Text(line));
        }
        // The rest of a line that is too long goes by unread.
        while !line.ends_with(b"\n") {
            line.clear();
            let rest = tokio::time::timeout(PATIENCE, read_until_newline(&mut self.read, &mut line, most));
            if rest.await.map_err(|_| io::ErrorKind::TimedOut)?? == 0 {
                return Ok(Line::Ended);
            }
        }
        Ok(Line::TooLong)
    }

    fn reset(&mut self) {
        self.sender = None;
        self.recipients.clear();
    }

    async fn fault(&mut self, answer: &str) -> io::Result<()> {
        self.faults += 1;
        self.answer(answer).await
    }

    async fn answer(&mut self, text: &str) -> io::Result<()> {
        self.write.write_all(format!("{text}\r\n").as_bytes()).await?;
        self.write.flush().await
    }
}

/// Reads to the end of a line, `most` bytes at most; how many were read.
async fn read_until_newline<R: AsyncBufReadExt + Unpin>(
    read: &mut R,
    line: &mut Vec<u8>,
    most: usize,
) -> io::Result<usize> {
    let mut taken = 0;
    while taken < most {
        let buffer = read.fill_buf().await?;
        if buffer.is_empty() {
            break;
        }
        let room = buffer.get(..buffer.len().min(most - taken)).unwrap_or(buffer);
        let end = room.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let part = room.get(..end.unwrap_or(room.len())).unwrap_or(room);
        line.extend_from_slice(part);
        let length = part.len();
        read.consume(length);
        taken += length;
        if end.is_some() {
            break;
        }
    }
    Ok(taken)
}

/// The address between brackets behind a command; empty for the null sender.
fn path(line: &str, command: &str) -> Option<String> {
    let start = line.get(..command.len())?;
    if !start.eq_ignore_ascii_case(command) {
        return None;
    }
    let rest = line.get(command.len()..)?.trim_start();
    let (address, _) = rest.strip_prefix('<')?.split_once('>')?;
    (!address.contains(char::is_control)).then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Plays a client that says everything at once; what the server answered, and what it took.
    async fn play(said: &[u8], lmtp: bool, verdict: Verdict) -> (String, Vec<(Vec<u8>, Envelope)>) {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&taken);
        let take: Take = Arc::new(move |message, envelope| {
            seen.lock().expect("a lock").push((message, envelope));
            Box::pin(async move { verdict })
        });
        let inbox = Inbox { lmtp, domains: vec!["recovery.example".into()], name: "gw.example".into() };
        let mut out = Vec::new();
        Dialogue::new(BufReader::new(said), &mut out, &inbox, take).run().await.expect("a dialogue");
        let taken = taken.lock().expect("a lock").clone();
        (String::from_utf8(out).expect("text"), taken)
    }

    fn codes(answers: &str) -> Vec<&str> {
        answers.lines().filter(|line| line.get(3..4) != Some("-")).filter_map(|line| line.get(..3)).collect()
    }

    #[tokio::test]
    async fn a_message_is_taken_whole() {
        let said =
            b"EHLO there\r\nMAIL FROM:<a@example.com> SIZE=9\r\nRCPT TO:<replies@recovery.example>\r\n\
            RCPT TO:<x@other.example>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\nnot the end\r\n.\r\nQUIT\r\n";
        let (answers, taken) = play(said, false, Verdict::Taken).await;
        assert_eq!(codes(&answers), ["220", "250", "250", "250", "550", "354", "250", "221"]);
        let whole = b"Subject: x\r\n\r\n.dot\r\n\nnot the end\r\n".to_vec();
        let envelope = Envelope {
            sender: "a@example.com".to_owned(),
            recipients: vec!["replies@recovery.example".to_owned()],
        };
        assert_eq!(taken, [(whole, envelope)]);
    }

    #[tokio::test]
    async fn lmtp_answers_each_recipient() {
        let said = b"LHLO there\r\nMAIL FROM:<>\r\nRCPT TO:<a@recovery.example>\r\nRCPT TO:<b@RECOVERY.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n";
        let (answers, taken) = play(said, true, Verdict::Later).await;
        assert_eq!(codes(&answers), ["220", "250", "250", "250", "250", "354", "451", "451", "221"]);
        assert_eq!(taken.len(), 1);
    }

    #[tokio::test]
    async fn nonsense_is_borne_for_a_while() {
        let long = [
            b"X".repeat(5_000),
            b"\r\nDATA\r\nRCPT TO:<a@recovery.example>\r\nMAIL FROM:nobody\r\n".to_vec(),
        ]
        .concat();
        let (answers, taken) = play(&long, false, Verdict::Taken).await;
        assert_eq!(codes(&answers), ["220", "500", "503", "503", "500"]);
        assert!(taken.is_empty());
        let (answers, _) = play(&b"\xff\xfe?\r\n".repeat(100), false, Verdict::Taken).await;
        assert!(answers.ends_with("421 4.7.0 too many faults\r\n"), "{answers}");
        let cut = b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@recovery.example>\r\nDATA\r\nhalf a mess";
        let (_, taken) = play(cut, false, Verdict::Taken).await;
        assert!(taken.is_empty(), "a message without its end is none");
    }
}
