//! A vendor's callback: verified by its own signature before a byte of it is believed, then handed to [`receive`].

use crate::channel::email::incoming::{self, Incoming, Letter, Told};
use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::Channel;
use crate::domain::contact::ContactResult;
use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::event::Actor;
use crate::domain::id::{AttemptId, DebtorKey};
use crate::pipeline::carriers::Carrier;
use crate::pipeline::receive::{self, Report};
use crate::pipeline::understanding::{Reply, Understood};
use crate::pipeline::unit::Unit;
use crate::pipeline::{Pipeline, Refusal, calls, dispatch, replies};
use crate::provider::acknowledge::Acknowledgement;
use crate::provider::callback::{
    CallbackError, CallbackEvent, CallbackKind, CallbackRequest, Delivery, DeliveryStatus, Grounds, Heard,
    Inbound,
};
use crate::provider::dialect::Written;
use crate::provider::signature::OneTime;
use crate::storage::StorageError;

/// Why a callback was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackRefusal {
    /// Not the vendor's: its signature does not hold.
    Unauthenticated,
    /// There is no such provider or callback.
    Unknown,
    /// The vendor's, but not what its manifest describes.
    Malformed,
    /// The history is out of reach: the vendor should try again.
    Unavailable,
}

impl Pipeline {
    /// How many bytes such a callback may have; none where there is no such provider or callback.
    pub fn largest_callback(&self, channel: Channel, vendor: &str, kind: CallbackKind) -> Option<usize> {
        self.desk().carriers.find(channel, vendor)?.vendor().0.largest_callback(kind)
    }

    /// Whether such a callback must bring a user and a password.
    pub fn wants_password(&self, channel: Channel, vendor: &str, kind: CallbackKind) -> bool {
        let carrier = self.desk().carriers.find(channel, vendor);
        carrier.is_some_and(|carrier| carrier.vendor().0.wants_password(kind))
    }

    /// A callback was refused for its size, before anything of it was read.
    pub fn callback_too_large(&self, channel: Channel, vendor: &str, kind: CallbackKind) {
        tracing::warn!(provider = vendor, callback = kind.as_str(), "callback.too_large");
        self.metrics().callback(channel, vendor, "too_large");
    }

    /// Takes a vendor's callback and says what to answer.
    ///
    /// # Errors
    /// Why it was not taken. Nothing was recorded then but where the history fell out of reach midway: of a callback with
    /// several events, those before it are recorded, and its repetition finds them.
    pub async fn receive(
        &self,
        channel: Channel,
        vendor: &str,
        kind: CallbackKind,
        request: &CallbackRequest,
    ) -> Result<Acknowledgement, CallbackRefusal> {
        let carrier = self.desk().carriers.find(channel, vendor).ok_or(CallbackRefusal::Unknown)?;
        let (manifest, settings) = carrier.vendor();
        let now = self.desk().clock.now();
        let certificate = match manifest.certificate(kind, request) {
            Some(address) => match self.desk().fetcher.certificate(&address).await {
                Some(pem) => Some((address, pem)),
                None => {
                    let callback = kind.as_str();
                    tracing::warn!(provider = vendor, callback, "callback.certificate_unavailable");
                    return Err(CallbackRefusal::Unavailable);
                }
            },
            None => None,
        };
        let certificate = certificate.as_ref().map(|(address, pem)| (address.as_str(), pem.as_str()));
        let grounds = Grounds { settings, now, certificate };
        let heard = manifest.verify_and_parse(kind, request, &grounds).map_err(|error| {
            let refusal = refusal(&error);
            tracing::warn!(provider = vendor, callback = kind.as_str(), error = %error, "callback.refused");
            self.metrics().callback(channel, vendor, "refused");
            refusal
        })?;
        for _ in 0..heard.unreadable {
            tracing::warn!(provider = vendor, callback = kind.as_str(), "callback.unreadable_event");
            self.metrics().callback(channel, vendor, "unreadable");
        }
        if heard.events.is_empty() && heard.passed_over > 0 {
            let passed_over = heard.passed_over;
            tracing::info!(provider = vendor, callback = kind.as_str(), passed_over, "callback.passed_over");
            self.metrics().callback(channel, vendor, "passed_over");
        }
        match heard.once.clone() {
            Some(once) => self.act_once(carrier, kind, request, heard, once).await,
            None => self.act_on(carrier, kind, request, heard).await,
        }
    }

