//! Files that hold what is personal: made for their owner alone, and every fault names the file.

use anyhow::Context;
use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::path::Path;

/// Makes a file, or empties the one that is there; nobody but its owner may read it.
///
/// # Errors
/// It cannot be made.
pub fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).with_context(|| format!("{}: cannot be written", path.display()))?;
    Ok(BufWriter::with_capacity(1 << 16, file))
}

/// Opens a file to be read from its beginning to its end; says how long it is, as far as that is known.
///
/// # Errors
/// It cannot be read.
pub fn open(path: &Path) -> anyhow::Result<(File, u64)> {
    let cannot = || format!("{}: cannot be read", path.display());
    let file = File::open(path).with_context(cannot)?;
    let about = file.metadata().with_context(cannot)?;
    anyhow::ensure!(!about.is_dir(), "{}: is a folder, not a file", path.display());
    Ok((file, about.len()))
}
