//! One sample of every event that can be recorded, with every optional part filled in, and the bare form of some.

use dunwell::domain::attempt::AttemptStatus;
use dunwell::domain::cadence::{CadencePlace, Ending, Enrolment, Plan, PlanStep, StopCondition};
use dunwell::domain::channel::{Channel, Direction, Party, Priority, Purpose};
use dunwell::domain::consent::{
    Consent, ConsentForm, ConsentScope, GivenTo, Hold, HoldKind, InconvenientTime, OptOut, OptOutChannel,
    Place, Preferences, Weekday,
};
use dunwell::domain::contact::{Contact, ContactResult, ContactSource};
use dunwell::domain::contact_point::{
    LineType, PointKind, PointOutline, ReassignmentCheck, ReassignmentResult,
};
use dunwell::domain::debtor::{
    AccountOutline, AccountStatus, CollectorRole, DebtType, DebtorFile, DebtorOutline, LocationOutline, Name,
};
use dunwell::domain::decision::{Decision, Disclosure, Finding, Outcome, PolicyStamp};
use dunwell::domain::event::*;
use dunwell::domain::id::*;
use dunwell::domain::intent::Intent;
use dunwell::domain::message::Content;
use dunwell::domain::money::Money;
use dunwell::domain::outcome::{FailureCause, FailureClass};
use dunwell::domain::request::{ChannelChoice, RequestOrder};
use dunwell::domain::routing::{Because, Choice, NotUsed, PassedOver, Routing};
use dunwell::domain::time::{Span, Timestamp};
use std::collections::BTreeMap;

pub fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_795_357_234_567 + minute * 60_000)
}

pub fn pseudonym(number: u8) -> Pseudonym {
    Pseudonym::from_bytes([number; 16])
}

pub fn account() -> AccountKey {
    AccountKey(pseudonym(0xa1))
}

pub fn point() -> PointKey {
    PointKey(pseudonym(0xb2))
}

pub fn attempt() -> AttemptId {
    AttemptId::new(at(1), &[3; 10])
}

pub fn request() -> RequestId {
    RequestId::new(at(0), &[4; 10])
}

pub fn permit() -> PermitId {
    PermitId::new(at(2), &[5; 10])
}

pub fn review() -> ReviewId {
    ReviewId::new(at(3), &[6; 10])
}

pub fn contact(source: ContactSource) -> Contact {
    Contact {
        accounts: vec![account()],
        automated: true,
        channel: Channel::Sms,
        direction: Direction::Outbound,
        occurred_at: at(1),
        party: Party::Debtor,
        point: Some(point()),
        purpose: Purpose::Collection,
        result: ContactResult::Sent,
        source,
    }
}

fn stamp() -> PolicyStamp {
    PolicyStamp { digest: format!("sha256:{}", "0f".repeat(32)), packs: vec!["us-federal@1".into()] }
}

fn finding() -> Finding {
    let zones = serde_json::json!(["America/New_York", "America/Chicago"]);
    Finding {
        citation: "12 CFR 1006.6(b)(1)(i)".into(),
        effect: Outcome::Defer,
        facts: BTreeMap::from([
            ("zones".to_owned(), zones),
            ("count".to_owned(), serde_json::json!({"used": 7, "limit": 7, "\u{e9}": null})),
        ]),
        reason: "it is 21:10 in \"America/New_York\"; calls are permitted from 08:00\n".into(),
        rule: "us.fed.regf.inconvenient-time".into(),
        until: Some(at(600)),
    }
}

fn decision_record() -> DecisionRecord {
    DecisionRecord {
        as_of_seq: 12,
        channels: Some(vec![Channel::Voice, Channel::Sms]),
        decision: Decision {
            at: at(0),
            channel: Channel::Voice,
            disclosures: vec![Disclosure::MiniMirandaInitial, Disclosure::OptOutNotice],
            findings: vec![finding()],
            outcome: Outcome::Defer,
            permitted_from: Some(at(600)),
            permitted_until: None,
            point: Some(point()),
            liftable: false,
            reviews: Vec::new(),
        },
        policy: stamp(),
        request: Some(request()),
        routing: Some(Routing {
            choices: vec![Choice { because: Because::Replied, channel: Channel::Sms, since: Some(at(-60)) }],
            passed_over: vec![NotUsed {
                provider: "twilio".into(),
                reason: PassedOver::OutOfService,
                until: Some(at(5)),
            }],
            provider: Some("vonage".into()),
        }),
        tzdb: "2026b".into(),
    }
}

