//! What every store must do, whichever database is behind it.

use crate::events::{
    account, at, attempt, attempt_sent, attempt_started, debtor_updated, inbound, permit, point, pseudonym,
    request, request_accepted, review, samples,
};
use crate::fixture::{Backend, Dice, House, debtor, record, stream};
use dunwell::domain::channel::{Channel, Priority};
use dunwell::domain::event::{
    Access, Actor, EventBody, Nothing, PauseEnd, ReplyRelease, ReviewResolution, Sealed, Stream,
};
use dunwell::domain::id::{KeyId, Pseudonym, Pseudonymiser, RequestId};
use dunwell::domain::request::RequestStatus;
use dunwell::domain::state::DebtorState;
use dunwell::domain::time::{Span, Timestamp};
use dunwell::ledger::LeafHash;
use dunwell::storage::{
    ApiKeyRow, HistoryFilter, PermitStatus, RequestFilter, RequestRow, SealedPart, StorageError, Store,
};
use std::collections::BTreeMap;

fn everywhere(check: impl Fn(&House, &Store)) {
    for backend in Backend::ALL {
        let house = House::new(*backend);
        let store = house.open();
        check(&house, &store);
    }
}

fn names(events: &[dunwell::domain::event::Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.body.type_name()).collect()
}

#[test]
fn every_event_comes_back_as_it_was_recorded() {
    everywhere(|_, store| {
        let bodies: Vec<EventBody> =
            samples().into_iter().filter(|body| !matches!(body, EventBody::DebtorErased(..))).collect();
        let mut writer = store.writer().expect("the door");
        let appended = record(&mut writer, stream(1), &bodies);
        let events = store.reader().expect("a reader").load(stream(1)).expect("loads");
        let mut batch = writer.begin().expect("begins");
        let (chain, loaded) = batch.load(stream(1)).expect("loads");
        assert_eq!((chain.seq(), chain.stream()), (bodies.len() as u64, stream(1)));
        for (index, body) in bodies.iter().enumerate() {
            let name = body.type_name();
            assert!(&events[index].body == body, "{name} read");
            assert!(&loaded[index].body == body, "{name} loaded by the writer");
            assert_eq!((events[index].at, events[index].seq), (at(0), index as u64 + 1), "{name}");
            assert_eq!(appended[index].seq, index as u64 + 1);
            assert_eq!(appended[index].leaf, index as u64);
        }
    });
}

#[test]
fn leaves_and_chains_go_on_over_batches_and_openings() {
    everywhere(|house, store| {
        let mut writer = store.writer().expect("the door");
        record(&mut writer, stream(1), &[debtor_updated("D-1", "Sample"), attempt_sent(attempt(), "a")]);
        record(&mut writer, stream(2), &[debtor_updated("D-2", "Sample")]);
        assert_eq!(writer.log_size(), 3);
        drop(writer);
        let again = house.open();
        let mut writer = again.writer().expect("the door");
        let third = record(&mut writer, stream(1), &[attempt_sent(attempt(), "b")]);
        assert_eq!((third[0].leaf, third[0].seq), (3, 3));
        let rows = again.reader().expect("a reader").events_after(None, 10).expect("rows");
        let places: Vec<_> = rows.iter().map(|row| (row.leaf, row.stream, row.seq)).collect();
        assert_eq!(places, [(0, stream(1), 1), (1, stream(1), 2), (2, stream(2), 1), (3, stream(1), 3)]);
        assert_eq!(rows[0].prev, LeafHash::ZERO);
        assert_eq!(rows[1].prev, rows[0].leaf_hash);
        assert_eq!(rows[2].prev, LeafHash::ZERO);
        assert_eq!(rows[3].prev, rows[1].leaf_hash);
        assert_eq!(rows[3].leaf_hash, third[0].leaf_hash);
    });
}

#[test]
fn a_batch_is_kept_whole_or_not_at_all() {
    everywhere(|_, store| {
        let mut writer = store.writer().expect("the door");
        record(&mut writer, stream(1), &[debtor_updated("D-1", "Sample")]);
        let mut batch = writer.begin().expect("begins");
        let mut chain = batch.chain(stream(1)).expect("a chain");
        batch.append(&mut chain, at(1), &Actor::Debtor, &inbound("in-1")).expect("appends");
        batch.put_request(row(1, RequestStatus::Accepted));
        let (seen, events) = batch.load(stream(1)).expect("loads");
        assert_eq!((seen.seq(), events.len()), (2, 2), "the batch sees its own");
        assert!(batch.request(row(1, RequestStatus::Accepted).request).expect("looks").is_some());
        let reader = store.reader().expect("a reader");
        assert_eq!(reader.log_size().expect("size"), 1, "nobody else does");
        drop(batch);
        assert_eq!(reader.load(stream(1)).expect("loads").len(), 1);
        assert!(reader.request(row(1, RequestStatus::Accepted).request).expect("looks").is_none());
        let next = record(&mut writer, stream(1), &[inbound("in-2")]);
        assert_eq!((next[0].leaf, next[0].seq), (1, 2));
        assert_eq!(names(&reader.load(stream(1)).expect("loads")), ["debtor.updated", "inbound.received"]);
    });
}

