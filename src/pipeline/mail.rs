//! Mail that came in: replies, delivery reports and complaints, each to where the other channels' go.

use crate::channel::email::incoming::{self, Fate, Incoming, Letter};
use crate::channel::email::listener::{Envelope, Verdict};
use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::Channel;
use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::event::Actor;
use crate::domain::id::{AttemptId, DebtorKey};
use crate::domain::outcome::FailureCause;
use crate::pipeline::receive::{self, Report};
use crate::pipeline::understanding::Reply;
use crate::pipeline::{Pipeline, Refusal, naming};
use crate::reply::quoted;

/// Who it is that hands mail in.
const LISTENER: &str = "email/listener";

impl Pipeline {
    /// Takes in a message as the mail server handed it over, in its envelope. What follows from it is durable once this says so.
    pub async fn take_mail(&self, bytes: &[u8], envelope: &Envelope) -> Verdict {
        let Some(mail) = incoming::read(bytes, envelope) else {
            tracing::warn!("mail.unreadable");
            return Verdict::Unreadable;
        };
        let taken = match mail {
            Incoming::Letter(letter) => self.letter(LISTENER, letter).await,
            Incoming::Report { attempt, fate, code } => self.returned(attempt, fate, code).await,
            Incoming::Complaint { attempt } => self.complained(attempt).await,
            Incoming::Machine => Ok(false),
        };
        match taken {
            Ok(found) => {
                self.metrics().callback(
                    Channel::Email,
                    "listener",
                    if found { "recorded" } else { "unmatched" },
                );
                Verdict::Taken
            }
            Err(_) => Verdict::Later,
        }
    }

    /// A reply. Where its sender is on no file, and it answers a message of ours, it came from the address we wrote to. Where
    /// its sender is on file as another address, a stop closes both.
    pub(in crate::pipeline) async fn letter(&self, by: &str, letter: Letter) -> Result<bool, Refusal> {
        let sender = PointValue::parse(PointKind::Email, &letter.from).ok();
        let names = self.desk().names.clone();
        let own = sender.as_ref().map(|sender| naming::point(&*names, sender));
        let answers = letter.answers;
        let (point, answered) = self
            .file(move |unit| {
                let row = answers.map_or(Ok(None), |attempt| unit.batch.attempt(attempt))?;
                let answered = match row {
                    Some(row) => {
                        unit.debtor(row.debtor)?.attempts.get(&row.attempt).and_then(|known| known.point)
                    }
                    None => None,
                };
                // One who wrote as a stranger before has a stream, and is on no debtor's file for that.
                if let Some(own) = own {
                    for debtor in unit.batch.streams_with_point(own)? {
                        if unit.debtor(debtor)?.point(own).is_some() {
                            return Ok(Ok((Some(own), answered)));
                        }
                    }
                }
                Ok(Ok((answered.or(own), answered)))
            })
            .await?;
        let from = sender.as_ref().map_or(letter.from.as_str(), PointValue::expose).to_owned();
        let stranger = DebtorKey(self.desk().names.pseudonym("stranger", &from));
        let provider_ref = letter.id.map(|id| naming::letter(&*self.desk().names, &from, &id, &letter.text));
        let reply = Reply {
            channel: Channel::Email,
            point: point.unwrap_or_else(|| self.desk().names.point(PointKind::Email.as_str(), &from)),
            from,
            text: quoted::own_words(&letter.text, &self.desk().settings.public_url),
            keyword: None,
            provider_ref,
            answers: answered.filter(|answered| Some(*answered) != point),
        };
        let actor = Actor::Provider(by.to_owned());
        match point {
            None if by != LISTENER => self.hear_nobody(actor, stranger, reply).await,
            // Anybody can write to the listener: what bears no address there is kept, and asks for nobody's time.
            None | Some(_) => self.hear(actor, stranger, reply).await,
        }
    }

    async fn returned(&self, attempt: AttemptId, fate: Fate, code: String) -> Result<bool, Refusal> {
        let (status, cause) = match fate {
            Fate::Delivered => (AttemptStatus::Delivered, FailureCause::Unspecified),
            Fate::Relayed => (AttemptStatus::Sent, FailureCause::Unspecified),
            // It is still being tried: nothing is known yet.
            Fate::Delayed => return Ok(true),
            Fate::Failed(cause) => (AttemptStatus::Failed, cause),
        };
        let word = match fate {
            Fate::Delivered => "delivered",
            Fate::Relayed => "relayed",
            Fate::Delayed => "delayed",
            Fate::Failed(_) => "bounced",
        };
        let report = Report {
            status: Some(status),
            reported: word.to_owned(),
            code: Some(code),
            cause,
            complained: false,
            in_hand: false,
            result: None,
        };
        self.reported(attempt, report).await
    }

    async fn complained(&self, attempt: AttemptId) -> Result<bool, Refusal> {
        let report = Report {
            status: Some(AttemptStatus::Delivered),
            reported: "complained".to_owned(),
            code: None,
            cause: FailureCause::Unspecified,
            complained: true,
            in_hand: false,
            result: None,
        };
        self.reported(attempt, report).await
    }

    async fn reported(&self, attempt: AttemptId, report: Report) -> Result<bool, Refusal> {
        self.file(move |unit| {
            let Some(row) = unit.batch.attempt(attempt)? else { return Ok(Ok(false)) };
            let of_email =
                unit.debtor(row.debtor)?.attempts.get(&attempt).is_some_and(|a| a.channel == Channel::Email);
            if of_email {
                let actor = Actor::Provider(LISTENER.to_owned());
                receive::report(unit, &actor, row.debtor, attempt, &report)?;
            }
            Ok(Ok(of_email))
        })
        .await
    }
}
