//! NDJSON in, NDJSON out: one answer a line, in order, while the lines still come in. Memory is bounded whatever the size
//! of the batch; a bad line never spoils its neighbours.
//!
//! Answers are written as they are ready. A caller that sends a very large batch should read while it writes: up to about
//! 16 MiB of answers wait for one that does not; then reading pauses, and a caller that reads nothing for a minute is cut off.

use crate::http::body;
use crate::http::problem::{Problem, ProblemKind};
use crate::pipeline::Refusal;
use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Lines that are handed on together; enough for a group commit to pay.
const CHUNK_LINES: usize = 512;
/// Chunks that are worked on at the same time, so that reading goes on during a commit.
const CHUNKS_IN_FLIGHT: usize = 3;
/// Chunks of answers that wait for a slow reader, about 64 KiB each.
const CHUNKS_WAITING: usize = 256;
/// How long a caller may read nothing.
const STALL_LIMIT: Duration = Duration::from_secs(60);
/// The longest line, in bytes.
const LINE_LIMIT: usize = body::BODY_LIMIT;

/// The media type of a batch.
pub const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// What is done with the lines of one kind of batch.
pub trait Batch: Send + Sync + 'static {
    /// What a line says.
    type Ask: DeserializeOwned + Send;
    /// What a good line is answered with.
    type Answer: Serialize + Send;
    /// The member that names a line to its sender.
    const LABEL: &'static str;

    /// The value of that member.
    fn label(ask: &Self::Ask) -> &str;

    /// Answers a chunk of lines, one answer each, in order.
    fn answer(
        &self,
        asked: Vec<Self::Ask>,
    ) -> impl Future<Output = Vec<Result<Self::Answer, Refusal>>> + Send;
}

/// Reads the batch in a request's body and streams the answers.
pub fn run<B: Batch>(batch: B, request: Request) -> Result<Response, Problem> {
    let kind = body::media_type(request.headers()).unwrap_or_default();
    if !["application/x-ndjson", "application/ndjson"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        return Err(Problem::new(
            ProblemKind::UnsupportedMediaType,
            "a batch is one JSON object a line, with Content-Type: application/x-ndjson",
        ));
    }
    let (answers, mut waiting) = mpsc::channel(CHUNKS_WAITING);
    tokio::spawn(work(Arc::new(batch), Lines::of(request.into_body()), answers));
    let mut ended = false;
    let stream = futures_util::stream::poll_fn(move |context| {
        waiting.poll_recv(context).map(|piece| match piece {
            Some(Piece::Answers(text)) => Some(Ok(text)),
            Some(Piece::End) => {
                ended = true;
                None
            }
            None if ended => None,
            // The worker is gone without a word: the caller must not take what it got for the whole.
            None => Some(Err(Cut)),
        })
    });
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(stream)).into_response())
}

#[derive(Debug, thiserror::Error)]
#[error("the batch was cut off")]
struct Cut;

enum Piece {
    Answers(Bytes),
    End,
}

async fn work<B: Batch>(batch: Arc<B>, mut lines: Lines, answers: mpsc::Sender<Piece>) {
    let mut flight = FuturesOrdered::new();
    while !lines.ended || !lines.ready.is_empty() || !flight.is_empty() {
        while !lines.ready.is_empty() && flight.len() < CHUNKS_IN_FLIGHT {
            // The first and the last lines go at once; between them, a whole chunk is gathered while others are under way.
            if lines.ready.len() < CHUNK_LINES && !flight.is_empty() && !lines.ended {
                break;
            }
            flight.push_back(answer(Arc::clone(&batch), lines.take()));
        }
        tokio::select! {
            read = lines.read(), if !lines.ended && lines.ready.len() < CHUNK_LINES => {
                if read.is_err() {
                    return;
                }
            }
            Some(text) = flight.next() => {
                if !delivered(&answers, Piece::Answers(text)).await {
                    return;
                }
            }
            else => {}
        }
    }
    delivered(&answers, Piece::End).await;
}

async fn delivered(answers: &mpsc::Sender<Piece>, piece: Piece) -> bool {
    matches!(tokio::time::timeout(STALL_LIMIT, answers.send(piece)).await, Ok(Ok(())))
}

/// Answers one chunk, as text.
async fn answer<B: Batch>(batch: Arc<B>, chunk: Vec<Line>) -> Bytes {
    let mut asked = Vec::with_capacity(chunk.len());
    let mut slots = Vec::with_capacity(chunk.len());
    for line in chunk {
        let read = match &line.text {
            Some(text) => body::parse::<B::Ask>(text),
            None => Err(Problem::new(
                ProblemKind::TooLarge,
                format!("a line may have at most {LINE_LIMIT} bytes"),
            )),
        };
        match read {
            Ok(ask) => {
                slots.push(Slot { line: line.number, label: Some(B::label(&ask).to_owned()), problem: None });
                asked.push(ask);
            }
            Err(problem) => {
                let label = line.text.as_deref().and_then(|text| label_in(text, B::LABEL));
                slots.push(Slot { line: line.number, label, problem: Some(problem) });
            }
        }
    }
    let mut answers = batch.answer(asked).await.into_iter();
    let mut text = Vec::with_capacity(slots.len() * 128);
    for slot in slots {
        let answer = match slot.problem {
            Some(problem) => Err(problem),
            None => answers.next().unwrap_or(Err(Refusal::Unavailable)).map_err(Problem::from),
        };
        let written = match &answer {
            Ok(answer) => serde_json::to_writer(&mut text, answer),
            Err(problem) => serde_json::to_writer(
                &mut text,
                &Bad { line: slot.line, name: B::LABEL, label: slot.label.as_deref(), problem },
            ),
        };
        // Writing to memory fails only where a value has no JSON form, which none of ours lacks.
        debug_assert!(written.is_ok());
        text.push(b'\n');
    }
    Bytes::from(text)
}