#[test]
fn a_chain_that_the_stream_has_left_behind_is_refused_and_spoils_nothing() {
    everywhere(|_, store| {
        let mut writer = store.writer().expect("the door");
        let mut batch = writer.begin().expect("begins");
        let mut first = batch.chain(stream(1)).expect("a chain");
        let mut stale = batch.chain(stream(1)).expect("a chain");
        batch.append(&mut first, at(0), &Actor::Gateway, &debtor_updated("D-1", "Sample")).expect("appends");
        let refused = batch.append(&mut stale, at(0), &Actor::Gateway, &inbound("x"));
        assert!(matches!(refused, Err(StorageError::StaleChain)), "{refused:?}");
        batch.append(&mut first, at(0), &Actor::Gateway, &inbound("y")).expect("goes on");
        batch.commit().expect("commits");
        assert_eq!(store.reader().expect("a reader").load(stream(1)).expect("loads").len(), 2);
    });
}

#[test]
fn the_log_is_listed_by_place_type_and_time() {
    everywhere(|_, store| {
        let mut writer = store.writer().expect("the door");
        let mut batch = writer.begin().expect("begins");
        for number in 0..40 {
            let mut chain = batch.chain(stream(number % 4)).expect("a chain");
            let body =
                if number % 2 == 0 { inbound(&number.to_string()) } else { debtor_updated("D", "Sample") };
            batch.append(&mut chain, at(i64::from(number) * 60), &Actor::Gateway, &body).expect("appends");
        }
        batch.commit().expect("commits");
        let reader = store.reader().expect("a reader");
        let leaves = |rows: Vec<dunwell::storage::HistoryRow>| -> Vec<u64> {
            rows.iter().map(|row| row.leaf).collect()
        };
        assert_eq!(leaves(reader.events_after(Some(37), 10).expect("rows")), [38, 39]);
        assert_eq!(leaves(reader.events_of(stream(1), 3, 2).expect("rows")), [13, 17]);
        let filter = HistoryFilter {
            types: vec!["inbound.received".into()],
            since: Some(at(600)),
            until: Some(at(1_200)),
            after: None,
            limit: 3,
        };
        let first = reader.history_page(&filter).expect("a page");
        assert_eq!(leaves(first.items), [10, 12, 14]);
        assert_eq!(first.next, Some(14));
        let second = reader.history_page(&HistoryFilter { after: first.next, ..filter }).expect("a page");
        assert_eq!((leaves(second.items), second.next), (vec![16, 18], None));
        let all = HistoryFilter { limit: 100, ..HistoryFilter::default() };
        assert_eq!(reader.history_page(&all).expect("a page").items.len(), 40);
    });
}

pub fn row(number: u8, status: RequestStatus) -> RequestRow {
    let accepted_at = at(i64::from(number));
    RequestRow {
        request: RequestId::new(accepted_at, &[number; 10]),
        request_key: pseudonym(number),
        body_digest: [number; 32],
        debtor: debtor(u32::from(number % 3)),
        status,
        channel: number.is_multiple_of(2).then_some(Channel::Email),
        campaign: number.is_multiple_of(5).then(|| pseudonym(0xca)),
        accepted_at,
        due_at: (!number.is_multiple_of(4)).then(|| at(1_000 - i64::from(number))),
        expires_at: accepted_at.plus(Span::days(7)),
        priority: Priority::Normal,
    }
}

fn listed(store: &Store, filter: &RequestFilter) -> Vec<u8> {
    let page = store.reader().expect("a reader").requests(filter).expect("a page");
    page.items.iter().map(|row| row.body_digest[0]).collect()
}

#[test]
fn requests_are_kept_found_and_listed() {
    everywhere(|_, store| {
        let mut writer = store.writer().expect("the door");
        let mut batch = writer.begin().expect("begins");
        for number in 1..=20 {
            let row = row(number, RequestStatus::Accepted);
            let mut chain = batch.chain(Stream::Debtor(row.debtor)).expect("a chain");
            let accepted = request_accepted(row.request, "crm", row.request_key);
            batch.append(&mut chain, row.accepted_at, &Actor::Gateway, &accepted).expect("appends");
            batch.put_request(row);
        }
        // Of several in one batch the last counts.
        batch.put_request(row(3, RequestStatus::Dispatching));
        batch.put_request(row(3, RequestStatus::Sent));
        assert_eq!(
            batch.request_by_key(pseudonym(3)).expect("looks"),
            Some(row(3, RequestStatus::Sent)),
            "before it is flushed"
        );
        batch.commit().expect("commits");
        let mut batch = writer.begin().expect("begins");
        assert_eq!(batch.request_by_key(pseudonym(4)).expect("looks"), Some(row(4, RequestStatus::Accepted)));
        assert_eq!(batch.request_by_key(pseudonym(99)).expect("looks"), None);
        batch.put_request(row(4, RequestStatus::Blocked));
        batch.commit().expect("commits");
        let reader = store.reader().expect("a reader");
        let fourth = row(4, RequestStatus::Blocked);
        assert_eq!(reader.request(fourth.request).expect("looks"), Some(fourth.clone()));
        assert_eq!(reader.request_by_key(pseudonym(4)).expect("looks"), Some(fourth));

        let any = RequestFilter { limit: 100, ..RequestFilter::default() };
        assert_eq!(listed(store, &any), (1..=20).collect::<Vec<u8>>());
        let page = reader.requests(&RequestFilter { limit: 7, ..any.clone() }).expect("a page");
        assert_eq!(page.next, Some(row(7, RequestStatus::Accepted).request));
        let rest = listed(store, &RequestFilter { after: page.next, ..any.clone() });
        assert_eq!(rest, (8..=20).collect::<Vec<u8>>());
        let of = |filter: RequestFilter| listed(store, &RequestFilter { limit: 100, ..filter });
        let default = RequestFilter::default;
        assert_eq!(
            of(RequestFilter { statuses: vec![RequestStatus::Sent, RequestStatus::Blocked], ..default() }),
            [3, 4]
        );
        assert_eq!(of(RequestFilter { campaign: Some(pseudonym(0xca)), ..default() }), [5, 10, 15, 20]);
        assert_eq!(
            of(RequestFilter {
                debtors: Some(vec![debtor(2), debtor(0)]),
                channel: Some(Channel::Email),
                ..default()
            }),
            [2, 6, 8, 12, 14, 18, 20]
        );
        assert_eq!(
            of(RequestFilter {
                debtors: Some(vec![debtor(0)]),
                campaign: Some(pseudonym(0xca)),
                ..default()
            }),
            [15]
        );
        assert_eq!(
            of(RequestFilter { accepted_since: Some(at(4)), accepted_until: Some(at(6)), ..default() }),
            [4, 5]
        );
        assert!(of(RequestFilter { debtors: Some(vec![]), ..default() }).is_empty());
    });
}

