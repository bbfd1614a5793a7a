//! Everything that a rule may look at: a plain value that borrows from the state of the debtor.

use crate::domain::channel::{Channel, Claim, Party, Purpose};
use crate::domain::consent::{Consent, Hold, OptOut, Preferences};
use crate::domain::contact::Contact;
use crate::domain::contact_point::PointOutline;
use crate::domain::debtor::DebtorOutline;
use crate::domain::id::{AccountKey, PointKey};
use crate::domain::time::Timestamp;
use crate::domain::zone::{Zone, zones_of_country};

/// One contact that somebody wants to make, and what is known about the debtor.
///
/// Everything dated counts from its own date on, so facts later than `at` may be included; they bear only on the search
/// for a later moment.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The moment asked about.
    pub at: Timestamp,
    /// Over which medium.
    pub channel: Channel,
    /// Why.
    pub purpose: Purpose,
    /// What the message says that law looks at.
    pub says: &'a [Claim],
    /// Whom it is meant for.
    pub party: Party,
    /// Whether a machine makes it; see [`Channel::automated_by_default`].
    pub automated: bool,
    /// What it is about; empty means that no account was named, and the strictest answer over all of them stands.
    pub accounts: &'a [AccountKey],
    /// Over which contact point; none for letters and visits, or where none is on file.
    pub point: Option<&'a PointOutline>,
    /// The debtor.
    pub debtor: &'a DebtorOutline,
    /// What the debtor consented to, in any order.
    pub consents: &'a [Consent],
    /// What the debtor refused, and the stops that other debtors' files put on this contact point.
    pub opt_outs: &'a [OptOut],
    /// What bars contact, lifted or not.
    pub holds: &'a [Hold],
    /// When the debtor does not want to be reached.
    pub preferences: &'a Preferences,
    /// This debtor's contacts, ours and other people's, sorted by `occurred_at`.
    pub contacts: &'a [Contact],
    /// Other debtors' contacts about shared accounts or over this contact point, sorted by `occurred_at`.
    pub elsewhere: &'a [&'a Contact],
    /// Points over which a text or email is known to have reached somebody else, and when; see [`Contact::discloses`].
    pub disclosed_points: &'a [(PointKey, Timestamp)],
    /// Points found not to reach the debtor.
    pub invalid_points: &'a [PointKey],
    /// Points on which a reply waits until a person has understood it.
    pub frozen_points: &'a [PointKey],
}

/// The zones that hours are judged in, for the debtor as the file stands.
///
/// The zone that the debtor stated stands alone; else every zone of every location and phone number; else every zone of
/// the countries on file. Empty where even those are unknown: then there are no lawful hours.
pub fn zones_in_play(debtor: &DebtorOutline) -> Vec<Zone> {
    if let Some(zone) = debtor.stated_zone.as_deref().and_then(Zone::parse) {
        return vec![zone];
    }
    let mut zones: Vec<Zone> = Vec::with_capacity(4);
    let mut add = |name: &str| {
        if let Some(zone) = Zone::parse(name)
            && !zones.contains(&zone)
        {
            zones.push(zone);
        }
    };
    let of_places = debtor.locations.iter().flat_map(|location| &location.zones);
    let of_phones = debtor.points.iter().flat_map(|point| &point.zones);
    of_places.chain(of_phones).for_each(|name| add(name));
    if zones.is_empty() {
        let of_countries = debtor.locations.iter().flat_map(|location| zones_of_country(&location.country));
        of_countries.for_each(|name| {
            if let Some(zone) = Zone::parse(&name)
                && !zones.contains(&zone)
            {
                zones.push(zone);
            }
        });
    }
    zones
}
