//! The demo's folder: fresh at every run, and never anybody else's.

use anyhow::Context;
use std::fs::{self, File, TryLockError};
use std::path::Path;

/// What marks a folder as the demo's.
const MARK: &str = ".dunwell-demo";

/// The folder, held by this run.
pub struct Folder {
    /// Locked as long as the run lasts.
    _mark: File,
}

impl Folder {
    /// Empties the folder if an earlier run made it, or makes it.
    ///
    /// # Errors
    /// It is somebody else's, another run uses it, or it cannot be written.
    pub fn make_fresh(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let mark = path.join(MARK);
        let empty = match fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(_) => true,
        };
        anyhow::ensure!(
            empty || mark.exists(),
            "the folder {shown} was not made by the demo, which would empty it; name another with --data"
        );
        fs::create_dir_all(path).with_context(|| format!("cannot make the folder {shown}"))?;
        let file = File::options().create(true).append(true).open(&mark);
        let file = file.with_context(|| format!("cannot write in the folder {shown}"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                anyhow::bail!("another demo uses the folder {shown}; end it, or name another with --data")
            }
            Err(TryLockError::Error(error)) => return Err(error).context("the folder cannot be locked"),
        }
        for entry in fs::read_dir(path)? {
            let entry = entry?.path();
            if entry == mark {
                continue;
            }
            let removed = if entry.is_dir() { fs::remove_dir_all(&entry) } else { fs::remove_file(&entry) };
            removed.with_context(|| format!("cannot remove {}", entry.display()))?;
        }
        Ok(Self { _mark: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_emptied_only_if_it_is_the_demos_and_not_in_use() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("deep/demo");
        let first = Folder::make_fresh(&path).expect("made");
        fs::write(path.join("old"), "x").expect("written");
        assert!(Folder::make_fresh(&path).is_err(), "in use");
        drop(first);
        let _second = Folder::make_fresh(&path).expect("emptied");
        assert!(!path.join("old").exists());

        let strange = dir.path().join("strange");
        fs::create_dir(&strange).expect("made");
        fs::write(strange.join("mine"), "x").expect("written");
        let error = Folder::make_fresh(&strange).err().expect("refused").to_string();
        assert!(error.contains("was not made by the demo"), "{error}");
        assert!(strange.join("mine").exists());
    }
}
