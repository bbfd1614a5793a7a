//! Lists that people bring along, as CSV or NDJSON: read row by row in constant memory, and written out again with more columns.
//!
//! A list is CSV (RFC 4180; commas, semicolons or tabs, told by its head) or NDJSON, told by its name or its first character.
//! Whatever is wrong with a row stands beside the row; only what spoils everything after it ends the reading.

use crate::cli::folio;
use anyhow::Context;
use csv::ByteRecord;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::rc::Rc;

/// The longest row, in bytes. A quotation mark that is never closed would otherwise take everything after it into memory.
const ROW_LIMIT: u64 = 1 << 20;
/// How much of a file is read at once.
const BUFFER: usize = 1 << 16;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Comma-separated values with a head.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// A row as it stands in the list.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its line, from 1.
    pub line: u64,
    /// What it says.
    pub text: Text,
    /// What is wrong with its form.
    pub fault: Option<String>,
}

/// What a row says.
#[derive(Clone, Debug)]
pub enum Text {
    /// The cells of CSV.
    Cells(ByteRecord),
    /// The line of NDJSON.
    Line(Vec<u8>),
}

/// A list being read.
pub struct Source {
    body: Body,
    meter: Rc<Meter>,
    /// The names of the columns of CSV.
    pub head: Vec<String>,
    delimiter: u8,
}

enum Body {
    Csv(csv::Reader<BufReader<Metered>>),
    Ndjson(BufReader<Metered>, u64),
}

/// How many bytes were read, and how many since the last row.
#[derive(Default)]
struct Meter {
    all: Cell<u64>,
    row: Cell<u64>,
}

struct Metered {
    file: File,
    meter: Rc<Meter>,
    limited: bool,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.limited && self.meter.row.get() > ROW_LIMIT + BUFFER as u64 {
            return Err(std::io::Error::other(
                "a row is longer than 1 MiB: is a quotation mark opened and never closed?",
            ));
        }
        let read = self.file.read(buffer)?;
        self.meter.all.set(self.meter.all.get() + read as u64);
        self.meter.row.set(self.meter.row.get() + read as u64);
        Ok(read)
    }
}

impl Source {
    /// Opens a list; says how long it is.
    ///
    /// # Errors
    /// It cannot be read, or it is CSV without a usable head.
    pub fn open(path: &Path, form: Option<Form>) -> anyhow::Result<(Self, u64)> {
        let (file, length) = folio::open(path)?;
        let meter = Rc::new(Meter::default());
        let metered = Metered { file, meter: Rc::clone(&meter), limited: true };
        let mut reader = BufReader::with_capacity(BUFFER, metered);
        let cannot = || format!("{}: cannot be read", path.display());
        let start = reader.fill_buf().with_context(cannot)?;
        let mark = start.starts_with(b"\xef\xbb\xbf");
        let form = form.unwrap_or_else(|| told(path, start));
        let delimiter = delimiter(start);
        if mark {
            reader.consume(3);
        }
        let mut head = Vec::new();
        let body = if form == Form::Csv {
            let mut reader = csv::ReaderBuilder::new()
                .flexible(true)
                .delimiter(delimiter)
                .buffer_capacity(BUFFER)
                .from_reader(reader);
            head = read_head(&mut reader).with_context(|| path.display().to_string())?;
            Body::Csv(reader)
        } else {
            // Its rows are cut where they end, so none of them takes more than it may.
            reader.get_mut().limited = false;
            Body::Ndjson(reader, 0)
        };
        Ok((Self { body, meter, head, delimiter }, length))
    }

    /// How it is written.
    pub fn form(&self) -> Form {
        match self.body {
            Body::Csv(_) => Form::Csv,
            Body::Ndjson(..) => Form::Ndjson,
        }
    }

    /// How many bytes were read.
    pub fn position(&self) -> u64 {
        self.meter.all.get()
    }

    /// The next row; none at the end. Lines without content are passed over.
    ///
    /// # Errors
    /// The file cannot be read on.
    pub fn next(&mut self) -> anyhow::Result<Option<Row>> {
        self.meter.row.set(0);
        match &mut self.body {
            Body::Csv(reader) => {
                let mut cells = ByteRecord::new();
                let line = reader.position().line();
                let more = reader.read_byte_record(&mut cells);
                if !more.with_context(|| format!("line {line}: cannot be read on from here"))? {
                    return Ok(None);
                }
                let line = cells.position().map_or(line, csv::Position::line);
                let fault = if cells.len() != self.head.len() {
                    Some(format!("has {} cells, the head has {}", cells.len(), self.head.len()))
                } else if cells.iter().any(|cell| std::str::from_utf8(cell).is_err()) {
                    Some("is not UTF-8".to_owned())
                } else {
                    None
                };
                Ok(Some(Row { line, text: Text::Cells(cells), fault }))
            }
            Body::Ndjson(reader, line) => next_line(reader, line),
        }
    }

