//! Tokens that a vendor lends: fetched once, used until they run out, and fetched anew where one that worked is refused.

use crate::domain::outcome::Failure;
use crate::domain::time::Timestamp;
use crate::provider::oauth2::Token;
use secrecy::SecretString;
use tokio::sync::Mutex;

/// The token of one provider.
#[derive(Debug, Default)]
pub struct Bearer {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<(SecretString, Timestamp)>,
    /// Which one it is, counted from the first.
    number: u64,
    /// Whether the vendor took it at least once.
    worked: bool,
}

/// A token for one request.
pub struct Lent {
    /// What stands in `Authorization`.
    pub authorization: SecretString,
    number: u64,
}

impl Bearer {
    /// The token that is held, or else a new one. Where many want one, one of them fetches it.
    ///
    /// # Errors
    /// What `fetch` says.
    pub async fn lend(
        &self,
        now: Timestamp,
        fetch: impl Future<Output = Result<Token, Failure>>,
    ) -> Result<Lent, Failure> {
        let mut held = self.held.lock().await;
        let number = held.number;
        if let Some((token, _)) = held.token.as_ref().filter(|(_, until)| now < *until) {
            return Ok(Lent { authorization: token.clone(), number });
        }
        let Token { authorization, lives } = fetch.await?;
        let until = now.plus(lives);
        *held = Held { token: Some((authorization.clone(), until)), number: number + 1, worked: false };
        Ok(Lent { authorization, number: number + 1 })
    }

    /// The vendor took it.
    pub async fn worked(&self, lent: &Lent) {
        let mut held = self.held.lock().await;
        if held.number == lent.number {
            held.worked = true;
        }
    }

    /// The vendor refused it. `true` if it is only this token that is refused, because it worked before or is not held any
    /// more: another try brings another token. One that never worked is refused for another reason.
    pub async fn refused(&self, lent: &Lent) -> bool {
        let mut held = self.held.lock().await;
        if held.number != lent.number {
            return true;
        }
        held.token = None;
        held.worked
    }
}
