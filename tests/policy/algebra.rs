//! What holds for any law: more rules never permit more, their order does not matter, the moment named is the first, and
//! no run of permitted contacts exceeds a cap.

use crate::support::{World, account, consent, contact, load, made_up, owed, point, reach, rule, shipped};
use dunwell::domain::channel::{Channel, Direction, Party};
use dunwell::domain::consent::{
    ConsentScope, Hold, HoldKind, InconvenientTime, OptOut, OptOutChannel, Weekday,
};
use dunwell::domain::contact::{Contact, ContactResult};
use dunwell::domain::contact_point::PointKind;
use dunwell::domain::decision::Outcome;
use dunwell::domain::time::{Span, Timestamp};
use dunwell::policy::Policy;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::prelude::*;

/// Zones with every sort of trouble: summer time and none, half hours, and clocks that are set at midnight.
const ZONES: &[&[&str]] = &[
    &["America/New_York"],
    &["America/Chicago", "America/New_York"],
    &["America/New_York", "America/Los_Angeles"],
    &["America/Phoenix", "America/Denver"],
    &["America/Puerto_Rico"],
    &["America/Indiana/Knox", "America/Indiana/Indianapolis"],
    &["America/Havana"],
    &["Australia/Lord_Howe"],
    &["America/St_Johns"],
    &["Pacific/Honolulu", "America/Anchorage"],
];

/// Days around which clocks are set, in the northern and the southern half of the earth, and a plain one.
const DAYS: &[&str] = &[
    "2026-03-06T00:00:00Z",
    "2026-03-26T00:00:00Z",
    "2026-10-02T00:00:00Z",
    "2026-10-29T00:00:00Z",
    "2027-03-12T00:00:00Z",
    "2026-07-01T00:00:00Z",
];

/// A law of hours and caps, known to the engine as text and to the test as figures.
#[derive(Clone, Debug)]
struct Law {
    windows: Vec<(u16, u16)>,
    day_caps: Vec<(u32, u16)>,
    hour_caps: Vec<(u32, u16)>,
    cool_down: Option<u16>,
}

impl Law {
    fn text(&self) -> String {
        let mut text = String::new();
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        for (index, (opens, closes)) in self.windows.iter().enumerate() {
            let row = format!("opens = \"{}\"\ncloses = \"{}\"", clock(*opens), clock(*closes));
            text += &rule(&format!("window-{index}"), "contact_window", "", &row);
        }
        let counts = "counts = { channels = [\"voice\"], results_not = [\"busy\"] }";
        for (index, (limit, days)) in self.day_caps.iter().enumerate() {
            let row = format!("limit = {limit}\ndays = {days}\nper = \"debt\"\n{counts}");
            text += &rule(&format!("days-{index}"), "frequency_cap", "", &row);
        }
        for (index, (limit, hours)) in self.hour_caps.iter().enumerate() {
            let row = format!("limit = {limit}\nhours = {hours}\nper = \"debtor\"\n{counts}");
            text += &rule(&format!("hours-{index}"), "frequency_cap", "", &row);
        }
        if let Some(days) = self.cool_down {
            text += &rule("cool-down", "cool_down", "", &format!("days = {days}\nper = \"debt\""));
        }
        text + &rule("times", "inconvenient_time", "", "")
    }

    fn policy(&self) -> Policy {
        load(&made_up(&self.text()), &["made-up"])
    }

    /// The law again, the slow and plain way: every minute by itself, with the calendar of the library.
    fn permits(&self, world: &World, at: Timestamp) -> bool {
        let zones: Vec<TimeZone> = world.debtor.locations[0].zones.iter().map(|name| zone(name)).collect();
        zones.iter().all(|zone| {
            let now = zone.to_datetime(at.to_jiff());
            let minute = now.hour().unsigned_abs() as u16 * 60 + now.minute().unsigned_abs() as u16;
            let counted = |contact: &&Contact| {
                contact.occurred_at <= at
                    && contact.direction == Direction::Outbound
                    && contact.result != ContactResult::Busy
            };
            let age = |contact: &Contact| {
                let date = zone.to_datetime(contact.occurred_at.to_jiff()).date();
                (now.date() - date).get_days()
            };
            let calls = || world.contacts.iter().filter(counted);
            let talks = world
                .contacts
                .iter()
                .filter(|contact| contact.occurred_at <= at && contact.result == ContactResult::Conversation);
            let newest_talk = talks.map(age).min();
            self.windows.iter().all(|(opens, closes)| (*opens..*closes).contains(&minute))
                && self.day_caps.iter().all(|(limit, days)| {
                    calls().filter(|call| age(call) < i32::from(*days)).count() < *limit as usize
                })
                && self.hour_caps.iter().all(|(limit, hours)| {
                    let young = |call: &&Contact| at.since(call.occurred_at) < Span::hours(i64::from(*hours));
                    calls().filter(young).count() < *limit as usize
                })
                && self.cool_down.is_none_or(|days| newest_talk.is_none_or(|age| age >= i32::from(days)))
                && world.preferences.inconvenient.iter().all(|stated| !bars(stated, now, minute))
        })
    }
}