fn outline() -> DebtorOutline {
    DebtorOutline {
        accounts: vec![AccountOutline {
            account: account(),
            collector_role: CollectorRole::ThirdParty,
            creditor: Some(pseudonym(0xc3)),
            creditor_region: None,
            debt: DebtKey(pseudonym(0xd4)),
            debt_type: DebtType::CreditCard,
            status: AccountStatus::Open,
            time_barred: Some(false),
            validation_notice_sent_on: Some("2026-08-01".parse().expect("a date")),
        }],
        language: Some("es".into()),
        locations: vec![LocationOutline {
            country: "US".into(),
            locality: Some("new york".into()),
            region: Some("US-NY".into()),
            zones: vec!["America/New_York".into()],
        }],
        number_checks: Vec::new(),
        points: vec![PointOutline {
            creditor_notice: None,
            employer_provided: false,
            kind: PointKind::Phone,
            line_type: LineType::Mobile,
            point: point(),
            reassignment_check: Some(ReassignmentCheck {
                checked_on: "2026-11-01".parse().expect("a date"),
                result: ReassignmentResult::No,
                since: "2026-01-01".parse().expect("a date"),
                source: None,
            }),
            regions: Vec::new(),
            workplace: true,
            zones: vec!["America/New_York".into()],
        }],
        stated_zone: Some("America/New_York".into()),
    }
}

pub fn debtor_updated(debtor_id: &str, given: &str) -> EventBody {
    let file = DebtorFile {
        name: Some(Name { given: Some(given.to_owned()), family: Some("Debtor".to_owned()) }),
        ..DebtorFile::default()
    };
    EventBody::DebtorUpdated(outline(), DebtorSecret { debtor_id: debtor_id.to_owned(), file }.into())
}

fn accounts() -> Vec<String> {
    vec!["A-1".into()]
}

fn value() -> Option<String> {
    Some("+13055550123".into())
}

fn consent_given() -> EventBody {
    EventBody::ConsentGranted(
        Consent {
            accounts: vec![account()],
            channel: Channel::Sms,
            expires_at: Some(at(9_000)),
            form: Some(ConsentForm::Written),
            given_to: GivenTo::Collector,
            granted_at: at(0),
            point: Some(point()),
            scope: ConsentScope::Automated,
        },
        ConsentSecret {
            account_ids: accounts(),
            contact_point: value(),
            evidence: Some(serde_json::json!({"url": "https://example.com/form", "ratio": 0.5})),
            source: Some("web form".into()),
        }
        .into(),
    )
}

fn opt_out() -> (OptOut, Sealed<OptOutSecret>) {
    (
        OptOut { accounts: vec![], channel: OptOutChannel::All, point: Some(point()), received_at: at(5) },
        OptOutSecret {
            account_ids: accounts(),
            contact_point: value(),
            source: Some("reply".into()),
            text: Some("STOP \u{1f6d1}".into()),
        }
        .into(),
    )
}

fn preferences() -> Preferences {
    Preferences {
        inconvenient: vec![InconvenientTime {
            channels: vec![Channel::Voice],
            days: vec![Weekday::Mon, Weekday::Fri],
            from: "12:00".parse().expect("a time"),
            places: vec![Place::Work],
            since: Some(at(0)),
            to: "13:30".parse().expect("a time"),
        }],
        language: Some("en".into()),
        preferred_channel: Some(Channel::Email),
    }
}

fn hold() -> EventBody {
    EventBody::HoldPlaced(
        Hold { accounts: vec![account()], kind: HoldKind::Attorney, lifted_at: Some(at(10)), since: at(0) },
        HoldSecret { account_ids: accounts(), detail: Some("Sample Law".into()) }.into(),
    )
}