#[test]
fn open_requests_come_by_due_time() {
    everywhere(|_, store| {
        let mut writer = store.writer().expect("the door");
        let mut batch = writer.begin().expect("begins");
        for (number, status) in (1..).zip(RequestStatus::ALL) {
            batch.put_request(row(number, *status));
        }
        batch.commit().expect("commits");
        let mut open = Vec::new();
        store.reader().expect("a reader").open_requests(|row| open.push(row)).expect("walks");
        // Those that are open, and those that are not but have something due: all but 4 and 8, due times falling.
        let expected: Vec<RequestRow> = [10, 9, 7, 6, 5, 3, 2, 1]
            .iter()
            .map(|number| row(*number, RequestStatus::ALL[usize::from(*number) - 1]))
            .collect();
        assert_eq!(open, expected);
        let mut waiting = row(4, RequestStatus::Deferred);
        waiting.due_at = None;
        let mut batch = writer.begin().expect("begins");
        batch.put_request(waiting);
        batch.put_request(RequestRow { due_at: None, ..row(10, RequestStatus::Unknown) });
        batch.commit().expect("commits");
        let mut order = Vec::new();
        store.reader().expect("a reader").open_requests(|row| order.push(row.body_digest[0])).expect("walks");
        assert_eq!(order, [4, 9, 7, 6, 5, 3, 2, 1], "what waits for a fact comes first");
    });
}

#[test]
fn projections_follow_from_the_events() {
    everywhere(|_, store| {
        let mut writer = store.writer().expect("the door");
        let without = |body: &EventBody| {
            !matches!(
                body,
                EventBody::DebtorErased(..)
                    | EventBody::PermitUsed(..)
                    | EventBody::PermitExpired(..)
                    | EventBody::PermitReturned(..)
                    | EventBody::AttemptSent(..)
                    | EventBody::AttemptFailed(..)
                    | EventBody::AttemptUnknown(..)
                    | EventBody::AttemptAbandoned(..)
                    | EventBody::DeliveryUpdated(..)
                    | EventBody::ReplyReleased(..)
                    | EventBody::PauseLifted(..)
            )
        };
        let bodies: Vec<EventBody> = samples().into_iter().filter(without).collect();
        let before = record(&mut writer, stream(1), &bodies);
        record(&mut writer, stream(2), &[debtor_updated("D-2", "Sample")]);
        let reader = store.reader().expect("a reader");
        let both = vec![debtor(1), debtor(2)];
        assert_eq!(reader.streams_with_point(point()).expect("looks"), both);
        assert_eq!(reader.streams_with_account(account()).expect("looks"), both);
        let reported = reader.reported(pseudonym(0xe5)).expect("looks").expect("known");
        let place = bodies.iter().position(|body| body.type_name() == "contact.recorded").expect("there");
        assert_eq!((reported.debtor, reported.seq), (debtor(1), before[place].seq));
        assert_eq!(reported.body_digest, "ab".repeat(32));
        assert_eq!(reader.reported(pseudonym(1)).expect("looks"), None);
        let issued = reader.issued_permits().expect("looks");
        assert_eq!((issued.len(), issued[0].permit, issued[0].expires_at), (1, permit(), at(20)));
        assert_eq!(reader.open_reviews(10).expect("looks")[0].review, review());
        assert_eq!(reader.pauses().expect("looks")[0].name, "storm");
        let started = reader.open_attempts().expect("looks");
        assert_eq!((started.len(), started[0].attempt, started[0].request), (1, attempt(), request()));
        assert_eq!((started[0].debtor, started[0].started_at), (debtor(1), at(0)));
        let mut batch = writer.begin().expect("begins");
        assert_eq!(batch.inbound_ref("", "SM9").expect("looks"), [debtor(1)]);
        assert!(batch.inbound_ref("sms/twilio", "SM9").expect("looks").is_empty());
        assert!(batch.provider_ref("sms/sandbox", "SM0123").expect("looks").is_none());
        drop(batch);

        let ends: Vec<EventBody> = samples()
            .into_iter()
            .filter(|body| {
                matches!(
                    body,
                    EventBody::PermitUsed(..)
                        | EventBody::AttemptSent(..)
                        | EventBody::ReplyReleased(..)
                        | EventBody::PauseLifted(..)
                )
            })
            .collect();
        record(&mut writer, stream(1), &ends);
        assert!(reader.issued_permits().expect("looks").is_empty());
        assert_eq!(reader.permit(permit()).expect("looks").expect("kept").status, PermitStatus::Used);
        assert!(reader.open_reviews(10).expect("looks").is_empty());
        assert_eq!(
            reader.review(review()).expect("looks").expect("kept").resolution,
            Some(ReviewResolution::NotStop)
        );
        assert!(reader.pauses().expect("looks").is_empty());
        assert!(reader.open_attempts().expect("looks").is_empty());
        let found = reader.provider_ref("sms/sandbox", "SM0123").expect("looks").expect("known");
        assert_eq!((found.attempt, found.open), (attempt(), false));
        assert_eq!(reader.attempt(attempt()).expect("looks"), Some(found));
        assert!(reader.provider_ref("sms/other", "SM0123").expect("looks").is_none());
    });
}