    /// A list of the same form with more columns in front, where `first`, or behind. Columns of those names are left out.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn sink<W: Write>(
        &self,
        to: W,
        more: &'static [&'static str],
        first: bool,
    ) -> anyhow::Result<Sink<W>> {
        if self.form() == Form::Ndjson {
            return Ok(Sink::Ndjson { to, more });
        }
        let writer = csv::WriterBuilder::new().flexible(true).delimiter(self.delimiter).from_writer(to);
        let writer = Box::new(writer);
        let kept = (0..self.head.len()).filter(|n| !more.contains(&self.head[*n].as_str())).collect();
        let mut sink = Sink::Csv { writer, kept, columns: self.head.len(), first };
        let heads: Vec<Cow<'_, str>> = more.iter().map(|name| Cow::Borrowed(*name)).collect();
        sink.write(&Text::Cells(ByteRecord::from(self.head.clone())), &heads)?;
        Ok(sink)
    }
}

/// A list being written.
pub enum Sink<W: Write> {
    /// CSV.
    Csv {
        /// Behind it the file.
        writer: Box<csv::Writer<W>>,
        /// The columns of the source that are kept.
        kept: Vec<usize>,
        /// How many the source has.
        columns: usize,
        /// Whether what is added stands in front.
        first: bool,
    },
    /// NDJSON.
    Ndjson {
        /// The file.
        to: W,
        /// The members that are added.
        more: &'static [&'static str],
    },
}

impl<W: Write> Sink<W> {
    /// Writes a row with the values of the further columns.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, text: &Text, more: &[Cow<'_, str>]) -> anyhow::Result<()> {
        match (self, text) {
            (Self::Csv { writer, kept, columns, first }, Text::Cells(cells)) => {
                // A row that lacks cells must not look whole when it is read again: in front of it there is no need to fill up.
                let present = kept.iter().filter(|n| !*first || **n < cells.len());
                let kept = present.map(|n| cells.get(*n).unwrap_or_default());
                let more = more.iter().map(|value| value.as_bytes());
                let surplus = cells.iter().skip(*columns);
                let record: ByteRecord = match first {
                    true => more.chain(kept).chain(surplus).collect(),
                    false => kept.chain(more).chain(surplus).collect(),
                };
                writer.write_byte_record(&record).context("the list cannot be written")
            }
            (Self::Ndjson { to, more: names }, Text::Line(line)) => {
                let mut text = object(line, names, more);
                text.push(b'\n');
                to.write_all(&text).context("the list cannot be written")
            }
            // A sink is made by the source whose rows it takes.
            (Self::Csv { .. }, Text::Line(_)) | (Self::Ndjson { .. }, Text::Cells(_)) => Ok(()),
        }
    }

    /// Sees to it that everything is written.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Csv { writer, .. } => writer.flush(),
            Self::Ndjson { to, .. } => to.flush(),
        }
        .context("the list cannot be written")
    }
}

/// A line of NDJSON with further members; as it stood, where that is an object. An empty value is written as null.
fn object(line: &[u8], names: &[&str], values: &[Cow<'_, str>]) -> Vec<u8> {
    let (mut text, empty) = match serde_json::from_slice::<Map<String, Value>>(line) {
        Ok(members) if names.iter().any(|name| members.contains_key(*name)) => {
            let kept: Map<_, _> =
                members.into_iter().filter(|(name, _)| !names.contains(&name.as_str())).collect();
            (Value::from(kept.clone()).to_string().into_bytes(), kept.is_empty())
        }
        Ok(members) => (line.trim_ascii().to_vec(), members.is_empty()),
        Err(_) => {
            (serde_json::json!({"text": String::from_utf8_lossy(line)}).to_string().into_bytes(), false)
        }
    };
    text.pop();
    for (place, (name, value)) in names.iter().zip(values).enumerate() {
        if place > 0 || !empty {
            text.push(b',');
        }
        let value = if value.is_empty() { Value::Null } else { Value::from(value.as_ref()) };
        text.extend_from_slice(format!("{}:{value}", Value::from(*name)).as_bytes());
    }
    text.push(b'}');
    text
}

fn next_line(reader: &mut BufReader<Metered>, number: &mut u64) -> anyhow::Result<Option<Row>> {
    loop {
        let mut line = Vec::new();
        let next = *number + 1;
        let cannot = || format!("line {next}: cannot be read on from here");
        let read = reader.take(ROW_LIMIT).read_until(b'\n', &mut line).with_context(cannot)?;
        if read == 0 {
            return Ok(None);
        }
        *number = next;
        let cut = read as u64 == ROW_LIMIT && line.last() != Some(&b'\n');
        if cut {
            skip_line(reader).with_context(cannot)?;
            line.truncate(1_000);
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let fault = cut.then(|| "is longer than 1 MiB".to_owned());
        return Ok(Some(Row { line: next, text: Text::Line(line.trim_ascii().to_vec()), fault }));
    }
}

fn skip_line(reader: &mut BufReader<Metered>) -> std::io::Result<()> {
    loop {
        let here = reader.fill_buf()?;
        match here.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                reader.consume(end + 1);
                return Ok(());
            }
            None if here.is_empty() => return Ok(()),
            None => {
                let all = here.len();
                reader.consume(all);
            }
        }
    }
}

