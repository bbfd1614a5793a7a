//! What a connection does while one of its ends stalls, over a pipe whose far end the test holds.

use crate::channel::Gate;
use crate::channel::smpp::Taker;
use crate::channel::smpp::link::{Link, Part};
use crate::channel::smpp::session::Session;
use crate::channel::smpp::wire::{self, Frames, Writer};
use crate::domain::fault::SourceFile;
use crate::domain::outcome::{FailureClass, Outcome};
use crate::provider::callback::CallbackEvent;
use crate::provider::manifest::Manifest;
use crate::provider::smpp::pdu::{Address, Body, Pdu, ShortMessage};
use crate::provider::smpp::plan::Plan;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};

/// Far longer than anything takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A bound connection and the centre at its far end, with room for so many octets between them.
struct Bound {
    session: Arc<Session>,
    frames: Frames,
    heard: Frames,
    says: Writer,
    _link: Arc<Link>,
}

fn bound(room: usize, enquire_link: &str, taker: Taker) -> Bound {
    bound_over(link(enquire_link, taker), room)
}

fn link(enquire_link: &str, taker: Taker) -> Arc<Link> {
    let text = include_str!("../../../providers/sms/smpp/manifest.toml").to_owned();
    let file = SourceFile { path: "sms/smpp/manifest.toml".to_owned(), text };
    let manifest = Arc::new(Manifest::read(&file).expect("a manifest"));
    let given = [
        ("host", "127.0.0.1"),
        ("tls", "none"),
        ("system_id", "gw"),
        ("password", "pw"),
        ("from", "+15005550006"),
        ("enquire_link", enquire_link),
    ];
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let settings = manifest.settings(&given, "test").expect("settings");
    let link = Arc::new(Link::new(Plan::new(&manifest, &settings).expect("a plan")).expect("a link"));
    link.listen(taker);
    link
}

/// One more connection, over the same link.
fn bound_over(link: Arc<Link>, room: usize) -> Bound {
    let (near, far) = tokio::io::duplex(room);
    let (frames, writer) = wire::halves(Box::new(near));
    let (heard, says) = wire::halves(Box::new(far));
    let session = Session::new(&link, writer);
    Bound { session, frames, heard, says, _link: link }
}

/// Takes everything at once.
fn taker() -> Taker {
    Arc::new(|_| Box::pin(async { true }))
}

fn message(words: &str) -> ShortMessage {
    let source = Address { ton: 1, npi: 1, value: "13055550117".to_owned() };
    ShortMessage { source, short_message: words.as_bytes().to_vec(), ..ShortMessage::default() }
}

fn part(last: bool) -> Part {
    let attempt = "att_0198c0de000070008000000000000017".parse().expect("an id");
    Part { message: message(&"0123456789".repeat(14)), attempt, last }
}

async fn next(frames: &mut Frames) -> Option<Pdu> {
    let frame = timeout(PATIENCE, frames.next()).await.expect("something happens").ok().flatten();
    frame.map(|frame| Pdu::read(&frame).expect("a unit"))
}

