//! What the indexes on disk take over in bulk is found all the same: before, while and after they do, in this process and in the
//! next one, however the one before it ended.

use crate::conformance::{attempt_of, of_attempt, row};
use crate::crash::{FOLDER, killed_writer};
use crate::events::{at, attempt, attempt_sent, attempt_started, inbound, request_accepted};
use crate::fixture::{Dice, House, debtor, open_with, record, stream};
use dunwell::domain::event::{Actor, EventBody};
use dunwell::domain::id::{Pseudonym, RequestId};
use dunwell::domain::request::RequestStatus;
use dunwell::storage::{Batch, RequestFilter, RequestRow, Store, Writer};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const DEBTORS: u32 = 5;
/// Requests, and attempts.
const NUMBERS: u32 = 200;

/// What a store should find.
#[derive(Clone, Default)]
struct Known {
    /// The types of each debtor's events.
    told: BTreeMap<u32, Vec<&'static str>>,
    /// Where each request stands.
    requests: BTreeMap<RequestId, RequestRow>,
    /// Attempts by number: how often their provider named them.
    attempts: BTreeMap<u32, u32>,
    /// References, and the attempt that was named so last.
    references: BTreeMap<String, u32>,
}

/// Something that happens to a debtor, and where a request stands then.
struct News {
    debtor: u32,
    body: EventBody,
    moved: Option<RequestRow>,
}

impl Known {
    /// What is known of the first events of a story that is always the same, and how it goes on.
    fn until(events: u64) -> (Self, Arc<Dice>) {
        let (mut known, dice) = (Self::default(), Dice::new(7));
        while known.events() < events {
            known.go_on(&dice);
        }
        assert_eq!(known.events(), events, "a commit is kept whole or not at all");
        (known, dice)
    }

    fn events(&self) -> u64 {
        self.told.values().map(|told| told.len() as u64).sum()
    }

    /// The next commit.
    fn go_on(&mut self, dice: &Dice) -> Vec<News> {
        (0..1 + dice.roll() % 6).map(|_| self.hear(dice)).collect()
    }

    fn hear(&mut self, dice: &Dice) -> News {
        let number = u32::try_from(dice.roll() % u64::from(NUMBERS)).expect("small");
        let (id, status) =
            (request(number), RequestStatus::ALL[dice.roll() as usize % RequestStatus::ALL.len()]);
        let place = number % DEBTORS;
        let asked = RequestRow {
            request: id,
            request_key: key(number),
            debtor: self::debtor(place),
            ..row(3, RequestStatus::Accepted)
        };
        let (body, moved) = match dice.roll() % 4 {
            0 if !self.requests.contains_key(&id) => (request_accepted(id, "crm", key(number)), Some(asked)),
            1 if !self.attempts.contains_key(&number) => {
                self.attempts.insert(number, 0);
                (attempt_started(attempt_of(number), id, "Hello."), None)
            }
            _ => {
                let moved = self.requests.get(&id).map(|row| RequestRow { status, ..row.clone() });
                match self.attempts.get_mut(&number) {
                    // A provider that counts anew names a second attempt as it named the first.
                    Some(named) => {
                        *named += 1;
                        let reference = format!("SM{}", number % 40);
                        let sent = of_attempt(attempt_sent(attempt(), &reference), number);
                        self.references.insert(reference, number);
                        (sent, moved)
                    }
                    None => (inbound("x"), moved),
                }
            }
        };
        self.requests.extend(moved.iter().map(|row| (row.request, row.clone())));
        self.told.entry(place).or_default().push(body.type_name());
        News { debtor: place, body, moved }
    }

