//! A fault in a file that a person wrote: configuration, pack, template or manifest.

use std::fmt;

/// What is wrong, and where; printed as `file:line: message`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file, as it was named to us.
    pub file: String,
    /// The line, from 1; none where the fault is of the whole file.
    pub line: Option<usize>,
    /// What is wrong and what would be right; never a secret.
    pub message: String,
}

impl Fault {
    /// A fault at a line of a file.
    pub fn at(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: Some(line), message: message.into() }
    }

    /// A fault of a whole file.
    pub fn of(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, message: message.into() }
    }

    /// The line, from 1, that a byte offset of a text falls on.
    pub fn line_of(text: &str, offset: usize) -> usize {
        text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// A file's name and text, as the assembly read it: the engines read no files themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The file's path, relative to the folder it was found in, with `/` between parts.
    pub path: String,
    /// Its text.
    pub text: String,
}
