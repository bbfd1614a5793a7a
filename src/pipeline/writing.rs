//! From a decision to the words that go out, and the signed link that stops them.

use crate::domain::channel::Channel;
use crate::domain::debtor::Account;
use crate::domain::decision::{Decision, Disclosure};
use crate::domain::id::{DebtorKey, PointKey, Pseudonym};
use crate::domain::message::Content;
use crate::domain::state::{DebtorState, RequestState};
use crate::domain::time::{Date, Timestamp};
use crate::pipeline::carriers::Carrier;
use crate::pipeline::{Desk, calls, links};
use crate::policy::zones_in_play;
use crate::template::context::Context;
use crate::template::render::Rendered;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Writes the message of a request for the channel that was decided; or says, without anything personal, why it can't be.
#[expect(clippy::too_many_arguments, reason = "what one message is written from")]
pub fn write(
    desk: &Desk,
    debtor: DebtorKey,
    state: &DebtorState,
    request: &RequestState,
    decision: &Decision,
    point: PointKey,
    carrier: &Carrier,
    now: Timestamp,
) -> Result<Rendered, String> {
    let file = state.file.as_ref().ok_or("the debtor is not on file")?;
    let secret = request.secret.open().ok_or("the request's words are gone")?;
    let regions: Vec<String> = match decision.disclosures.contains(&Disclosure::Licence) {
        true => state.outline.locations.iter().filter_map(|place| place.region.clone()).collect(),
        false => Vec::new(),
    };
    let links = matches!(decision.channel, Channel::Email | Channel::Portal);
    let unsubscribe = links.then(|| unsubscribe_url(desk, debtor, point));
    let portal = portal_url(desk, debtor, decision.channel);
    let context = Context {
        accounts: accounts(desk, state, request),
        collector: &desk.settings.collector,
        disclosures: &decision.disclosures,
        licence_regions: &regions,
        name: file.name.as_ref(),
        portal_url: portal.as_deref(),
        today: today(state, now),
        unsubscribe_url: unsubscribe.as_deref(),
        variables: &secret.variables,
    };
    let language = state.preferences.language.as_deref().or(file.language.as_deref());
    let template = &request.order.template;
    // Its words may have changed since the request was taken; the law was asked about those of then.
    if let Some(claim) =
        desk.templates.says(template).iter().find(|claim| !request.order.says.contains(claim))
    {
        return Err(format!(
            "the template `{template}` now says `{claim}`, and the request was taken without it"
        ));
    }
    let mut rendered = desk
        .templates
        .render(template, decision.channel, language, &context)
        .map_err(|error| error.to_string())?;
    if let Content::Voice { script: _, plan } = &mut rendered.content
        && carrier.is_told_what_to_say()
    {
        *plan = Some(Box::new(calls::plan(&desk.templates, &desk.voice, template, &context, language)?));
    }
    Ok(rendered)
}

/// The accounts a message is about: those named, or all that are open.
fn accounts<'a>(desk: &Desk, state: &'a DebtorState, request: &RequestState) -> Vec<&'a Account> {
    let Some(file) = &state.file else { return Vec::new() };
    let named = &request.order.accounts;
    file.accounts
        .iter()
        .filter(|account| named.is_empty() || named.contains(&desk.names.account(&account.account_id)))
        .collect()
}

/// The date where the debtor is; of several zones the first on file.
fn today(state: &DebtorState, now: Timestamp) -> Date {
    match zones_in_play(&state.outline).first() {
        Some(zone) => zone.local(now).date(),
        None => now.utc_date(),
    }
}

/// Where the debtor can answer online, where this installation has a portal: by a link of the message's own, or from within
/// the portal by its form.
fn portal_url(desk: &Desk, debtor: DebtorKey, channel: Channel) -> Option<String> {
    if !desk.carriers.has(Channel::Portal) {
        return None;
    }
    match channel {
        Channel::Email | Channel::Sms => {
            Some(links::url(desk, &links::mint(desk, debtor, links::MESSAGE_LINK_LIFE, false)))
        }
        Channel::Portal => Some(format!("{}/portal/write", desk.settings.public_url.trim_end_matches('/'))),
        Channel::Voice | Channel::Letter | Channel::Visit => None,
    }
}

/// The one-click unsubscribe address of a contact point (RFC 8058): nothing to look up, nothing to guess.
pub fn unsubscribe_url(desk: &Desk, debtor: DebtorKey, point: PointKey) -> String {
    let mut token = [0u8; 48];
    token[..16].copy_from_slice(debtor.0.as_bytes());
    token[16..32].copy_from_slice(point.0.as_bytes());
    let tag = tag(desk, debtor, point);
    token[32..].copy_from_slice(tag.as_bytes());
    let base = desk.settings.public_url.trim_end_matches('/');
    format!("{base}/u/{}", BASE64_URL_SAFE_NO_PAD.encode(token))
}

/// Whom and what a token unsubscribes, if it is one of ours.
pub fn read_token(desk: &Desk, token: &str) -> Option<(DebtorKey, PointKey)> {
    let bytes: [u8; 48] = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
    let part = |from: usize| -> Option<Pseudonym> {
        bytes.get(from..from + 16)?.try_into().ok().map(Pseudonym::from_bytes)
    };
    let (debtor, point) = (DebtorKey(part(0)?), PointKey(part(16)?));
    let genuine = subtle::ConstantTimeEq::ct_eq(&bytes[32..], tag(desk, debtor, point).as_bytes().as_slice());
    bool::from(genuine).then_some((debtor, point))
}

fn tag(desk: &Desk, debtor: DebtorKey, point: PointKey) -> Pseudonym {
    desk.names.pseudonym("unsubscribe", &format!("{debtor}{point}"))
}
