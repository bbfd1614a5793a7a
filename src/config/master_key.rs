//! The master key: it seals every debtor's key. Its file is made on the first start and readable by its owner alone.

use crate::config::Config;
use crate::config::environment::Environment;
use crate::config::secret::SecretSource;
use crate::domain::time::Entropy;
use secrecy::ExposeSecret;
use std::io::Write;
use std::path::Path;
use zeroize::Zeroizing;

/// The master key's length in bytes.
pub const LENGTH: usize = 32;

/// The key; wiped when dropped.
pub type MasterKey = Zeroizing<[u8; LENGTH]>;

/// The master key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The secret cannot be fetched.
    #[error("[keys] master cannot be had: {0}")]
    Unavailable(String),
    /// It is not a key.
    #[error("[keys] master is not {digits} hexadecimal digits", digits = LENGTH * 2)]
    Malformed,
    /// Others may read its file.
    #[error("the master key's file {0} may be read by others; run: chmod 600 {0}")]
    Exposed(String),
    /// Its file cannot be made.
    #[error("the master key's file {path} cannot be made: {error}")]
    Unwritable {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// The store is there, but the key is not: a new key could open nothing in it.
    #[error(
        "the store {store} is there but the master key's file {path} is not; put the file back: \
         without it nothing personal in the store can be read"
    )]
    Lost {
        /// The store.
        store: String,
        /// The file.
        path: String,
    },
}

impl Config {
    /// The master key; where its file is not there yet and no store either, both are about to begin, and it is made.
    ///
    /// # Errors
    /// What to do about it.
    pub fn master_key(
        &self,
        environment: &Environment,
        entropy: &dyn Entropy,
    ) -> Result<MasterKey, MasterKeyError> {
        if let SecretSource::File(path) = &self.master_key.value {
            if !path.exists() {
                self.make_key_file(path, entropy)?;
            }
            refuse_exposed(path)?;
        }
        let secret = self.master_key.value.resolve(environment).map_err(MasterKeyError::Unavailable)?;
        let mut key = MasterKey::default();
        hex::decode_to_slice(secret.expose_secret().trim(), key.as_mut_slice())
            .map_err(|_| MasterKeyError::Malformed)?;
        Ok(key)
    }

    fn make_key_file(&self, path: &Path, entropy: &dyn Entropy) -> Result<(), MasterKeyError> {
        if self.store.exists() {
            return Err(MasterKeyError::Lost {
                store: self.store.display().to_string(),
                path: path.display().to_string(),
            });
        }
        let mut key = MasterKey::default();
        entropy.fill(key.as_mut_slice());
        let text = Zeroizing::new(format!("{}\n", hex::encode(key.as_slice())));
        match write_new(path, text.as_bytes()) {
            // Another process was faster; its key is as good.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(MasterKeyError::Unwritable { path: path.display().to_string(), error }),
            Ok(()) => Ok(()),
        }
    }
}

/// Writes a file that is whole or not there at all, mode 0600, durable.
fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    // A link, unlike a renaming, does not replace what is there.
    let linked = written.and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft)?;
    linked?;
    std::fs::File::open(dir)?.sync_all()
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), MasterKeyError> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::metadata(path) {
        Ok(meta) if meta.permissions().mode() & 0o007 != 0 => {
            Err(MasterKeyError::Exposed(path.display().to_string()))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(MasterKeyError::Unavailable(format!("cannot read {}: {error}", path.display()))),
    }
}

#[cfg(not(unix))]
fn refuse_exposed(_path: &Path) -> Result<(), MasterKeyError> {
    Ok(())
}
