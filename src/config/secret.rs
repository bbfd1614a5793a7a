//! Secrets: given literally, by an environment variable, or by a file; read only by the commands that need them.

use crate::config::document::{Node, Value};
use crate::config::environment::Environment;
use secrecy::SecretString;
use std::path::PathBuf;

/// Where a secret comes from. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// It stands in the configuration itself.
    Literal(SecretString),
    /// `{ env = "NAME" }`.
    Variable(String),
    /// `{ file = "PATH" }`; one line break at its end is not part of it.
    File(PathBuf),
}

impl SecretSource {
    /// Fetches the secret.
    ///
    /// # Errors
    /// What to do about it, without the secret.
    pub fn resolve(&self, environment: &Environment) -> Result<SecretString, String> {
        match self {
            Self::Literal(secret) => Ok(secret.clone()),
            Self::Variable(name) => match environment.get(name) {
                Some(value) => Ok(value.into()),
                None => Err(format!("the environment variable {name} is not set")),
            },
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(without_line_break(&text).into()),
                Err(error) => Err(format!("cannot read the file {}: {error}", path.display())),
            },
        }
    }

    /// Reads `{ env = … }` or `{ file = … }`.
    pub(in crate::config) fn of_table(node: &Node) -> Result<Self, String> {
        let wanted = "expected text, { env = \"NAME\" } or { file = \"PATH\" }";
        let Value::Table(table) = &node.value else {
            return Err(format!("{wanted}, not {}", node.value.kind()));
        };
        let mut entries = table.iter();
        match (entries.next(), entries.next()) {
            (Some((key, Node { value: Value::Text(text) | Value::Untyped(text), .. })), None)
                if !text.is_empty() =>
            {
                match key.as_str() {
                    "env" => Ok(Self::Variable(text.clone())),
                    "file" => Ok(Self::File(PathBuf::from(text))),
                    _ => Err(wanted.to_owned()),
                }
            }
            _ => Err(wanted.to_owned()),
        }
    }
}

fn without_line_break(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