    /// Acts on a callback that counts once, unless it was acted on before. While one is, its repetition is sent away: what
    /// becomes of the first is not known yet. Where nothing does, because its vendor hangs up or the store fails, the next
    /// one is the first. That it was taken is kept right after what it says: after a crash between the two it is taken again,
    /// and finds the same events.
    async fn act_once(
        &self,
        carrier: &Carrier,
        kind: CallbackKind,
        request: &CallbackRequest,
        heard: Heard,
        once: OneTime,
    ) -> Result<Acknowledgement, CallbackRefusal> {
        let (channel, vendor) = (carrier.channel, carrier.name.as_str());
        let told = |result: &'static str| {
            tracing::warn!(provider = vendor, callback = kind.as_str(), result, "callback.repeated");
            self.metrics().callback(channel, vendor, result);
        };
        let signed = format!("{channel}/{vendor} {}", hex::encode(&once.signed));
        let signed = self.desk().names.pseudonym("callback", &signed);
        let Some(_place) = self.desk().once.enter(signed) else {
            told("under_way");
            return Err(CallbackRefusal::Unavailable);
        };
        let unavailable = |_| CallbackRefusal::Unavailable;
        if self.read(move |store| store.reader()?.has_callback(signed)).await.map_err(unavailable)? {
            told("repeated");
            return Ok(heard.acknowledge);
        }
        let answer = self.act_on(carrier, kind, request, heard).await?;
        let keep =
            move |unit: &mut Unit<'_>| unit.batch.keep_callback(signed, once.until, unit.now()).map(Ok);
        self.file(keep).await.map_err(unavailable)?;
        Ok(answer)
    }

    /// What follows from a callback that is believed, and what to answer.
    async fn act_on(
        &self,
        carrier: &Carrier,
        kind: CallbackKind,
        request: &CallbackRequest,
        heard: Heard,
    ) -> Result<Acknowledgement, CallbackRefusal> {
        let (channel, vendor) = (carrier.channel, carrier.name.as_str());
        let mut acknowledge = heard.acknowledge;
        for event in heard.events {
            let found = match event {
                CallbackEvent::Call(said) => {
                    let answer = self.called(carrier, &request.url, said).await;
                    answer.map(|answer| {
                        let found = answer.is_some();
                        acknowledge = document(answer.unwrap_or_else(|| calls::over(carrier)));
                        found
                    })
                }
                CallbackEvent::Delivery(said) => {
                    if let Some(written) = self.steered(carrier, &said).await? {
                        acknowledge = document(written);
                    }
                    self.delivered(channel, vendor, said).await
                }
                CallbackEvent::Inbound(said) => self.replied(channel, vendor, said).await,
            };
            let found = found.map_err(|_| CallbackRefusal::Unavailable)?;
            self.metrics().callback(channel, vendor, if found { "recorded" } else { "unmatched" });
            if !found {
                tracing::warn!(provider = vendor, callback = kind.as_str(), "callback.unmatched");
            }
        }
        if let Some(address) = heard.visit {
            let well = self.desk().fetcher.call(&address).await;
            tracing::info!(provider = vendor, callback = kind.as_str(), well, "callback.handshake");
            self.metrics().callback(channel, vendor, "handshake");
            if !well {
                return Err(CallbackRefusal::Unavailable);
            }
        }
        Ok(acknowledge)
    }

    /// What a vendor is answered that tells who or what took a call.
    async fn steered(&self, carrier: &Carrier, said: &Delivery) -> Result<Option<Written>, CallbackRefusal> {
        let Some(who) = said.status.answered_by() else { return Ok(None) };
        let answer = self.detected(carrier, said.attempt, said.provider_ref.clone(), who).await;
        answer.map_err(|_| CallbackRefusal::Unavailable)
    }

    /// Takes what a provider says, once it is believed. `false` if it is about nothing of ours.
    ///
    /// # Errors
    /// The history is out of reach.
    pub async fn take(&self, channel: Channel, vendor: &str, event: CallbackEvent) -> Result<bool, Refusal> {
        match event {
            CallbackEvent::Delivery(delivery) => self.delivered(channel, vendor, delivery).await,
            CallbackEvent::Inbound(inbound) => self.replied(channel, vendor, inbound).await,
            // It asks for an answer, and whoever hands it in here awaits none.
            CallbackEvent::Call(_) => Ok(false),
        }
    }

    /// A receipt. `false` if it is about no message that we know of; it then waits for one.
    async fn delivered(&self, channel: Channel, vendor: &str, said: Delivery) -> Result<bool, Refusal> {
        let status = match said.status {
            // The vendor has it, so it left: news where its fate was unknown.
            DeliveryStatus::Pending | DeliveryStatus::Sent => Some(AttemptStatus::Sent),
            DeliveryStatus::Delivered | DeliveryStatus::Complained => Some(AttemptStatus::Delivered),
            DeliveryStatus::Failed => Some(AttemptStatus::Failed),
            DeliveryStatus::Answered
            | DeliveryStatus::Human
            | DeliveryStatus::Machine
            | DeliveryStatus::MachineGreeting
            | DeliveryStatus::Unsure => Some(AttemptStatus::Sent),
            DeliveryStatus::Ended
            | DeliveryStatus::Busy
            | DeliveryStatus::NoAnswer
            | DeliveryStatus::NotConnected => ended_as(said.status).map(ContactResult::status_of_call),
            DeliveryStatus::Unrecognised => None,
        };
        let ended = said.status == DeliveryStatus::Ended;
        let report = Report {
            status,
            reported: said.status.as_str().to_owned(),
            code: said.code,
            cause: said.cause,
            complained: said.status == DeliveryStatus::Complained,
            in_hand: said.status == DeliveryStatus::Pending
                || status == Some(AttemptStatus::Sent) && said.status.is_of_calls(),
            result: ended_as(said.status),
        };
        let (vendor, reference, known) = (vendor.to_owned(), said.provider_ref, said.attempt);
        self.file(move |unit| {
            let of_ours = match known {
                // An attempt that another provider carries is none of this one's business.
                Some(id) => unit.batch.attempt(id)?.filter(|row| row.provider == vendor),
                None => None,
            };
            let found = match (of_ours, &reference) {
                (Some(row), _) => Some((row.debtor, row.attempt)),
                (None, Some(reference)) => receive::attempt_of(unit, &vendor, reference)?,
                (None, None) => None,
            };
            match (found, reference) {
                // What came of the call is known already, from what was said on it.
                (Some((debtor, id)), _) if ended && concluded(unit, debtor, id)? => Ok(Ok(true)),
                (Some((debtor, id)), reference) => {
                    let actor = Actor::Provider(format!("{channel}/{vendor}"));
                    // Its answer to the send may never have come: this says as well which receipts are the attempt's.
                    if reference.is_some() {
                        dispatch::accepted(unit, debtor, id, reference)?;
                    }
                    receive::report(unit, &actor, debtor, id, &report)?;
                    Ok(Ok(true))
                }
                (None, Some(reference)) => {
                    unit.desk.parking.park(&vendor, &reference, report, unit.now());
                    Ok(Ok(false))
                }
                (None, None) => Ok(Ok(false)),
            }
        })
        .await
    }

    /// A reply. From a point that is on no file it is kept on a file of its own, so that a stop binds whoever gets the point.
    async fn replied(&self, channel: Channel, vendor: &str, said: Inbound) -> Result<bool, Refusal> {
        let kind = PointKind::of(channel).ok_or(Refusal::NotFound("channel"))?;
        if channel == Channel::Email {
            return self.written(vendor, said).await;
        }
        // Some vendors write numbers without the plus sign, or with the two zeros dialled in its stead.
        let bare = said.from.trim().trim_start_matches('+');
        let bare = bare.strip_prefix("00").unwrap_or(bare);
        let value = PointValue::parse(kind, &said.from)
            .or_else(|_| PointValue::parse(kind, &format!("+{bare}")))
            .ok();
        let from = value.as_ref().map_or(said.from.as_str(), PointValue::expose).to_owned();
        let stranger = DebtorKey(self.desk().names.pseudonym("stranger", &from));
        let reply = Reply {
            channel,
            point: self.desk().names.point(kind.as_str(), &from),
            from,
            text: said.text,
            keyword: said.keyword,
            provider_ref: said.provider_ref,
            answers: None,
        };
        let actor = Actor::Provider(format!("{channel}/{vendor}"));
        match value {
            Some(_) => self.hear(actor, stranger, reply).await,
            None => self.hear_nobody(actor, stranger, reply).await,
        }
    }

    /// A letter by way of a vendor: read as one that came by our own listener, so that a machine's answer is no reply and a
    /// letter in HTML is one.
    async fn written(&self, vendor: &str, said: Inbound) -> Result<bool, Refusal> {
        let told = Told {
            from: &said.from,
            id: said.provider_ref.as_deref(),
            subject: said.letter.subject.as_deref(),
            headers: &said.letter.headers,
            text: &said.text,
            html: said.letter.html.as_deref(),
        };
        match incoming::told(&told) {
            Some(Incoming::Letter(letter)) => self.letter(&format!("email/{vendor}"), letter).await,
            Some(Incoming::Machine | Incoming::Report { .. } | Incoming::Complaint { .. }) => Ok(false),
            // Its own headers name nobody as its sender.
            None => {
                let html = said.letter.html.filter(|_| said.text.trim().is_empty());
                let text = html.unwrap_or(said.text);
                let letter = Letter { from: said.from, text, id: said.provider_ref, answers: None };
                self.letter(&format!("email/{vendor}"), letter).await
            }
        }
    }

    /// Takes in a reply, whichever way it came: the one door for texts, emails, the portal and calls. It is in force once
    /// this returns.
    ///
    /// # Errors
    /// The history is out of reach.
    pub async fn hear(&self, actor: Actor, stranger: DebtorKey, reply: Reply) -> Result<bool, Refusal> {
        self.hear_else(actor, stranger, reply, replies::receive_from_stranger).await
    }

    /// Takes in a reply whose sender is no address, under whatever stands there in its stead.
    ///
    /// # Errors
    /// The history is out of reach.
    pub(in crate::pipeline) async fn hear_nobody(
        &self,
        actor: Actor,
        stranger: DebtorKey,
        reply: Reply,
    ) -> Result<bool, Refusal> {
        if let Actor::Provider(provider) = &actor {
            tracing::warn!(provider, "reply.sender_unreadable");
        }
        self.hear_else(actor, stranger, reply, replies::receive_from_nobody).await
    }

    /// Takes in a reply; what is done with one that is of nobody on file is told.
    async fn hear_else(
        &self,
        actor: Actor,
        stranger: DebtorKey,
        reply: Reply,
        otherwise: fn(&mut Unit<'_>, &Actor, DebtorKey, &Understood) -> Result<(), StorageError>,
    ) -> Result<bool, Refusal> {
        let said = Understood::off_the_loop(reply, self.desk().clock.now()).await?;
        self.file(move |unit| {
            if !replies::receive(unit, &actor, &said)? {
                otherwise(unit, &actor, stranger, &said)?;
            }
            Ok(Ok(true))
        })
        .await
    }
}