#[test]
fn every_end_of_an_attempt_settles_it() {
    everywhere(|_, store| {
        let mut writer = store.writer().expect("the door");
        let ends: Vec<EventBody> = samples()
            .into_iter()
            .filter(|body| body.type_name().starts_with("attempt.") || body.type_name() == "delivery.updated")
            .filter(|body| !matches!(body, EventBody::AttemptStarted(..)))
            .collect();
        assert_eq!(ends.len(), 5);
        for (number, end) in (1..).zip(ends) {
            let name = end.type_name();
            record(&mut writer, stream(number), &[attempt_started(attempt_of(number), request(), "text")]);
            let reader = store.reader().expect("a reader");
            assert_eq!(reader.open_attempts().expect("looks").len(), 1, "{name}");
            record(&mut writer, stream(number), &[of_attempt(end, number)]);
            assert!(reader.open_attempts().expect("looks").is_empty(), "{name}");
        }
    });
}

pub fn attempt_of(number: u32) -> dunwell::domain::id::AttemptId {
    dunwell::domain::id::AttemptId::new(at(i64::from(number)), &[7; 10])
}

pub fn of_attempt(end: EventBody, number: u32) -> EventBody {
    let attempt = attempt_of(number);
    match end {
        EventBody::AttemptSent(sent, sealed) => {
            EventBody::AttemptSent(dunwell::domain::event::AttemptSent { attempt, ..sent }, sealed)
        }
        EventBody::AttemptFailed(failure, sealed) => {
            EventBody::AttemptFailed(dunwell::domain::event::AttemptFailure { attempt, ..failure }, sealed)
        }
        EventBody::AttemptUnknown(failure, sealed) => {
            EventBody::AttemptUnknown(dunwell::domain::event::AttemptFailure { attempt, ..failure }, sealed)
        }
        EventBody::AttemptAbandoned(failure, sealed) => {
            EventBody::AttemptAbandoned(dunwell::domain::event::AttemptFailure { attempt, ..failure }, sealed)
        }
        EventBody::DeliveryUpdated(update, sealed) => {
            EventBody::DeliveryUpdated(dunwell::domain::event::DeliveryUpdate { attempt, ..update }, sealed)
        }
        other => panic!("{} ends no attempt", other.type_name()),
    }
}

#[test]
fn what_was_sealed_for_an_erased_person_is_gone_and_the_rest_stands() {
    everywhere(|_, store| {
        let mut writer = store.writer().expect("the door");
        record(&mut writer, stream(1), &[debtor_updated("D-1", "Canary"), inbound("in")]);
        record(&mut writer, stream(2), &[debtor_updated("D-2", "Sample")]);
        let mut batch = writer.begin().expect("begins");
        let (mut chain, _) = batch.load(stream(1)).expect("loads");
        batch.erase(&mut chain, at(5), &Actor::Operator).expect("erases");
        batch.commit().expect("commits");
        let reader = store.reader().expect("a reader");
        let rows = reader.events_of(stream(1), 0, 10).expect("rows");
        assert!(matches!(rows[0].sealed, SealedPart::Gone));
        assert!(matches!(rows[1].sealed, SealedPart::Gone));
        assert!(matches!(rows[2].sealed, SealedPart::Absent));
        let events = reader.load(stream(1)).expect("loads");
        assert_eq!(names(&events), ["debtor.updated", "inbound.received", "debtor.erased"]);
        assert!(
            matches!(&events[0].body, EventBody::DebtorUpdated(outline, Sealed::Gone) if !outline.points.is_empty())
        );
        assert!(matches!(
            &reader.load(stream(2)).expect("loads")[0].body,
            EventBody::DebtorUpdated(_, Sealed::Open(_))
        ));
        // Loaded again: a new key, and what was sealed under the old one stays gone.
        record(&mut writer, stream(1), &[debtor_updated("D-1", "Again")]);
        let events = reader.load(stream(1)).expect("loads");
        assert!(matches!(&events[0].body, EventBody::DebtorUpdated(_, Sealed::Gone)));
        assert!(matches!(&events[3].body, EventBody::DebtorUpdated(_, Sealed::Open(_))));
    });
}