    fn compare(&self, store: &Store) {
        let reader = store.reader().expect("a reader");
        for (number, told) in &self.told {
            let events = reader.load(stream(*number)).expect("loads");
            assert_eq!(&events.iter().map(|event| event.body.type_name()).collect::<Vec<_>>(), told);
            let later = reader.events_of(stream(*number), 3, 2).expect("rows");
            assert_eq!(later.len(), told.len().saturating_sub(3).min(2));
            assert!(later.iter().zip(4..).all(|(row, seq)| row.seq == seq));
        }
        for number in 0..NUMBERS {
            let attempt = reader.attempt(attempt_of(number)).expect("looks");
            let open = attempt.map(|row| (row.debtor == debtor(number % DEBTORS), row.open));
            assert_eq!(open, self.attempts.get(&number).map(|named| (true, *named == 0)), "{number}");
        }
        let open: Vec<u32> =
            self.attempts.iter().filter(|(_, named)| **named == 0).map(|(id, _)| *id).collect();
        let listed = reader.open_attempts().expect("lists");
        assert_eq!(
            listed.iter().map(|row| row.attempt).collect::<Vec<_>>(),
            open.iter().map(|number| attempt_of(*number)).collect::<Vec<_>>()
        );
        for (reference, number) in &self.references {
            let found = reader.provider_ref("sms/sandbox", reference).expect("looks").expect("known");
            assert_eq!(found.attempt, attempt_of(*number), "{reference}");
        }
        for row in self.requests.values() {
            assert_eq!(reader.request_by_key(row.request_key).expect("looks").as_ref(), Some(row));
        }
        let all = RequestFilter { limit: 1_000, ..RequestFilter::default() };
        assert!(reader.requests(&all).expect("a page").items.iter().eq(self.requests.values()));
    }
}

fn request(number: u32) -> RequestId {
    RequestId::new(at(i64::from(number)), &[9; 10])
}

fn key(number: u32) -> Pseudonym {
    let mut bytes = [0xac; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Pseudonym::from_bytes(bytes)
}

fn write<'w>(writer: &'w mut Writer, news: Vec<News>) -> Batch<'w> {
    let mut batch = writer.begin().expect("begins");
    for News { debtor, body, moved } in news {
        let mut chain = batch.chain(stream(debtor)).expect("a chain");
        batch.append(&mut chain, at(0), &Actor::Gateway, &body).expect("appends");
        moved.into_iter().for_each(|row| batch.put_request(row));
    }
    batch
}

#[test]
fn everything_is_found_while_the_indexes_take_it_over() {
    for bulk in [8, 24, 64] {
        let house = House::embedded().with_bulk(bulk);
        let (mut known, dice) = Known::until(0);
        let chance = Dice::new(bulk as u64);
        for _ in 0..4 {
            let store = house.open();
            let mut writer = store.writer().expect("the door");
            for _ in 0..chance.roll() % 40 {
                if chance.roll().is_multiple_of(8) {
                    let other = Dice::new(chance.roll());
                    drop(write(&mut writer, known.clone().go_on(&other)));
                }
                write(&mut writer, known.go_on(&dice)).commit().expect("commits");
                if chance.roll().is_multiple_of(32) {
                    writer.settle().expect("settles");
                }
                known.compare(&store);
            }
        }
        known.compare(&house.open());
    }
}

