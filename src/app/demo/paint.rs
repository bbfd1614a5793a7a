//! Colour for a terminal; plain text for anything else.

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A heading.
    Strong,
    /// Something in the background.
    Faint,
    /// It may go out, or went.
    Good,
    /// It waits.
    Waiting,
    /// It is refused, or failed.
    Bad,
    /// Nobody knows.
    Doubtful,
}

/// Puts colour on text, or not.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Whether the reader sees colour.
    pub colour: bool,
}

impl Paint {
    /// The text in a tone.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        // ECMA-48 SGR: bold, faint, and the first eight colours.
        let code = match tone {
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Waiting => "33",
            Tone::Bad => "31",
            Tone::Doubtful => "35",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
