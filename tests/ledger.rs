//! The ledger engine from outside: every event has a canonical entry, and the verifier finds every alteration.

#[path = "ledger/events.rs"]
mod events;

use dunwell::domain::event::{Actor, EventBody, Stream};
use dunwell::domain::id::DebtorKey;
use dunwell::ledger::LeafHash;
use dunwell::ledger::canonical;
use dunwell::ledger::chain::Head;
use dunwell::ledger::entry::{Draft, Entry};
use dunwell::ledger::verify::{Breach, Verifier, Walked};
use events::{at, pseudonym, samples};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn there_is_a_sample_of_every_event_type() {
    let sampled: Vec<&str> = samples().iter().map(EventBody::type_name).collect();
    let distinct: BTreeSet<&str> = sampled.iter().copied().collect();
    assert_eq!(distinct, EventBody::TYPES.iter().copied().collect::<BTreeSet<_>>());
    assert_eq!(sampled.len(), EventBody::TYPES.len());
}

#[test]
fn every_clear_part_is_canonical_as_it_is_and_reads_back() {
    for body in samples() {
        let name = body.type_name();
        let clear = body.clear_json().expect(name);
        assert_eq!(canonical::check(&clear), Ok(()), "{name}: {}", String::from_utf8_lossy(&clear));
        let sealed = body.sealed_json().expect(name);
        let back = EventBody::read(name, &clear, sealed.as_deref()).expect(name);
        assert!(back == body, "{name} does not read back");
        let erased = EventBody::read(name, &clear, None).expect(name);
        assert_eq!(erased.clear_json().expect(name), clear, "{name} without its sealed part");
    }
}

fn debtor(number: u8) -> Stream {
    Stream::Debtor(DebtorKey(pseudonym(number)))
}

struct Leaf {
    hash: LeafHash,
    entry: Vec<u8>,
}

/// A log of every sample, over three streams in turn.
fn log() -> Vec<Leaf> {
    let streams = [Stream::Installation, debtor(1), debtor(2)];
    let actors = [
        Actor::Gateway,
        Actor::Key("key_\"1\"\n".into()),
        Actor::Provider("sms/twilio".into()),
        Actor::Debtor,
        Actor::Operator,
    ];
    let mut heads = [Head::START; 3];
    let mut log = Vec::new();
    for (index, body) in samples().iter().enumerate() {
        let head = &mut heads[index % 3];
        let clear = body.clear_json().expect("clear");
        let sealed = body.sealed_json().expect("sealed");
        let draft = Draft {
            actor: &actors[index % 5],
            at: at(index as i64),
            clear: &clear,
            prev: head.last,
            sealed: sealed.as_deref(),
            seq: head.next_seq(),
            stream: streams[index % 3],
            type_name: body.type_name(),
        };
        let mut entry = Vec::new();
        draft.write(&mut entry);
        let parsed = Entry::parse(&entry).expect("parses");
        assert_eq!(&parsed.actor, draft.actor);
        assert_eq!(parsed.at, draft.at);
        assert_eq!(parsed.clear.as_bytes(), clear);
        assert_eq!(parsed.ciphertext(), sealed);
        assert_eq!(
            (parsed.prev, parsed.seq, parsed.stream, parsed.type_name),
            (draft.prev, draft.seq, draft.stream, draft.type_name)
        );
        let hash = LeafHash::of(&entry);
        head.advance(hash);
        log.push(Leaf { hash, entry });
    }
    log
}

fn walk<'a>(leaves: impl IntoIterator<Item = (u64, &'a Leaf)>) -> Result<Walked, Breach> {
    let mut verifier = Verifier::new();
    for (index, leaf) in leaves {
        verifier.feed(index, leaf.hash.as_bytes(), &leaf.entry)?;
    }
    Ok(verifier.walked())
}

fn numbered(log: &[Leaf]) -> impl Iterator<Item = (u64, &Leaf)> {
    (0..).zip(log)
}

#[test]
fn entries_are_canonical_json_and_the_whole_log_verifies() {
    let log = log();
    for leaf in &log {
        assert_eq!(canonical::check(&leaf.entry), Ok(()));
    }
    let walked = walk(numbered(&log)).expect("whole");
    assert_eq!((walked.entries, walked.streams), (log.len() as u64, 3));
    assert_eq!(walked.last, log.last().map(|leaf| leaf.hash));
}