fn class(outcome: &Outcome) -> FailureClass {
    match outcome {
        Outcome::Failed(failure) => failure.class,
        Outcome::Accepted { .. } => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn a_part_that_waited_too_long_never_leaves() {
    let Bound { session, mut heard, .. } = bound(64, "60", taker());
    let gate = Arc::new(Gate::open());
    let soon = Instant::now() + Duration::from_millis(100);
    // The first one fills the pipe. The second waits behind it, and the gate that it asks has been opened already.
    let (first, second) =
        tokio::join!(session.submit(part(false), &gate, soon), session.submit(part(true), &gate, soon));
    assert_eq!((class(&first), class(&second)), (FailureClass::Uncertain, FailureClass::NeverLeft));
    let third = async {
        let gate = Arc::new(Gate::open());
        session.submit(part(true), &gate, Instant::now() + PATIENCE).await
    };
    let read = async { [next(&mut heard).await, next(&mut heard).await] };
    let read = tokio::select! {
        read = read => read,
        outcome = third => panic!("nobody answers: {outcome:?}"),
    };
    let [Some(first), Some(third)] = read else { panic!("the connection stands") };
    assert_eq!(third.sequence - first.sequence, 2, "the one between them was given up");
}

#[tokio::test]
async fn a_centre_that_takes_nothing_is_given_up() {
    let Bound { session, frames, mut heard, mut says, .. } = bound(64, "1", taker());
    // It asks and asks, and reads no answer.
    let asks = async {
        for sequence in 1.. {
            let _ = says.write_all(&Pdu::new(sequence, Body::EnquireLink).write()).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let why = tokio::select! {
        why = timeout(PATIENCE, Arc::clone(&session).run(frames)) => why.expect("it ends"),
        () = asks => unreachable!("it asks for ever"),
    };
    assert_eq!(why, "given_up");
    // Nothing holds the socket then, though somebody holds the session.
    while next(&mut heard).await.is_some() {}
    let never = session.submit(part(true), &Arc::new(Gate::open()), Instant::now() + PATIENCE).await;
    assert_eq!(class(&never), FailureClass::NeverLeft);
}

#[tokio::test]
async fn an_answer_does_not_wait_behind_what_somebody_wrote() {
    let (hold, held) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (holds, holding) = (Arc::clone(&hold), Arc::clone(&held));
    let slow: Taker = Arc::new(move |_| {
        let (holds, holding) = (Arc::clone(&holds), Arc::clone(&holding));
        Box::pin(async move {
            holding.add_permits(1);
            holds.acquire().await.is_ok()
        })
    });
    let Bound { session, frames, mut heard, mut says, _link } = bound(4_096, "60", slow);
    let running = tokio::spawn(Arc::clone(&session).run(frames));
    let written = Pdu::new(1, Body::Deliver(Box::new(message("STOP")))).write();
    says.write_all(&written).await.expect("written");
    let _ = timeout(PATIENCE, held.acquire()).await.expect("it is being recorded");
    let centre = async {
        let asked = next(&mut heard).await.expect("a message");
        let answer = Pdu::new(asked.sequence, Body::SubmitAnswer("m-1".to_owned()));
        says.write_all(&answer.write()).await.expect("written");
    };
    let gate = Arc::new(Gate::open());
    let (outcome, ()) = tokio::join!(session.submit(part(true), &gate, Instant::now() + PATIENCE), centre);
    assert_eq!(outcome, Outcome::Accepted { provider_ref: Some("m-1".to_owned()) });
    // It is acknowledged once it is recorded, and not before.
    hold.add_permits(1);
    let acknowledged = next(&mut heard).await.expect("an answer");
    assert_eq!((acknowledged.sequence, acknowledged.status), (1, 0));
    assert_eq!(acknowledged.body, Body::DeliverAnswer);
    drop(says);
    drop(heard);
    timeout(PATIENCE, running).await.expect("it ends").expect("it ends well");
}

#[tokio::test]
async fn what_was_recorded_and_not_answered_is_not_recorded_again() {
    let (hold, held) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (recorder, mut records) = mpsc::unbounded_channel();
    let (holds, holding) = (Arc::clone(&hold), Arc::clone(&held));
    let slow: Taker = Arc::new(move |event| {
        let (holds, holding, recorder) = (Arc::clone(&holds), Arc::clone(&holding), recorder.clone());
        Box::pin(async move {
            holding.add_permits(1);
            let CallbackEvent::Inbound(said) = event else { return false };
            holds.acquire().await.is_ok() && recorder.send(said.text).is_ok()
        })
    });
    let link = link("60", slow);
    let deliver = |sequence, words: &str| Pdu::new(sequence, Body::Deliver(Box::new(message(words)))).write();
    // The connection is lost while the first one is being recorded.
    let Bound { session, frames, heard, mut says, .. } = bound_over(Arc::clone(&link), 4_096);
    let running = tokio::spawn(Arc::clone(&session).run(frames));
    says.write_all(&deliver(1, "START")).await.expect("written");
    let _ = timeout(PATIENCE, held.acquire()).await.expect("it is being recorded");
    drop((says, heard));
    assert_eq!(timeout(PATIENCE, running).await.expect("it ends").expect("it ends well"), "hung_up");
    // The centre has it still, behind what was written since; the third is a new one.
    let Bound { session, frames, mut heard, mut says, .. } = bound_over(Arc::clone(&link), 4_096);
    let _running = tokio::spawn(session.run(frames));
    hold.add_permits(1);
    for (sequence, words) in [(7, "STOP"), (8, "START"), (9, "START")] {
        says.write_all(&deliver(sequence, words)).await.expect("written");
        let answer = next(&mut heard).await.expect("an answer");
        assert_eq!((answer.sequence, answer.status, answer.body), (sequence, 0, Body::DeliverAnswer));
    }
    let recorded: Vec<String> = std::iter::from_fn(|| records.try_recv().ok()).collect();
    assert_eq!(recorded, ["START", "STOP", "START"]);
}
