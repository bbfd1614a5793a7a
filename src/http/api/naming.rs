//! From the keys that the history carries back to what upstream calls things, as long as the debtor is on file.

use crate::domain::id::{AccountKey, PointKey};
use crate::domain::state::DebtorState;

/// What upstream calls the points and accounts of a debtor.
pub struct Names<'s> {
    state: &'s DebtorState,
}

impl<'s> Names<'s> {
    /// Of one debtor.
    pub fn of(state: &'s DebtorState) -> Self {
        Self { state }
    }

    /// The value of a contact point on file. The outline has the points in upstream's order.
    pub fn point(&self, key: PointKey) -> Option<&'s str> {
        let place = self.state.outline.points.iter().position(|point| point.point == key)?;
        let file = self.state.file.as_ref()?;
        file.contact_points.get(place).map(|point| point.value.as_str())
    }

    /// The identifiers of accounts on file; those no longer there are left out.
    pub fn accounts(&self, keys: &[AccountKey]) -> Vec<String> {
        keys.iter().filter_map(|key| self.account(*key)).map(str::to_owned).collect()
    }

    fn account(&self, key: AccountKey) -> Option<&'s str> {
        let place = self.state.outline.accounts.iter().position(|account| account.account == key)?;
        let file = self.state.file.as_ref()?;
        file.accounts.get(place).map(|account| account.account_id.as_str())
    }
}