#[test]
fn erased_and_loaded_again_in_one_batch() {
    everywhere(|house, store| {
        let mut writer = store.writer().expect("the door");
        record(&mut writer, stream(1), &[debtor_updated("D-1", "Before")]);
        let mut batch = writer.begin().expect("begins");
        let mut chain = batch.chain(stream(1)).expect("a chain");
        batch.append(&mut chain, at(1), &Actor::Gateway, &inbound("before")).expect("appends");
        batch
            .append(&mut chain, at(1), &Actor::Gateway, &EventBody::DebtorErased(Nothing {}, Sealed::Gone))
            .expect("appends");
        batch.append(&mut chain, at(1), &Actor::Gateway, &inbound("after")).expect("appends");
        let mut fresh = batch.chain(stream(2)).expect("a chain");
        batch.append(&mut fresh, at(1), &Actor::Gateway, &inbound("unborn")).expect("appends");
        batch.erase(&mut fresh, at(1), &Actor::Gateway).expect("erases");
        batch.commit().expect("commits");
        drop(writer);
        let open = |number: u32| -> Vec<bool> {
            let rows =
                house.open().reader().expect("a reader").events_of(stream(number), 0, 9).expect("rows");
            rows.iter().map(|row| matches!(row.sealed, SealedPart::Open(_))).collect()
        };
        assert_eq!(open(1), [false, false, false, true]);
        assert_eq!(open(2), [false, false]);
    });
}

#[test]
fn nothing_to_hide_is_not_sealed() {
    everywhere(|_, store| {
        let mut writer = store.writer().expect("the door");
        let bodies = [
            EventBody::AccessRecorded(Access { subject: "x".into() }, Sealed::from(Nothing {})),
            EventBody::PauseLifted(PauseEnd { name: "x".into() }, Sealed::Gone),
        ];
        record(&mut writer, Stream::Installation, &bodies);
        let rows = store.reader().expect("a reader").events_of(Stream::Installation, 0, 9).expect("rows");
        assert!(rows.iter().all(|row| matches!(row.sealed, SealedPart::Absent)));
        assert_eq!(rows[0].event().expect("an event").body.type_name(), "access.recorded");
    });
}

#[test]
fn an_event_without_canonical_form_is_refused_and_spoils_nothing() {
    everywhere(|_, store| {
        let Some(EventBody::DecisionMade(mut record, _)) =
            samples().into_iter().find(|body| body.type_name() == "decision.made")
        else {
            panic!("a decision among the samples")
        };
        record.decision.findings[0].facts.insert("share".into(), serde_json::json!(0.5));
        let mut writer = store.writer().expect("the door");
        let mut batch = writer.begin().expect("begins");
        let mut chain = batch.chain(stream(1)).expect("a chain");
        let fraction = EventBody::DecisionMade(record.clone(), Sealed::Gone);
        let refused = batch.append(&mut chain, at(0), &Actor::Gateway, &fraction);
        assert!(matches!(refused, Err(StorageError::Form { type_name: "decision.made", .. })), "{refused:?}");
        record.decision.findings[0].facts.insert("share".into(), serde_json::json!({"b": 1, "a": 2}));
        let whole = EventBody::DecisionMade(record, Sealed::Gone);
        assert_eq!(batch.append(&mut chain, at(0), &Actor::Gateway, &whole).expect("appends").seq, 1);
        batch.commit().expect("commits");
    });
}

#[test]
fn api_keys_are_kept_listed_and_revoked_while_a_writer_lives() {
    everywhere(|_, store| {
        let _writer = store.writer().expect("the door");
        let key = |number: u8| ApiKeyRow {
            id: KeyId::new(at(i64::from(number)), &[number; 10]),
            hash: [number; 32],
            role: "upstream".into(),
            name: format!("CRM {number}"),
            created_at: at(0),
            revoked_at: None,
        };
        store.put_api_key(&key(2)).expect("kept");
        store.put_api_key(&key(1)).expect("kept");
        let reader = store.reader().expect("a reader");
        assert_eq!(reader.api_keys().expect("listed"), [key(1), key(2)]);
        assert!(store.revoke_api_key(key(1).id, at(9)).expect("revoked"));
        assert!(!store.revoke_api_key(key(1).id, at(10)).expect("once"));
        let revoked = reader.api_key(&[1; 32]).expect("looks").expect("kept");
        assert_eq!(revoked.revoked_at, Some(at(9)));
        assert_eq!(reader.api_key(&[3; 32]).expect("looks"), None);
    });
}

#[test]
fn callbacks_that_count_once_are_kept_as_long_as_they_would_be_believed() {
    everywhere(|house, store| {
        let signed = |number: u8| Pseudonym::from_bytes([number; 16]);
        let keep = |number: u8, until: i64, now: i64| {
            let mut writer = house.open().writer().expect("the door");
            let mut batch = writer.begin().expect("begins");
            batch.keep_callback(signed(number), at(until), at(now)).expect("kept");
            batch.commit().expect("commits");
        };
        let kept = || {
            let reader = store.reader().expect("a reader");
            [1, 2, 3].map(|number| reader.has_callback(signed(number)).expect("looks"))
        };
        keep(1, 10, 0);
        keep(2, 30, 10);
        assert_eq!(kept(), [true, true, false]);
        keep(3, 40, 11);
        assert_eq!(kept(), [false, true, true]);
    });
}

#[test]
fn pseudonyms_are_the_same_after_opening_again_and_other_in_another_store() {
    everywhere(|house, store| {
        let before: Pseudonym = store.pseudonymiser().pseudonym("debtor", "D-1");
        assert_eq!(house.open().pseudonymiser().pseudonym("debtor", "D-1"), before);
        let other = House::embedded();
        let seeded = crate::fixture::open_at(other.path(), 2).expect("opens");
        assert_ne!(seeded.pseudonymiser().pseudonym("debtor", "D-1"), before);
    });
}