/// The place of one line in the answer.
struct Slot {
    line: u64,
    label: Option<String>,
    problem: Option<Problem>,
}

/// What a bad line is answered with.
struct Bad<'a> {
    line: u64,
    name: &'static str,
    label: Option<&'a str>,
    problem: &'a Problem,
}

impl Serialize for Bad<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut bad = serializer.serialize_map(Some(3))?;
        bad.serialize_entry("line", &self.line)?;
        bad.serialize_entry(self.name, &self.label)?;
        bad.serialize_entry("problem", self.problem)?;
        bad.end()
    }
}

/// The label of a line that cannot be read as a whole.
fn label_in(text: &[u8], name: &str) -> Option<String> {
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(text).ok()?;
    members.get(name)?.as_str().map(str::to_owned)
}

/// One line of a batch; no text where it is too long.
struct Line {
    number: u64,
    text: Option<Bytes>,
}

/// The lines of a body, as they come in.
struct Lines {
    body: BodyDataStream,
    carry: BytesMut,
    /// How far `carry` is known to hold no line end.
    searched: usize,
    /// Within a line that is too long, up to its end.
    skipping: bool,
    number: u64,
    ready: VecDeque<Line>,
    ended: bool,
}

impl Lines {
    fn of(body: Body) -> Self {
        Self {
            body: body.into_data_stream(),
            carry: BytesMut::new(),
            searched: 0,
            skipping: false,
            number: 0,
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// Reads one more piece of the body. Nothing is lost if it is dropped.
    async fn read(&mut self) -> Result<(), Cut> {
        match self.body.next().await {
            Some(Ok(frame)) => self.feed(&frame),
            Some(Err(_)) => return Err(Cut),
            None => self.finish(),
        }
        Ok(())
    }

    /// The next lines, at most a chunk.
    fn take(&mut self) -> Vec<Line> {
        self.ready.drain(..self.ready.len().min(CHUNK_LINES)).collect()
    }

    fn feed(&mut self, frame: &[u8]) {
        self.carry.extend_from_slice(frame);
        while let Some(end) = self.carry[self.searched..].iter().position(|byte| *byte == b'\n') {
            let line = self.carry.split_to(self.searched + end).freeze();
            self.carry.advance(1);
            self.searched = 0;
            self.push(line);
        }
        self.searched = self.carry.len();
        if self.carry.len() > LINE_LIMIT {
            self.carry.clear();
            self.searched = 0;
            self.skipping = true;
        }
    }

    fn push(&mut self, line: Bytes) {
        self.number += 1;
        let number = self.number;
        if std::mem::take(&mut self.skipping) || line.len() > LINE_LIMIT {
            self.ready.push_back(Line { number, text: None });
        } else if !line.trim_ascii().is_empty() {
            self.ready.push_back(Line { number, text: Some(line) });
        }
    }

    fn finish(&mut self) {
        self.ended = true;
        if self.skipping || !self.carry.is_empty() {
            let last = self.carry.split().freeze();
            self.push(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn numbered(frames: Vec<Vec<u8>>) -> Vec<(u64, Option<usize>)> {
        let frames = frames.into_iter().map(|frame| Ok::<_, Cut>(Bytes::from(frame)));
        let mut lines = Lines::of(Body::from_stream(futures_util::stream::iter(frames)));
        let mut seen = Vec::new();
        while !lines.ended {
            lines.read().await.expect("whole");
            seen.extend(lines.take().into_iter().map(|line| (line.number, line.text.map(|text| text.len()))));
        }
        seen
    }

    #[tokio::test]
    async fn lines_survive_any_cut_into_frames() {
        let text = b"{\"a\":1}\n\n  \r\n{\"bb\":2}\r\n{\"c\":3}".to_vec();
        let whole = numbered(vec![text.clone()]).await;
        assert_eq!(whole, [(1, Some(7)), (4, Some(9)), (5, Some(7))]);
        for cut in 1..text.len() {
            assert_eq!(
                numbered(text.chunks(cut).map(<[u8]>::to_vec).collect()).await,
                whole,
                "frames of {cut}"
            );
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_takes_no_memory_and_no_neighbour() {
        let mut frames = vec![b"{}\n".to_vec()];
        frames.extend(std::iter::repeat_n(vec![b'x'; 100_000], 30));
        frames.push(b"\n{}\n".to_vec());
        assert_eq!(numbered(frames).await, [(1, Some(2)), (2, None), (3, Some(2))]);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_not_taken_for_whole() {
        let frames = futures_util::stream::iter([Ok(Bytes::from_static(b"{}\n{")), Err(Cut)]);
        let mut lines = Lines::of(Body::from_stream(frames));
        assert!(lines.read().await.is_ok() && matches!(lines.read().await, Err(Cut)));
        assert!(!lines.ended);
    }
}