/// How a call ended, as far as its vendor's word says. One that was taken, and of which nothing more is known when it is over,
/// reached nobody who said to be the debtor.
fn ended_as(status: DeliveryStatus) -> Option<ContactResult> {
    match status {
        DeliveryStatus::Ended | DeliveryStatus::NoAnswer => Some(ContactResult::NoAnswer),
        DeliveryStatus::Busy => Some(ContactResult::Busy),
        DeliveryStatus::NotConnected => Some(ContactResult::NotConnected),
        DeliveryStatus::Pending
        | DeliveryStatus::Sent
        | DeliveryStatus::Delivered
        | DeliveryStatus::Failed
        | DeliveryStatus::Complained
        | DeliveryStatus::Answered
        | DeliveryStatus::Human
        | DeliveryStatus::Machine
        | DeliveryStatus::MachineGreeting
        | DeliveryStatus::Unsure
        | DeliveryStatus::Unrecognised => None,
    }
}

/// Whether it is known how a call ended.
fn concluded(unit: &mut Unit<'_>, debtor: DebtorKey, id: AttemptId) -> Result<bool, StorageError> {
    Ok(unit.debtor(debtor)?.attempts.get(&id).is_some_and(|attempt| attempt.result.is_some()))
}

/// A document as an answer.
fn document(written: Written) -> Acknowledgement {
    Acknowledgement { status: 200, content_type: Some(written.content_type), body: written.body }
}

fn refusal(error: &CallbackError) -> CallbackRefusal {
    match error {
        CallbackError::Unexpected | CallbackError::Method => CallbackRefusal::Unknown,
        CallbackError::Unbelievable(_) => CallbackRefusal::Unauthenticated,
        CallbackError::Malformed(_) => CallbackRefusal::Malformed,
    }
}