#[test]
fn readers_read_on_while_the_writer_writes() {
    everywhere(|_, store| {
        let mut writer = store.writer().expect("the door");
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..6)
                .map(|_| {
                    let store = store.clone();
                    scope.spawn(move || {
                        let mut seen = 0;
                        while seen < 200 {
                            let reader = store.reader().expect("a reader");
                            let rows = reader.events_after(None, 1_000).expect("rows");
                            assert!(rows.len() >= seen, "the log never shrinks");
                            assert!(rows.len().is_multiple_of(4), "batches are seen whole");
                            assert!(rows.iter().all(|row| matches!(row.sealed, SealedPart::Open(_))));
                            seen = rows.len();
                        }
                    })
                })
                .collect();
            for number in 0..50 {
                let bodies = [inbound("a"), inbound("b"), inbound("c"), inbound("d")];
                record(&mut writer, stream(number), &bodies);
                if number % 10 == 0 {
                    store.checkpoint().expect("moves the log");
                }
            }
            for reader in readers {
                reader.join().expect("reads");
            }
        });
    });
}

/// Where a request stands, as far as these tests need it: the pipeline has the real fold.
fn fold(debtor: dunwell::domain::id::DebtorKey, events: &[dunwell::domain::event::Event]) -> Vec<RequestRow> {
    let mut rows: Vec<RequestRow> = Vec::new();
    for event in events {
        match &event.body {
            EventBody::RequestAccepted(order, _) => rows.push(RequestRow {
                request: order.request,
                request_key: order.request_key,
                body_digest: [0xcd; 32],
                debtor,
                status: RequestStatus::Accepted,
                channel: None,
                campaign: order.campaign,
                accepted_at: event.at,
                due_at: order.not_before,
                expires_at: order.expires_at,
                priority: order.priority,
            }),
            EventBody::RequestCancelled(end, _) => {
                rows.iter_mut()
                    .filter(|row| row.request == end.request)
                    .for_each(|row| row.status = RequestStatus::Cancelled);
            }
            _ => {}
        }
    }
    rows
}

#[test]
fn a_rebuilt_store_equals_the_one_that_grew() {
    let house = House::embedded();
    let store = house.open();
    let mut writer = store.writer().expect("the door");
    for number in 0..5_u8 {
        let id = RequestId::new(at(i64::from(number)), &[number; 10]);
        let own: Vec<EventBody> = samples()
            .into_iter()
            .filter(|body| {
                number == 0 || matches!(body, EventBody::DebtorUpdated(..) | EventBody::HoldPlaced(..))
            })
            .filter(|body| !matches!(body, EventBody::RequestAccepted(..) | EventBody::DebtorErased(..)))
            .chain([request_accepted(id, "crm-1", pseudonym(number + 1))])
            .collect();
        record(&mut writer, stream(u32::from(number)), &own);
        let mut batch = writer.begin().expect("begins");
        let (mut chain, events) = batch.load(stream(u32::from(number))).expect("loads");
        fold(debtor(u32::from(number)), &events).into_iter().for_each(|row| batch.put_request(row));
        if number == 3 {
            batch.erase(&mut chain, at(1), &Actor::Operator).expect("erases");
        }
        batch.commit().expect("commits");
    }
    record(
        &mut writer,
        Stream::Installation,
        &[EventBody::AccessRecorded(Access { subject: "x".into() }, Sealed::Gone)],
    );
    writer.settle().expect("settles");
    let grown = projections(&house);
    assert!(
        grown.iter().all(|(table, rows)| !rows.is_empty() || ["pauses", "moved"].contains(table)),
        "{grown:?}"
    );
    house
        .by_hand()
        .execute_batch(
            "DELETE FROM points; DELETE FROM requests; UPDATE attempts SET open = 1; DELETE FROM erasures;
             DELETE FROM stream_index; DELETE FROM request_keys; DELETE FROM provider_refs",
        )
        .expect("projections may be changed");
    assert_ne!(projections(&house), grown);
    writer.rebuild(fold).expect("rebuilds");
    assert_eq!(projections(&house), grown);
    let rows = store.reader().expect("a reader").events_of(stream(3), 0, 99).expect("rows");
    assert!(matches!(rows[0].sealed, SealedPart::Gone));
}

type Table = (&'static str, Vec<String>);

fn projections(house: &House) -> Vec<Table> {
    let connection = house.by_hand();
    let tables = [
        "stream_index",
        "request_keys",
        "requests",
        "moved",
        "points",
        "accounts",
        "attempts",
        "provider_refs",
        "inbound_refs",
        "reported",
        "permits",
        "reviews",
        "pauses",
        "erasures",
    ];
    let all: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0))
        .expect("counts");
    assert_eq!(
        all as usize,
        tables.len() + 8,
        "a new table belongs here, or is events, indexed, meta, api_keys, webhooks, webhook_backlog, callbacks_taken or migrations"
    );
    let dump = |table: &'static str| -> Table {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).expect("prepares");
        let columns = statement.column_count();
        let rows = statement
            .query_map([], |row| {
                (0..columns)
                    .map(|column| {
                        row.get::<_, rusqlite::types::Value>(column).map(|value| format!("{value:?}"))
                    })
                    .collect::<Result<Vec<_>, _>>()
                    .map(|values| values.join(" "))
            })
            .expect("reads");
        (table, rows.collect::<Result<_, _>>().expect("rows"))
    };
    tables.into_iter().map(dump).collect()
}