/// The form that a name tells, or else the first character.
fn told(path: &Path, start: &[u8]) -> Form {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "csv" | "tsv" => Form::Csv,
        "ndjson" | "jsonl" => Form::Ndjson,
        _ => {
            let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
            if start.trim_ascii_start().first() == Some(&b'{') { Form::Ndjson } else { Form::Csv }
        }
    }
}

/// What stands between the cells: of comma, semicolon and tab the one that the head has first.
fn delimiter(start: &[u8]) -> u8 {
    let head = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    head.iter().copied().find(|byte| b",;\t".contains(byte)).unwrap_or(b',')
}

fn read_head(reader: &mut csv::Reader<BufReader<Metered>>) -> anyhow::Result<Vec<String>> {
    let head = reader.byte_headers().context("its head cannot be read")?;
    let names: Result<Vec<String>, _> =
        head.iter().map(|name| std::str::from_utf8(name.trim_ascii()).map(str::to_owned)).collect();
    let names = names.context("its head is not UTF-8")?;
    anyhow::ensure!(
        names.iter().any(|name| !name.is_empty()),
        "it is empty: the first line names the columns"
    );
    for (place, name) in names.iter().enumerate() {
        anyhow::ensure!(!name.is_empty(), "column {} of its head has no name", place + 1);
        anyhow::ensure!(!names[..place].contains(name), "the column `{name}` stands in its head twice");
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        (dir, path)
    }

    fn rows(name: &str, text: &[u8]) -> Vec<(u64, Option<String>)> {
        let (_dir, path) = file(name, text);
        let (mut source, _) = Source::open(&path, None).expect("a list");
        std::iter::from_fn(|| source.next().expect("readable")).map(|row| (row.line, row.fault)).collect()
    }

    #[test]
    fn what_is_wrong_with_a_row_stands_beside_it() {
        let text = b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n1\r\n\"x\ny\",\xff\r\n3,4";
        let found = rows("list.csv", text);
        assert_eq!(found[0], (2, None));
        assert_eq!(found[1], (4, Some("has 1 cells, the head has 2".to_owned())));
        assert_eq!(found[2], (5, Some("is not UTF-8".to_owned())));
        assert_eq!(found[3].1, None);
        assert_eq!(
            rows("list.ndjson", b"{}\n\n  \n{\"a\":1}").iter().map(|r| r.0).collect::<Vec<_>>(),
            [1, 4]
        );
    }

    #[test]
    fn a_row_without_an_end_takes_no_memory() {
        let mut text = b"a,b\n\"1,2\n".to_vec();
        text.resize(4 << 20, b'x');
        let (_dir, path) = file("list.csv", &text);
        let (mut source, _) = Source::open(&path, None).expect("a list");
        let error = format!("{:#}", source.next().expect_err("too long"));
        assert!(error.contains("quotation mark"), "{error}");
        assert!(source.position() < 2 << 20);
        let mut lines = b"{}\n".to_vec();
        lines.resize(4 << 20, b'x');
        lines.extend_from_slice(b"\n{}\n");
        let found = rows("list.jsonl", &lines);
        assert_eq!(found.len(), 3);
        assert!(found[1].1.is_some() && found[2] == (3, None), "{found:?}");
    }

    #[test]
    fn a_head_that_names_nothing_is_refused() {
        for text in [&b""[..], b"\n\n", b"a,,b\n", b"a,a\n", b"\xff\n"] {
            let (_dir, path) = file("list.csv", text);
            assert!(Source::open(&path, None).is_err(), "{text:?}");
        }
    }

    #[test]
    fn further_columns_keep_the_row() {
        static MORE: [&str; 2] = ["line", "why"];
        let more = [Cow::Borrowed("7"), Cow::Borrowed("")];
        for (name, text, first, wanted) in [
            ("x.csv", "a;why;b\n1;old;2\n", true, "line;why;a;b\n7;;1;2\n"),
            ("x.csv", "a,b\n1,\"2,3\"\n", false, "a,b,line,why\n1,\"2,3\",7,\n"),
            ("x", "{\"b\":1,\"a\":2}\n", false, "{\"b\":1,\"a\":2,\"line\":\"7\",\"why\":null}\n"),
            ("x.ndjson", "{}", false, "{\"line\":\"7\",\"why\":null}\n"),
            ("x.ndjson", "{\"why\":1}", false, "{\"line\":\"7\",\"why\":null}\n"),
            ("x.ndjson", "]", false, "{\"text\":\"]\",\"line\":\"7\",\"why\":null}\n"),
        ] {
            let (_dir, path) = file(name, text.as_bytes());
            let (mut source, _) = Source::open(&path, None).expect("a list");
            let mut out = Vec::new();
            let mut sink = source.sink(&mut out, &MORE, first).expect("a sink");
            while let Some(row) = source.next().expect("readable") {
                sink.write(&row.text, &more).expect("written");
            }
            sink.finish().expect("written");
            drop(sink);
            assert_eq!(String::from_utf8(out).expect("text"), wanted);
        }
    }
}