/// Nor is anything lost, or found as it was before, where the process is killed while they do.
#[test]
fn what_is_being_taken_over_survives_sigkill() {
    const BULK: usize = 32;
    if let Ok(folder) = std::env::var(FOLDER) {
        let store = open_with(Path::new(&folder), BULK, 1).expect("opens");
        let mut writer = store.writer().expect("the door");
        let (mut known, dice) = Known::until(writer.log_size());
        loop {
            write(&mut writer, known.go_on(&dice)).commit().expect("commits");
            println!("ack:leaves {};", writer.log_size());
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    for seed in 1..=12 {
        let told = killed_writer("bulk::what_is_being_taken_over_survives_sigkill", folder.path(), seed);
        let told = told.last().and_then(|line| line.strip_prefix("leaves ")).expect("it wrote");
        let store = open_with(folder.path(), BULK, seed).expect("opens");
        let size = store.writer().expect("the lock died with its process").log_size();
        assert!(size >= told.parse().expect("a count"));
        Known::until(size).0.compare(&store);
    }
}

/// Nothing is lost however many commits move no request before one does again.
#[test]
fn a_note_outlives_those_that_are_thrown_away() {
    const FEW: u32 = 40;
    let commit = |writer: &mut Writer, number: Option<u32>| {
        let mut batch = writer.begin().expect("begins");
        let row = |number| RequestRow { request: request(number), ..row(3, RequestStatus::Accepted) };
        number.into_iter().for_each(|number| batch.put_request(row(number)));
        batch.commit().expect("commits");
    };
    for pause in 0..16 {
        let house = House::embedded().with_bulk(FEW as usize);
        let store = house.open();
        let mut writer = store.writer().expect("the door");
        (0..FEW).for_each(|number| commit(&mut writer, Some(number)));
        (0..pause).for_each(|_| commit(&mut writer, None));
        (FEW..FEW + 4).for_each(|number| commit(&mut writer, Some(number)));
        let reader = house.open().reader().expect("a reader");
        for number in 0..FEW + 4 {
            assert!(reader.request(request(number)).expect("looks").is_some(), "{number} after {pause}");
        }
    }
}

/// Processes that were all killed before they had taken everything over leave it to the next one.
#[test]
fn what_many_processes_left_is_taken_over_at_the_start() {
    let house = House::embedded().with_bulk(30);
    for number in 0..60 {
        let store = house.open();
        let mut writer = store.writer().expect("the door");
        record(&mut writer, stream(1), &[inbound("x")]);
        assert_eq!(writer.log_size(), number + 1);
    }
    let count = |sql: &str| -> i64 { house.by_hand().query_row(sql, [], |row| row.get(0)).expect("counts") };
    assert_eq!(count("SELECT leaf FROM indexed"), 0);
    drop(house.open().writer().expect("the door"));
    assert_eq!(count("SELECT leaf FROM indexed"), 60);
}

/// Before the memory of what moved grows large the table has it, and its notes are gone.
#[test]
fn requests_are_taken_over_once_they_are_many() {
    const MANY: u32 = 100;
    let house = House::embedded().with_bulk(MANY as usize);
    let store = house.open();
    let mut writer = store.writer().expect("the door");
    let numbered = |number: u32, status| RequestRow { request: request(number), ..row(3, status) };
    let mut commit = |rows: &[RequestRow]| {
        let mut batch = writer.begin().expect("begins");
        rows.iter().for_each(|row| batch.put_request(row.clone()));
        batch.commit().expect("commits");
    };
    (0..MANY).for_each(|number| commit(&[numbered(number, RequestStatus::Accepted)]));
    let by_hand = house.by_hand();
    let count = |sql: &str| -> u32 { by_hand.query_row(sql, [], |row| row.get(0)).expect("counts") };
    assert_eq!(count("SELECT count(*) FROM requests"), 0);
    // While it takes them over, one moves on that it has already, and one that it has not.
    commit(&[]);
    let began = count("SELECT count(*) FROM requests");
    assert!((1..MANY).contains(&began), "{began}");
    let moved = [numbered(0, RequestStatus::Sent), numbered(MANY - 1, RequestStatus::Cancelled)];
    commit(&moved);
    (0..40).for_each(|_| commit(&[]));
    assert_eq!(count("SELECT count(*) FROM requests"), MANY);
    assert_eq!(count("SELECT count(*) FROM requests WHERE status = 'accepted'"), MANY);
    assert_eq!(count("SELECT count(*) FROM moved"), 1, "what moved since");
    for store in [&store, &house.open()] {
        let reader = store.reader().expect("a reader");
        for row in &moved {
            assert_eq!(reader.request(row.request).expect("looks").as_ref(), Some(row));
        }
    }
    writer.settle().expect("settles");
    assert_eq!(count("SELECT count(*) FROM moved"), 0);
    assert_eq!(count("SELECT count(*) FROM requests WHERE status = 'accepted'"), MANY - 2);
}