#[test]
fn instants_before_1970_are_kept() {
    everywhere(|_, store| {
        let early = Timestamp::from_millis(-1);
        let mut writer = store.writer().expect("the door");
        let mut batch = writer.begin().expect("begins");
        let mut chain = batch.chain(stream(1)).expect("a chain");
        batch.append(&mut chain, early, &Actor::Debtor, &inbound("x")).expect("appends");
        batch.commit().expect("commits");
        let events = store.reader().expect("a reader").load(stream(1)).expect("loads");
        assert_eq!((events[0].at, &events[0].actor), (early, &Actor::Debtor));
        // A release of a review that nobody opened changes nothing.
        let release = ReplyRelease { resolution: ReviewResolution::Stop, review: review() };
        record(&mut writer, stream(1), &[EventBody::ReplyReleased(release, Sealed::Gone)]);
        assert_eq!(store.reader().expect("a reader").review(review()).expect("looks"), None);
    });
}

/// Lists are the same whether a row stands in the table, has moved since, or both.
#[test]
fn requests_are_listed_alike_whether_or_not_the_table_has_them() {
    for seed in 0..24 {
        let house = House::embedded().with_bulk([3, 9, usize::MAX][seed as usize % 3]);
        let dice = Dice::new(seed);
        let mut known: BTreeMap<RequestId, RequestRow> = BTreeMap::new();
        for _ in 0..3 {
            let store = house.open();
            let mut writer = store.writer().expect("the door");
            for _ in 0..1 + dice.roll() % 12 {
                let mut batch = writer.begin().expect("begins");
                let given_up = dice.roll().is_multiple_of(5);
                for _ in 0..1 + dice.roll() % 4 {
                    let number = u8::try_from(1 + dice.roll() % 30).expect("small");
                    let status = RequestStatus::ALL[dice.roll() as usize % RequestStatus::ALL.len()];
                    let row = row(number, status);
                    if !known.contains_key(&row.request) {
                        let mut chain = batch.chain(Stream::Debtor(row.debtor)).expect("a chain");
                        let accepted = request_accepted(row.request, "crm", row.request_key);
                        batch
                            .append(&mut chain, row.accepted_at, &Actor::Gateway, &accepted)
                            .expect("appends");
                    }
                    batch.put_request(row.clone());
                    if !given_up {
                        known.insert(row.request, row);
                    }
                }
                if given_up {
                    drop(batch);
                } else {
                    batch.commit().expect("commits");
                }
                if dice.roll().is_multiple_of(4) {
                    writer.settle().expect("settles");
                }
                compare(&store, &known);
            }
        }
        compare(&house.open(), &known);
    }
}

fn compare(store: &Store, known: &BTreeMap<RequestId, RequestRow>) {
    let reader = store.reader().expect("a reader");
    let any = RequestFilter { limit: 100, ..RequestFilter::default() };
    let filters = [
        any.clone(),
        RequestFilter { limit: 3, ..any.clone() },
        RequestFilter {
            statuses: vec![RequestStatus::Sent, RequestStatus::Accepted],
            limit: 2,
            ..any.clone()
        },
        RequestFilter { channel: Some(Channel::Email), ..any.clone() },
        RequestFilter { campaign: Some(pseudonym(0xca)), limit: 2, ..any.clone() },
        RequestFilter { debtors: Some(vec![debtor(1), debtor(2)]), limit: 4, ..any.clone() },
        RequestFilter { accepted_since: Some(at(5)), accepted_until: Some(at(20)), ..any.clone() },
        RequestFilter { after: known.keys().nth(2).copied(), limit: 4, ..any },
    ];
    for filter in &filters {
        let passes = |row: &&RequestRow| {
            (filter.statuses.is_empty() || filter.statuses.contains(&row.status))
                && filter.channel.is_none_or(|channel| row.channel == Some(channel))
                && filter.campaign.is_none_or(|campaign| row.campaign == Some(campaign))
                && filter.debtors.as_ref().is_none_or(|debtors| debtors.contains(&row.debtor))
                && filter.accepted_since.is_none_or(|since| row.accepted_at >= since)
                && filter.accepted_until.is_none_or(|until| row.accepted_at < until)
                && filter.after.is_none_or(|after| row.request > after)
        };
        let expected: Vec<&RequestRow> = known.values().filter(passes).collect();
        let page = reader.requests(filter).expect("a page");
        let listed: Vec<&RequestRow> = page.items.iter().collect();
        assert_eq!(listed, expected[..expected.len().min(filter.limit)], "{filter:?}");
        let next = expected.get(filter.limit.wrapping_sub(1)).filter(|_| expected.len() > filter.limit);
        assert_eq!(page.next, next.map(|row| row.request), "{filter:?}");
    }
    for (id, row) in known {
        assert_eq!(reader.request(*id).expect("looks").as_ref(), Some(row));
    }
    let mut open: Vec<&RequestRow> =
        known.values().filter(|row| row.status.is_open() || row.due_at.is_some()).collect();
    open.sort_by_key(|row| (row.due_at, row.request));
    let mut walked = Vec::new();
    reader.open_requests(|row| walked.push(row)).expect("walks");
    assert_eq!(walked.iter().collect::<Vec<_>>(), open);
}