fn reported() -> EventBody {
    EventBody::ContactRecorded(
        ContactReport {
            body_digest: "ab".repeat(32),
            contact: contact(ContactSource::Reported(pseudonym(0xe5))),
        },
        ContactSecret { account_ids: accounts(), contact_point: value(), event_id: "E-1".into() }.into(),
    )
}

fn permit_issued() -> EventBody {
    EventBody::PermitIssued(
        PermitGrant {
            contact: contact(ContactSource::Permit(permit())),
            decision: decision_record(),
            expires_at: at(20),
            permit: permit(),
            says: Vec::new(),
        },
        PermitSecret { account_ids: accounts(), contact_point: value() }.into(),
    )
}

pub fn request_accepted(request: RequestId, request_id: &str, request_key: Pseudonym) -> EventBody {
    let order = RequestOrder {
        accounts: vec![account()],
        body_digest: "cd".repeat(32),
        cadence: Some(Box::new(CadencePlace {
            cadence: CadenceId::of(request),
            enrolment: Some(Enrolment {
                expires_at: Some(at(90_000)),
                plan: Plan {
                    digest: format!("sha256:{}", "0d".repeat(32)),
                    name: "gentle-reminder".into(),
                    steps: vec![PlanStep {
                        after: Span::days(3),
                        channels: vec![ChannelChoice::Auto],
                        expire_after: Span::days(5),
                        needs: None,
                        template: "payment-reminder".into(),
                    }],
                    stop_on: vec![StopCondition::Reply, StopCondition::OptOut],
                },
            }),
            step: 1,
        })),
        campaign: Some(pseudonym(0xf6)),
        channels: vec![ChannelChoice::Named(Channel::Sms), ChannelChoice::Auto],
        expires_at: at(10_000),
        fallback_after: Some(Span::hours(24)),
        not_before: Some(at(0)),
        point: Some(point()),
        priority: Priority::Urgent,
        purpose: Purpose::Collection,
        request,
        request_key,
        says: Vec::new(),
        template: "payment-reminder".into(),
    };
    let secret = RequestSecret {
        account_ids: accounts(),
        campaign: Some("nov-early".into()),
        contact_point: value(),
        request_id: request_id.to_owned(),
        variables: serde_json::from_str(r#"{"due_date":"2026-12-01","amount":1.5}"#).expect("an object"),
        variables_of_others: serde_json::from_str(r#"{"interest":"2.5"}"#).expect("an object"),
    };
    EventBody::RequestAccepted(order, secret.into())
}

pub fn attempt_started(attempt: AttemptId, request: RequestId, text: &str) -> EventBody {
    EventBody::AttemptStarted(
        AttemptStart {
            attempt,
            contact: contact(ContactSource::Attempt(attempt)),
            message_digest: "ef".repeat(32),
            others: vec!["vonage".into()],
            provider: "sms/sandbox".into(),
            request,
            template: "payment-reminder@1".into(),
            zones: vec!["America/New_York".into()],
        },
        AttemptSecret {
            content: Content::Sms { text: text.to_owned(), segments: 2 },
            language: "en".into(),
            to: "+13055550123".into(),
        }
        .into(),
    )
}

pub fn attempt_sent(attempt: AttemptId, provider_ref: &str) -> EventBody {
    EventBody::AttemptSent(AttemptSent { attempt, provider_ref: Some(provider_ref.to_owned()) }, Sealed::Gone)
}

pub fn failure(attempt: AttemptId) -> AttemptFailure {
    AttemptFailure {
        attempt,
        cause: FailureCause::Provider,
        class: FailureClass::Uncertain,
        code: "timeout".into(),
    }
}

fn delivery() -> EventBody {
    EventBody::DeliveryUpdated(
        DeliveryUpdate {
            attempt: attempt(),
            cause: Some(FailureCause::InvalidAddress),
            code: Some("30003".into()),
            reported: "undelivered".into(),
            result: None,
            status: AttemptStatus::Failed,
        },
        Sealed::Gone,
    )
}

pub fn inbound(reference: &str) -> EventBody {
    EventBody::InboundReceived(
        Inbound {
            channel: Channel::Sms,
            intents: vec![Intent::Question],
            point: Some(point()),
            provider_ref: Some(reference.to_owned()),
            understood: Understanding::Unclear,
        },
        InboundSecret { from: "+13055550123".into(), text: "who is this?".into() }.into(),
    )
}

fn statement() -> (Statement, Sealed<NoteSecret>) {
    (
        Statement { accounts: vec![account()], channel: Channel::Email, received_at: at(7) },
        NoteSecret { note: Some("not mine".into()) }.into(),
    )
}

fn pause() -> Pause {
    Pause {
        channel: Some(Channel::Voice),
        creditor: Some("Sample Bank".into()),
        name: "storm".into(),
        provider: Some("voice/sandbox".into()),
        reason: "state of emergency".into(),
        region: Some("US-FL".into()),
        until: Some(at(900)),
    }
}

/// Every event once. A type that is missing here fails the test that compares with [`EventBody::TYPES`].
pub fn samples() -> Vec<EventBody> {
    let (opted, opt_words) = opt_out();
    let (stated, note) = statement();
    vec![
        debtor_updated("D-1001", "Sample"),
        EventBody::DebtorErased(Nothing {}, Sealed::Gone),
        consent_given(),
        EventBody::ConsentRevoked(opted.clone(), opt_words.clone()),
        EventBody::OptOutReceived(opted, opt_words),
        EventBody::PreferencesUpdated(preferences(), Sealed::Gone),
        hold(),
        EventBody::HoldLifted(HoldLift { kind: HoldKind::Attorney, lifted_at: at(11) }, Sealed::Gone),
        reported(),
        permit_issued(),
        EventBody::PermitUsed(
            PermitUse { occurred_at: at(3), permit: permit(), result: ContactResult::Conversation },
            Sealed::Gone,
        ),
        EventBody::PermitExpired(PermitExpiry { counts: true, permit: permit() }, Sealed::Gone),
        EventBody::PermitReturned(PermitReturn { permit: permit() }, Sealed::Gone),
        request_accepted(request(), "crm-2026-000123", pseudonym(0x17)),
        EventBody::RequestCancelled(
            RequestEnd { because: Some(Ending::Stopped(StopCondition::Payment)), request: request() },
            Sealed::Gone,
        ),
        EventBody::RequestExpired(RequestEnd { because: None, request: request() }, Sealed::Gone),
        EventBody::DecisionMade(decision_record(), Sealed::Gone),
        attempt_started(attempt(), request(), "Please call Sample Collections"),
        attempt_sent(attempt(), "SM0123"),
        EventBody::AttemptFailed(failure(attempt()), Sealed::Gone),
        EventBody::AttemptUnknown(failure(attempt()), Sealed::Gone),
        EventBody::AttemptAbandoned(failure(attempt()), Sealed::Gone),
        delivery(),
        inbound("SM9"),
        EventBody::ReplyHeld(
            ReplyHold { channel: Channel::Sms, point: point(), review: review() },
            Sealed::Gone,
        ),
        EventBody::ReplyReleased(
            ReplyRelease { resolution: ReviewResolution::NotStop, review: review() },
            note.clone(),
        ),
        EventBody::ContactPointInvalid(
            PointInvalid { channel: Some(Channel::Sms), cause: FailureCause::InvalidAddress, point: point() },
            Sealed::Gone,
        ),
        EventBody::DisputeReceived(stated.clone(), note.clone()),
        EventBody::PromiseReceived(
            stated.clone(),
            PromiseSecret {
                amount: Some(Money::parse("75.00", "USD").expect("an amount")),
                due_on: Some("2026-12-04".parse().expect("a date")),
                note: Some("75 next friday".into()),
            }
            .into(),
        ),
        EventBody::CallbackRequested(stated, note),
        EventBody::PolicyChanged(stamp(), Sealed::Gone),
        EventBody::AccessRecorded(Access { subject: "history of a debtor".into() }, Sealed::Gone),
        EventBody::PausePlaced(pause(), Sealed::Gone),
        EventBody::PauseLifted(PauseEnd { name: "storm".into() }, Sealed::Gone),
    ]
}
