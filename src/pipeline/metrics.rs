//! What is counted, for Prometheus. Labels name channels, providers and outcomes, never people.

use crate::domain::channel::Channel;
use crate::domain::outcome::{FailureClass, Outcome};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    channel: &'static str,
    provider: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallbackLabels {
    channel: &'static str,
    provider: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoticeLabels {
    webhook: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabels {
    webhook: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProviderLabels {
    channel: &'static str,
    provider: String,
}

/// The pipeline's counters.
#[derive(Default)]
pub struct Metrics {
    attempts: Family<AttemptLabels, Counter>,
    callbacks: Family<CallbackLabels, Counter>,
    accepted: Counter,
    agenda: Gauge,
    notices: Family<NoticeLabels, Counter>,
    backlog: Family<WebhookLabels, Gauge>,
    behind: Family<WebhookLabels, Gauge>,
    away: Family<WebhookLabels, Gauge>,
    shares: Family<ProviderLabels, Gauge>,
    set_backs: Family<ProviderLabels, Counter>,
}

impl Metrics {
    /// Counters that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "dunwell_contact_requests_accepted",
            "Contact requests accepted, repeats apart",
            metrics.accepted.clone(),
        );
        registry.register("dunwell_attempts", "Attempts by how they ended", metrics.attempts.clone());
        registry.register("dunwell_callbacks", "Callbacks by what became of them", metrics.callbacks.clone());
        registry.register(
            "dunwell_agenda_tasks",
            "Requests and permits waiting for a moment",
            metrics.agenda.clone(),
        );
        registry.register(
            "dunwell_webhook_notices",
            "Tries to tell a webhook's receiver: sent, failed, and dead where it was given up",
            metrics.notices.clone(),
        );
        let backlog =
            "Notices that a webhook's receiver has not taken yet, as far as the log was read for it";
        registry.register("dunwell_webhook_backlog", backlog, metrics.backlog.clone());
        let behind = "Events of the log behind what a webhook's receiver was told";
        registry.register("dunwell_webhook_lag_events", behind, metrics.behind.clone());
        let away = "Whether a webhook's receiver takes nothing at all (1) or not (0)";
        registry.register("dunwell_webhook_away", away, metrics.away.clone());
        registry.register(
            "dunwell_provider_share",
            "How much of its traffic a provider gets, in hundredths: 100 in service, 0 while it is left alone",
            metrics.shares.clone(),
        );
        registry.register(
            "dunwell_provider_set_backs",
            "How often a provider was put out of service, or asked for patience",
            metrics.set_backs.clone(),
        );
        metrics
    }

    /// Contact requests were accepted.
    pub fn accepted(&self, count: u64) {
        self.accepted.inc_by(count);
    }

    /// An attempt came to an end.
    pub fn attempt(&self, channel: Channel, provider: &str, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Accepted { .. } => "sent",
            Outcome::Failed(failure) => match failure.class {
                FailureClass::NeverLeft => "never_left",
                FailureClass::Refused => "refused",
                FailureClass::Throttled => "throttled",
                FailureClass::Uncertain => "uncertain",
            },
        };
        let labels = AttemptLabels { channel: channel.as_str(), provider: provider.to_owned(), outcome };
        self.attempts.get_or_create(&labels).inc();
    }

    /// A callback was believed, refused, or matched nothing.
    pub fn callback(&self, channel: Channel, provider: &str, result: &'static str) {
        let labels = CallbackLabels { channel: channel.as_str(), provider: provider.to_owned(), result };
        self.callbacks.get_or_create(&labels).inc();
    }

    /// A notice was `sent`, `failed` once, or is `dead`.
    pub fn webhook(&self, webhook: &str, result: &'static str) {
        self.notices.get_or_create(&NoticeLabels { webhook: webhook.to_owned(), result }).inc();
    }

    /// Where a webhook's receiver stands.
    pub fn webhook_standing(&self, webhook: &str, backlog: usize, behind: u64, away: bool) {
        let labels = WebhookLabels { webhook: webhook.to_owned() };
        self.backlog.get_or_create(&labels).set(i64::try_from(backlog).unwrap_or(i64::MAX));
        self.behind.get_or_create(&labels).set(i64::try_from(behind).unwrap_or(i64::MAX));
        self.away.get_or_create(&labels).set(i64::from(away));
    }

    /// A provider was put out of service, or asked for patience.
    pub fn set_back(&self, channel: Channel, provider: &str) {
        self.set_backs.get_or_create(&of_provider(channel, provider)).inc();
    }

    /// A provider gets so many hundredths of its traffic.
    pub fn share(&self, channel: Channel, provider: &str, hundredths: u32) {
        self.shares.get_or_create(&of_provider(channel, provider)).set(hundredths.into());
    }

    /// So much stands on the agenda.
    pub fn agenda(&self, tasks: usize) {
        self.agenda.set(i64::try_from(tasks).unwrap_or(i64::MAX));
    }
}

fn of_provider(channel: Channel, provider: &str) -> ProviderLabels {
    ProviderLabels { channel: channel.as_str(), provider: provider.to_owned() }
}
