//! What the indexes on disk take over in bulk is found all the same: before, while and after they do, in this process and in the
//! next one, however the one before it ended.

use crate::conformance::{attempt_of, of_attempt, row};
use crate::events::{at, attempt, attempt_sent, attempt_started, inbound, request_accepted};
use crate::fixture::{Dice, House, debtor, stream};
use dunwell::domain::event::Actor;
use dunwell::domain::id::{Pseudonym, RequestId};
use dunwell::domain::request::RequestStatus;
use dunwell::storage::{Batch, RequestRow, Store};
use std::collections::BTreeMap;

const DEBTORS: u32 = 5;

/// What a store should find.
#[derive(Clone, Default)]
struct Known {
    /// The types of each debtor's events.
    told: BTreeMap<u32, Vec<&'static str>>,
    accepted: Vec<u32>,
    /// Attempts by number: how often their provider named them.
    attempts: BTreeMap<u32, u32>,
    /// References, and the attempt that was named so last.
    references: BTreeMap<String, u32>,
}

impl Known {
    /// Something happens, and the store hears of it.
    fn go_on(&mut self, batch: &mut Batch<'_>, dice: &Dice) {
        let number = u32::try_from(dice.roll() % 200).expect("small");
        let body = match dice.roll() % 4 {
            0 if !self.accepted.contains(&number) => {
                self.accepted.push(number);
                request_accepted(request(number), "crm", key(number))
            }
            1 if !self.attempts.contains_key(&number) => {
                self.attempts.insert(number, 0);
                attempt_started(attempt_of(number), request(number), "Hello.")
            }
            _ => match self.attempts.get_mut(&number) {
                // A provider that counts anew names a second attempt as it named the first.
                Some(named) => {
                    *named += 1;
                    let reference = format!("SM{}", number % 40);
                    let sent = of_attempt(attempt_sent(attempt(), &reference), number);
                    self.references.insert(reference, number);
                    sent
                }
                None => inbound("x"),
            },
        };
        self.told.entry(number % DEBTORS).or_default().push(body.type_name());
        let mut chain = batch.chain(stream(number % DEBTORS)).expect("a chain");
        batch.append(&mut chain, at(i64::from(number)), &Actor::Gateway, &body).expect("appends");
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
        for number in 0..200 {
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

#[test]
fn everything_is_found_while_the_indexes_take_it_over() {
    for seed in 0..6 {
        let house = House::embedded().with_bulk([8, 24, 64][seed as usize % 3]);
        let dice = Dice::new(seed);
        let mut known = Known::default();
        for _ in 0..3 {
            let store = house.open();
            let mut writer = store.writer().expect("the door");
            for _ in 0..dice.roll() % 40 {
                let mut next = known.clone();
                let mut batch = writer.begin().expect("begins");
                (0..dice.roll() % 6).for_each(|_| next.go_on(&mut batch, &dice));
                if dice.roll().is_multiple_of(8) {
                    drop(batch);
                } else {
                    batch.commit().expect("commits");
                    known = next;
                }
                if dice.roll().is_multiple_of(32) {
                    writer.settle().expect("settles");
                }
                known.compare(&store);
            }
        }
        known.compare(&house.open());
    }
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
