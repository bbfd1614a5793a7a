//! Carriers that reach nobody: the sandbox and the portal's inbox.

use crate::patience::until;
use crate::{failure, mail, manifest, open, sms};
use dunwell::channel::sandbox::REMEMBERED;
use dunwell::channel::{Gate, OVERTAKEN};
use dunwell::domain::channel::Channel;
use dunwell::domain::contact_point::{PointKind, PointValue};
use dunwell::domain::message::{Content, Outgoing};
use dunwell::domain::outcome::{FailureCause, FailureClass, Outcome};
use dunwell::provider::callback::{CallbackEvent, DeliveryStatus};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn the_sandbox_does_what_its_addresses_say() {
    let transport = open(&manifest(Channel::Sms, "sandbox"), &[("receipt_after_ms", "100")]);
    let sandbox = transport.sandbox().expect("sandbox");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    sandbox.listen(Arc::new(move |event| told.lock().expect("lock").push(event)));
    for (number, class, cause) in [
        ("+13055550101", FailureClass::Refused, FailureCause::InvalidAddress),
        ("+13055550102", FailureClass::Uncertain, FailureCause::Provider),
        ("+13055550103", FailureClass::Throttled, FailureCause::Provider),
        ("+13055550104", FailureClass::Refused, FailureCause::OptedOut),
        ("+13055550105", FailureClass::Refused, FailureCause::Content),
        ("+13055550106", FailureClass::NeverLeft, FailureCause::Provider),
        ("+13055550109", FailureClass::Refused, FailureCause::Account),
    ] {
        let (found, why, _) = failure(transport.send(&sms(number, "t"), Gate::open()).await);
        assert_eq!((found, why), (class, cause), "{number}");
    }
    for number in ["+13055550107", "+13055550108", "+13055550117"] {
        let outcome = transport.send(&sms(number, "t"), Gate::open()).await;
        assert!(matches!(outcome, Outcome::Accepted { provider_ref: Some(_) }), "{number}");
    }
    assert!(heard.lock().expect("lock").is_empty(), "receipts come later");
    until("both receipts", async || (heard.lock().expect("lock").len() == 2).then_some(())).await;
    let statuses: Vec<(DeliveryStatus, FailureCause)> = heard
        .lock()
        .expect("lock")
        .iter()
        .map(|event| match event {
            CallbackEvent::Delivery(delivery) => (delivery.status, delivery.cause),
            CallbackEvent::Inbound(_) | CallbackEvent::Call(_) => panic!("nobody wrote"),
        })
        .collect();
    assert_eq!(
        statuses,
        [
            (DeliveryStatus::Failed, FailureCause::InvalidAddress),
            (DeliveryStatus::Delivered, FailureCause::Unspecified)
        ]
    );
    let from = PointValue::parse(PointKind::Phone, "+13055550117").expect("phone");
    sandbox.reply(&from, "+15005550006", "STOP", "reply-1");
    assert!(
        matches!(heard.lock().expect("lock").last(), Some(CallbackEvent::Inbound(i)) if i.text == "STOP")
    );
    assert_eq!(sandbox.sent().len(), 10);
    assert!(!format!("{:?}", sandbox.sent()).contains("3055550117"));
}

#[tokio::test]
async fn the_sandbox_is_bounded_and_keeps_to_the_gate() {
    let transport = open(&manifest(Channel::Email, "sandbox"), &[]);
    let (class, _, code) = failure(transport.send(&mail("s", "t"), Gate::new(|| false)).await);
    assert_eq!((class, code.as_str()), (FailureClass::NeverLeft, OVERTAKEN));
    let sandbox = transport.sandbox().expect("sandbox");
    assert!(sandbox.sent().is_empty());
    let mut bounced = mail("s", "t");
    bounced.to = PointValue::parse(PointKind::Email, "sample017.invalid@example.com").expect("address");
    let (class, cause, _) = failure(transport.send(&bounced, Gate::open()).await);
    assert_eq!((class, cause), (FailureClass::Refused, FailureCause::InvalidAddress));
    for _ in 0..REMEMBERED + 5 {
        transport.send(&mail("s", "t"), Gate::open()).await;
    }
    assert_eq!(sandbox.sent().len(), REMEMBERED);
}

#[tokio::test]
async fn the_inbox_takes_what_the_gate_lets_through() {
    let transport = open(&manifest(Channel::Portal, "inbox"), &[]);
    let entry = Outgoing {
        to: PointValue::parse(PointKind::Portal, "sample017").expect("login"),
        content: Content::Portal { subject: "s".to_owned(), html: "<p>t</p>".to_owned() },
        ..sms("+13055550117", "t")
    };
    assert_eq!(transport.send(&entry, Gate::open()).await, Outcome::Accepted { provider_ref: None });
    let (class, _, code) = failure(transport.send(&entry, Gate::new(|| false)).await);
    assert_eq!((class, code.as_str()), (FailureClass::NeverLeft, OVERTAKEN));
    let (class, cause, _) = failure(transport.send(&sms("+13055550117", "t"), Gate::open()).await);
    assert_eq!((class, cause), (FailureClass::Refused, FailureCause::Content));
}