/// A state needs few words; what it keeps of a history is the same whether the others were opened or not.
#[test]
fn a_history_is_folded_alike_without_the_words_that_no_state_keeps() {
    everywhere(|_, store| {
        let mut writer = store.writer().expect("the door");
        let told: Vec<EventBody> =
            samples().into_iter().filter(|body| !matches!(body, EventBody::DebtorErased(..))).collect();
        record(&mut writer, stream(1), &told);
        let mut batch = writer.begin().expect("begins");
        let (_, all) = batch.load(stream(1)).expect("loads");
        let (_, few) = batch.load_for_state(stream(1)).expect("loads");
        assert!(few.iter().any(|event| event.body.sealed_json().expect("JSON").is_none()));
        for (all, few) in all.iter().zip(&few) {
            assert_eq!(all.body.clear_json().expect("JSON"), few.body.clear_json().expect("JSON"));
        }
        let folded = |events| {
            let mut state = DebtorState::fold(events);
            state.forget_words();
            state
        };
        let (all, few) = (folded(all), folded(few));
        assert_eq!(all.debtor_id, few.debtor_id);
        assert!(all.file.is_some() && all.file == few.file);
        for (all, few) in all.requests.values().zip(few.requests.values()) {
            assert_eq!(all.secret, few.secret);
        }
        assert!(!all.attempts.is_empty());
        for (all, few) in all.attempts.values().zip(few.attempts.values()) {
            assert_eq!(all.message, few.message);
        }
    });
}

/// A store that was opened while another process still wrote begins with what that one left.
#[test]
fn a_writer_begins_with_what_the_one_before_it_left() {
    let house = House::embedded();
    let (before, request) = (house.open(), RequestId::new(at(1), &[1; 10]));
    let mut writer = before.writer().expect("the door");
    record(&mut writer, stream(1), &[attempt_started(attempt(), request, "Hello.")]);
    let mut batch = writer.begin().expect("begins");
    batch.put_request(row(1, RequestStatus::Dispatching));
    batch.commit().expect("commits");
    let after = house.open();
    writer.settle().expect("settles");
    drop(writer);
    let mut writer = after.writer().expect("the door");
    record(&mut writer, stream(1), &[attempt_sent(attempt(), "SM0123")]);
    let mut batch = writer.begin().expect("begins");
    batch.put_request(row(1, RequestStatus::Sent));
    batch.commit().expect("commits");
    drop(writer);
    for store in [after, house.open()] {
        let reader = store.reader().expect("a reader");
        assert!(reader.open_attempts().expect("lists").is_empty());
        let row = row(1, RequestStatus::Sent);
        assert_eq!(reader.request(row.request).expect("looks"), Some(row));
    }
}

/// What the indexes on disk do not have yet is found all the same: before and after they took it over, and after the process
/// ended without a word.
#[test]
fn everything_is_found_whether_or_not_the_indexes_have_it() {
    everywhere(|house, store| {
        let mut writer = store.writer().expect("the door");
        let (request, key) = (RequestId::new(at(1), &[1; 10]), pseudonym(1));
        let told = [
            debtor_updated("D-1", "Sample"),
            request_accepted(request, "crm-1", key),
            attempt_started(attempt(), request, "Hello."),
            attempt_sent(attempt(), "SM0123"),
        ];
        record(&mut writer, stream(1), &told);
        let mut batch = writer.begin().expect("begins");
        batch.put_request(RequestRow { request, request_key: key, ..row(1, RequestStatus::Sent) });
        batch.commit().expect("commits");
        let finds = |store: &Store| {
            let reader = store.reader().expect("a reader");
            let events = reader.load(stream(1)).expect("loads");
            assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
            assert_eq!(reader.events_of(stream(1), 1, 2).expect("rows").len(), 2);
            assert_eq!(reader.request_by_key(key).expect("looks").expect("known").request, request);
            let found = reader.provider_ref("sms/sandbox", "SM0123").expect("looks").expect("known");
            assert_eq!(found.attempt, attempt());
            assert!(reader.provider_ref("sms/other", "SM0123").expect("looks").is_none());
        };
        finds(store);
        // As another process sees it, or this one after a crash: the tables have nothing yet.
        finds(&house.open());
        writer.settle().expect("settles");
        finds(store);
        finds(&house.open());
        // A chain from before the tables took over still ends its stream, one that was left behind does not.
        let mut batch = writer.begin().expect("begins");
        let mut chain = batch.chain(stream(1)).expect("a chain");
        let mut stale = batch.chain(stream(1)).expect("a chain");
        batch
            .append(&mut chain, at(2), &Actor::Gateway, &attempt_sent(attempt(), "SM0124"))
            .expect("appends");
        batch.commit().expect("commits");
        writer.settle().expect("settles");
        let mut batch = writer.begin().expect("begins");
        let refused = batch.append(&mut stale, at(3), &Actor::Gateway, &attempt_sent(attempt(), "SM0125"));
        assert!(matches!(refused, Err(StorageError::StaleChain)), "{refused:?}");
        batch
            .append(&mut chain, at(3), &Actor::Gateway, &attempt_sent(attempt(), "SM0126"))
            .expect("appends");
        // What is not committed is forgotten.
        drop(batch);
        let reader = store.reader().expect("a reader");
        assert!(reader.provider_ref("sms/sandbox", "SM0126").expect("looks").is_none());
        assert_eq!(reader.load(stream(1)).expect("loads").len(), 5);
        drop(reader);
        assert_eq!(record(&mut writer, stream(1), &[attempt_sent(attempt(), "SM0127")])[0].seq, 6);
    });
}
