//! The folders of packs, templates and manifests, read whole: the engines read no files themselves.

use crate::domain::fault::{Fault, SourceFile};
use std::path::Path;

/// The largest file that is read, in bytes; what is larger was not written by hand.
const LARGEST: u64 = 4 << 20;
/// The deepest nesting of folders.
const DEEPEST: usize = 8;

/// Reads every file of a folder and the folders within it, in the order of their paths; hidden ones are left out.
///
/// # Errors
/// Every file that cannot be read.
pub fn read(dir: &Path) -> Result<Vec<SourceFile>, Vec<Fault>> {
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    walk(dir, "", 0, &mut files, &mut faults);
    files.sort_by(|left: &SourceFile, right| left.path.cmp(&right.path));
    if faults.is_empty() { Ok(files) } else { Err(faults) }
}

/// Names a fault's file from the working directory, as the person who reads it sees it.
pub fn located(dir: &Path, faults: Vec<Fault>) -> Vec<Fault> {
    faults
        .into_iter()
        .map(|fault| Fault { file: dir.join(&fault.file).display().to_string(), ..fault })
        .collect()
}

fn walk(dir: &Path, prefix: &str, depth: usize, files: &mut Vec<SourceFile>, faults: &mut Vec<Fault>) {
    let refuse = |faults: &mut Vec<Fault>, path: &Path, why: String| {
        faults.push(Fault::of(&path.display().to_string(), why));
    };
    if depth > DEEPEST {
        return refuse(faults, dir, format!("is nested more than {DEEPEST} folders deep"));
    }
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => return refuse(faults, dir, format!("cannot be read: {error}")),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return refuse(faults, dir, format!("cannot be read: {error}")),
        };
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str() else {
            refuse(faults, &path, "has a name that is not UTF-8".to_owned());
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let named = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        // Follows links, since a mounted folder may consist of them.
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => walk(&path, &named, depth + 1, files, faults),
            Ok(meta) if meta.len() > LARGEST => {
                refuse(faults, &path, format!("is larger than {} MiB", LARGEST >> 20));
            }
            Ok(_) => match std::fs::read_to_string(&path) {
                Ok(text) => files.push(SourceFile { path: named, text }),
                Err(error) => refuse(faults, &path, format!("cannot be read: {error}")),
            },
            Err(error) => refuse(faults, &path, format!("cannot be read: {error}")),
        }
    }
}