fn bars(stated: &InconvenientTime, now: jiff::civil::DateTime, minute: u16) -> bool {
    let on = |date: jiff::civil::Date| {
        let day = Weekday::ALL[date.weekday().to_monday_zero_offset().unsigned_abs() as usize];
        stated.days.contains(&day)
    };
    let (from, to) = (stated.from.minutes(), stated.to.minutes());
    let yesterday = now.date().yesterday().expect("a day before");
    if from < to {
        on(now.date()) && (from..to).contains(&minute)
    } else {
        (on(now.date()) && minute >= from) || (on(yesterday) && minute < to)
    }
}

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).expect(name)
}

fn law() -> impl Strategy<Value = Law> {
    let window = (0u16..1_000, 120u16..440).prop_map(|(opens, length)| (opens, opens + length));
    (
        prop::collection::vec(window, 0..3),
        prop::collection::vec((1u32..4, 1u16..8), 0..2),
        prop::collection::vec((1u32..4, 3u16..60), 0..2),
        prop::option::of(1u16..6),
    )
        .prop_map(|(windows, day_caps, hour_caps, cool_down)| Law {
            windows,
            day_caps,
            hour_caps,
            cool_down,
        })
}

fn stated() -> impl Strategy<Value = InconvenientTime> {
    let minute = || (0u16..1_440).prop_map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60));
    (prop::collection::vec(0usize..7, 1..4), minute(), minute()).prop_map(|(days, from, to)| {
        InconvenientTime {
            channels: Vec::new(),
            days: days.into_iter().map(|day| Weekday::ALL[day]).collect(),
            from: from.parse().expect("time"),
            places: Vec::new(),
            since: None,
            to: to.parse().expect("time"),
        }
    })
}