#[test]
fn an_entry_has_exactly_one_form() {
    let mut entry = Vec::new();
    let clear = br#"{"name":"storm"}"#;
    let draft = Draft {
        actor: &Actor::Operator,
        at: at(0),
        clear,
        prev: LeafHash::ZERO,
        sealed: Some(b"\x00\x01\x02"),
        seq: 1,
        stream: debtor(7),
        type_name: "pause.lifted",
    };
    draft.write(&mut entry);
    let text = String::from_utf8(entry).expect("UTF-8");
    assert_eq!(
        text,
        format!(
            r#"{{"actor":"operator","at":"2026-11-22T14:20:34.567Z","clear":{{"name":"storm"}},"prev":"{}","sealed":"AAEC","seq":1,"stream":"{}","type":"pause.lifted","v":1}}"#,
            "0".repeat(64),
            "07".repeat(16)
        )
    );
    for (from, to) in [
        ("\"operator\"", "\"nobody\""),
        (".567Z", ".5670Z"),
        ("Z\",\"clear", "+00:00\",\"clear"),
        ("\"seq\":1", "\"seq\":-1"),
        ("\"seq\":1", "\"seq\":1.0"),
        ("0707", "07AF"),
        ("\"sealed\":\"AAEC\"", "\"sealed\":1"),
        ("\"v\":1", "\"v\":2"),
        ("{\"name\":\"storm\"}", "[]"),
        ("{\"name\":\"storm\"}", "{ \"name\":\"storm\"}"),
        ("\"pause.lifted\"", "\"Pause\""),
        ("\"v\":1}", "\"v\":1} "),
        ("\"type\"", "\"kind\""),
    ] {
        let altered = text.replacen(from, to, 1);
        assert_ne!(altered, text, "{from} is in the entry");
        assert!(Entry::parse(altered.as_bytes()).is_err(), "{altered}");
    }
}

#[test]
fn what_is_left_out_moved_or_added_is_found_where_it_is() {
    let log = log();
    let without_fifth = numbered(&log).filter(|(index, _)| *index != 5);
    assert_eq!(walk(without_fifth), Err(Breach::Gap { expected: 5, found: 6 }));
    // Left out and numbered anew: its stream misses it three leaves later.
    let closed_up = (0..).zip(log.iter().enumerate().filter(|(index, _)| *index != 5).map(|(_, leaf)| leaf));
    assert_eq!(walk(closed_up), Err(Breach::Sequence { leaf: 7, expected: 2, found: 3 }));
    let mut order: Vec<usize> = (0..log.len()).collect();
    order.swap(3, 6);
    let swapped = (0..).zip(order.iter().map(|index| &log[*index]));
    assert_eq!(walk(swapped), Err(Breach::Sequence { leaf: 3, expected: 2, found: 3 }));
    // Leaf 3 again as leaf 4, where the other stream's second comes: the first stream has its second already.
    let twice = (0..).zip(log[..4].iter().chain(&log[3..]));
    assert_eq!(walk(twice), Err(Breach::Sequence { leaf: 4, expected: 3, found: 2 }));
}

#[test]
fn a_rewritten_past_breaks_the_chain_behind_it() {
    let mut log = log();
    // Somebody with write access alters an entry and its hash, but not what comes after.
    let text = String::from_utf8(log[4].entry.clone()).expect("UTF-8").replacen(":34.567Z", ":34.568Z", 1);
    log[4] = Leaf { hash: LeafHash::of(text.as_bytes()), entry: text.into_bytes() };
    assert_eq!(walk(numbered(&log)), Err(Breach::Link { leaf: 7 }));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_flipped_bit_is_found(leaf in 0..EventBody::TYPES.len(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut log = log();
        let length = log[leaf].entry.len();
        let place = at.index(length + 32);
        if place < length {
            log[leaf].entry[place] ^= 1 << bit;
        } else {
            let mut hash = *log[leaf].hash.as_bytes();
            hash[place - length] ^= 1 << bit;
            log[leaf].hash = LeafHash::from_bytes(hash);
        }
        prop_assert_eq!(walk(numbered(&log)), Err(Breach::Hash { leaf: leaf as u64 }));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Entry::parse(&bytes);
        prop_assert!(canonical::check(&bytes).is_err() || serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
    }

    #[test]
    fn whatever_the_reader_takes_is_what_the_writer_gives(leaf in 0..EventBody::TYPES.len(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut entry = log().swap_remove(leaf).entry;
        let place = at.index(entry.len());
        entry[place] = byte;
        if let Ok(parsed) = Entry::parse(&entry) {
            let sealed = parsed.ciphertext();
            prop_assume!(sealed.is_some() == parsed.sealed.is_some());
            let mut again = Vec::new();
            Draft {
                actor: &parsed.actor,
                at: parsed.at,
                clear: parsed.clear.as_bytes(),
                prev: parsed.prev,
                sealed: sealed.as_deref(),
                seq: parsed.seq,
                stream: parsed.stream,
                type_name: parsed.type_name,
            }
            .write(&mut again);
            prop_assert_eq!(again, entry);
        }
    }
}
