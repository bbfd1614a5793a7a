//! What carriers report by themselves, without a callback from outside: sandboxes, and centres over their own connection.

use crate::channel::smpp::{Smpp, Taker};
use crate::domain::channel::Channel;
use crate::pipeline::Pipeline;
use crate::pipeline::worker::Workshop;
use crate::provider::callback::CallbackEvent;
use crate::storage::Store;
use std::sync::{Arc, Weak};

/// A way to a pipeline that does not keep it alive.
#[derive(Clone)]
struct Way {
    shop: Weak<Workshop>,
    store: Store,
    channel: Channel,
    name: String,
}

impl Way {
    /// Has something recorded. `false` if it is not durable: the pipeline is gone, or the history out of reach.
    async fn take(self, event: CallbackEvent) -> bool {
        let Some(shop) = self.shop.upgrade() else { return false };
        let pipeline = Pipeline { shop, store: self.store };
        let (channel, name) = (self.channel, self.name.as_str());
        match pipeline.take(channel, name, event).await {
            Ok(found) => {
                let result = if found { "recorded" } else { "unmatched" };
                pipeline.metrics().callback(channel, name, result);
                if !found {
                    tracing::warn!(provider = name, "callback.unmatched");
                }
                true
            }
            Err(_) => {
                tracing::warn!(provider = name, "callback.not_recorded");
                false
            }
        }
    }
}

impl Pipeline {
    /// Begins to hear what carriers report by themselves.
    pub(in crate::pipeline) fn hear_carriers(&self) {
        for carrier in self.desk().carriers.all() {
            let way = Way {
                shop: Arc::downgrade(&self.shop),
                store: self.store.clone(),
                channel: carrier.channel,
                name: carrier.name.clone(),
            };
            if carrier.vendor().0.poll.is_some() {
                let (pipeline, carrier) = (self.clone(), carrier.clone());
                self.shop.tasks.spawn(async move { pipeline.poll(&carrier).await });
            }
            if let Some(centre) = carrier.transport().centre() {
                hear_centre(centre, way);
            } else if let Some(sandbox) = carrier.transport().sandbox() {
                let runtime = tokio::runtime::Handle::current();
                sandbox.listen(Arc::new(move |event| {
                    let way = way.clone();
                    runtime.spawn(async move { way.take(event).await });
                }));
            }
        }
    }
}

/// Opens a centre's connection. What comes over it is acknowledged once it is durable.
fn hear_centre(centre: &Smpp, way: Way) {
    let taker: Taker = Arc::new(move |event| Box::pin(way.clone().take(event)));
    centre.listen(taker);
}