fn world() -> impl Strategy<Value = World> {
    let result = prop::sample::select(vec![
        ContactResult::NoAnswer,
        ContactResult::Busy,
        ContactResult::Voicemail,
        ContactResult::Conversation,
    ]);
    let contacts = prop::collection::vec((-14_400i64..4_000, result, any::<bool>()), 0..12);
    (
        prop::sample::select(ZONES),
        prop::sample::select(DAYS),
        0i64..5_760,
        contacts,
        prop::collection::vec(stated(), 0..3),
    )
        .prop_map(|(zones, day, minute, contacts, inconvenient)| {
            let at = crate::support::at(day).plus(Span::minutes(minute));
            let mut world = World::new(at, zones);
            for (offset, result, inbound) in contacts {
                let mut contact = contact(at.plus(Span::minutes(offset)), Channel::Voice, result);
                contact.direction = if inbound { Direction::Inbound } else { Direction::Outbound };
                world.record(contact);
            }
            world.preferences.inconvenient = inconvenient;
            world
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_moment_named_is_the_first(law in law(), world in world()) {
        const SEARCHED: i64 = 12 * 1_440;
        let decision = world.decide(&law.policy());
        let minutes = |from: i64| (from..SEARCHED).map(|minute| world.at.plus(Span::minutes(minute)));
        let first = minutes(0).find(|at| law.permits(&world, *at));
        match decision.outcome {
            Outcome::Allow => {
                prop_assert_eq!(first, Some(world.at));
                let end = minutes(1).find(|at| !law.permits(&world, *at));
                let named = decision.permitted_until.filter(|end| *end < world.at.plus(Span::minutes(SEARCHED)));
                prop_assert_eq!(named, end);
            }
            Outcome::Defer => {
                let named = decision.permitted_from.filter(|from| *from < world.at.plus(Span::minutes(SEARCHED)));
                prop_assert_eq!(named, first);
            }
            Outcome::Block => prop_assert_eq!(first, None),
        }
    }

    #[test]
    fn the_answer_for_the_moment_named_is_that_it_is_permitted(law in law(), world in world()) {
        let policy = law.policy();
        if let Some(from) = world.decide(&policy).permitted_from {
            let then = World { at: from, ..world };
            prop_assert_eq!(then.decide(&policy).outcome, Outcome::Allow);
        }
    }

    #[test]
    fn another_rule_never_permits_more(law in law(), more in law(), world in world()) {
        let both = Law {
            windows: [law.windows.clone(), more.windows].concat(),
            day_caps: [law.day_caps.clone(), more.day_caps].concat(),
            hour_caps: [law.hour_caps.clone(), more.hour_caps].concat(),
            cool_down: law.cool_down.max(more.cool_down),
        };
        let (fewer, more) = (world.decide(&law.policy()), world.decide(&both.policy()));
        prop_assert!(fewer.outcome <= more.outcome);
        if let (Some(earlier), Some(later)) = (fewer.permitted_from, more.permitted_from) {
            prop_assert!(earlier <= later);
        }
        if more.outcome == Outcome::Allow {
            let end = |until: Option<Timestamp>| until.unwrap_or(Timestamp::from_millis(i64::MAX));
            prop_assert!(end(more.permitted_until) <= end(fewer.permitted_until));
        }
    }

    #[test]
    fn leaving_out_a_shipped_rule_never_bars_more(world in shipped_world(), left_out in any::<prop::sample::Index>()) {
        let policy = shipped();
        let id = policy.rules()[left_out.index(policy.rules().len())].id.clone();
        let (fewer, all) = (world.decide(&policy.only(|rule| rule.id != id)), world.decide(&policy));
        prop_assert!(fewer.outcome <= all.outcome, "without {}", id);
        if let (Some(earlier), Some(later)) = (fewer.permitted_from, all.permitted_from) {
            prop_assert!(earlier <= later);
        }
    }

    #[test]
    fn the_order_of_rules_and_facts_does_not_matter(law in law(), world in shipped_world(), seed in any::<u64>()) {
        let text = law.text();
        let rules: Vec<String> = text.split_inclusive("\n\n").map(str::to_owned).collect();
        let mut turned = rules.clone();
        turned.rotate_left(usize::try_from(seed % rules.len() as u64).expect("small"));
        turned.reverse();
        let other = load(&made_up(&turned.concat()), &["made-up"]);
        let mut shuffled = world.clone();
        shuffled.consents.reverse();
        shuffled.opt_outs.reverse();
        shuffled.holds.reverse();
        shuffled.preferences.inconvenient.reverse();
        prop_assert_eq!(world.decide(&law.policy()), shuffled.decide(&other));
        let shipped = shipped();
        prop_assert_eq!(world.decide(&shipped), shuffled.decide(&shipped));
    }

    #[test]
    fn no_run_of_permitted_contacts_exceeds_a_cap(
        zones in prop::sample::select(ZONES), day in prop::sample::select(DAYS),
        steps in prop::collection::vec((0i64..700, 0usize..2, 0u8..3, 0usize..4), 60..120),
    ) {
        run_of_permitted_contacts(zones, day, &steps)?;
    }
}

/// A debtor with stops, holds, consents and a past, for the shipped packs.
fn shipped_world() -> impl Strategy<Value = World> {
    let stops = prop::collection::vec((0usize..5, any::<bool>(), -9_000i64..9_000), 0..2);
    let holds = prop::collection::vec((0usize..10, -9_000i64..0, prop::option::of(-4_000i64..4_000)), 0..2);
    let consents = prop::collection::vec((0usize..5, 0usize..3, -9_000i64..9_000), 0..4);
    let region = prop::sample::select(vec![None, Some("US-MA"), Some("US-DC"), Some("US-WA"), Some("US-FL")]);
    (world(), stops, holds, consents, region, 0usize..3).prop_map(
        |(mut world, stops, holds, consents, region, channel)| {
            let channels = [Channel::Voice, Channel::Sms, Channel::Email];
            world.channel = channels[channel];
            world.automated = world.channel.automated_by_default();
            world.point = Some(point(if world.channel == Channel::Email { "email" } else { "mobile" }));
            world.debtor.locations[0].region = region.map(str::to_owned);
            let moved = |minutes: i64| world.at.plus(Span::minutes(minutes));
            let stop = |(channel, everywhere, received): (usize, bool, i64)| OptOut {
                accounts: Vec::new(),
                channel: OptOutChannel::ALL[channel],
                point: if everywhere { None } else { world.point },
                received_at: moved(received),
            };
            let hold = |(kind, since, lifted): (usize, i64, Option<i64>)| Hold {
                accounts: Vec::new(),
                kind: HoldKind::ALL[kind],
                lifted_at: lifted.map(|after| moved(since + after.abs())),
                since: moved(since),
            };
            let given = |(scope, channel, granted): (usize, usize, i64)| {
                consent(ConsentScope::ALL[scope], channels[channel], moved(granted))
            };
            world.opt_outs = stops.into_iter().map(stop).collect();
            world.holds = holds.into_iter().map(hold).collect();
            world.consents = consents.into_iter().map(given).collect();
            world.consented()
        },
    )
}

/// Asks, contacts where permitted, and counts the slow way after each contact.
fn run_of_permitted_contacts(
    zones: &[&str],
    day: &str,
    steps: &[(i64, usize, u8, usize)],
) -> Result<(), TestCaseError> {
    let policy = shipped();
    let mut world = World::new(crate::support::at(day), zones).consented();
    world.debtor.locations[0].region = Some("US-MA".to_owned());
    world.debtor.accounts = vec![owed("card-1", None), owed("card-2", None)];
    world.debtor.points.push(reach("other-mobile", PointKind::Phone));
    let results =
        [ContactResult::NoAnswer, ContactResult::Voicemail, ContactResult::Busy, ContactResult::Conversation];
    let mut made = 0;
    for (minutes, which, about, result) in steps {
        world.at = world.at.plus(Span::minutes(*minutes));
        world.channel = if *which == 0 { Channel::Voice } else { Channel::Sms };
        world.automated = *which == 1;
        world.accounts = match about {
            0 => vec![account("card-1")],
            1 => vec![account("card-2")],
            _ => vec![account("card-1"), account("card-2")],
        };
        if world.decide(&policy).outcome != Outcome::Allow {
            continue;
        }
        made += 1;
        let result = if world.channel == Channel::Sms { ContactResult::Delivered } else { results[*result] };
        let mut next = contact(world.at, world.channel, result);
        next.accounts = world.accounts.clone();
        next.party = Party::Debtor;
        world.record(next);
        for debt in ["card-1", "card-2"] {
            within_caps(&world, zones, debt)?;
        }
    }
    prop_assert!(made > 0, "nothing was ever permitted");
    Ok(())
}

fn within_caps(world: &World, zones: &[&str], debt: &str) -> Result<(), TestCaseError> {
    let about: Vec<&Contact> =
        world.contacts.iter().filter(|contact| contact.accounts.contains(&account(debt))).collect();
    let last = about.last().map(|contact| contact.occurred_at).unwrap_or(world.at);
    for name in zones {
        let zone = zone(name);
        let date = |at: Timestamp| zone.to_datetime(at.to_jiff()).date();
        let minute = zone.to_datetime(last.to_jiff()).time();
        prop_assert!((8..21).contains(&minute.hour()), "{} in {}", minute, name);
        let age = |contact: &Contact| (date(last) - date(contact.occurred_at)).get_days();
        let week = || about.iter().filter(|contact| age(contact) < 7);
        let counted = week().filter(|contact| contact.result != ContactResult::Busy).count();
        prop_assert!(counted <= 2, "{} of two in seven about {} in {}", counted, debt, name);
        let calls = week().filter(|contact| contact.channel == Channel::Voice);
        let talk = calls.clone().find(|contact| contact.result == ContactResult::Conversation);
        if let Some(talk) = talk {
            let later = calls.filter(|call| call.occurred_at > talk.occurred_at).count();
            prop_assert_eq!(
                later,
                0,
                "a call within seven days of a conversation about {} in {}",
                debt,
                name
            );
        }
    }
    prop_assert!(world.contacts.is_sorted_by_key(|contact| contact.occurred_at));
    Ok(())
}
