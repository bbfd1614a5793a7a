//! A reply's words as the phrases know them: lower case, without accents, look-alikes, emoji and tricks, each with the place
//! in the text that it came from.

use std::ops::Range;

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::reply) struct Token {
    /// Folded.
    pub word: String,
    /// Where it stands in the text, in bytes.
    pub span: Range<usize>,
    /// The sentence it stands in: phrases do not reach over its end.
    pub sentence: u32,
    /// The clause it stands in: ended by a comma as well.
    pub clause: u32,
    /// Written as a name is: a capital before small letters, and not because a sentence begins.
    pub capital: bool,
    /// The sentence ends in a question mark.
    pub asks: bool,
}

/// Splits a text into words.
pub(in crate::reply) fn tokens(text: &str) -> Vec<Token> {
    let mut cutter = Cutter {
        text,
        found: Vec::new(),
        word: String::new(),
        start: 0,
        sentence: 0,
        clause: 0,
        words_in_sentence: 0,
    };
    for (at, c) in text.char_indices() {
        cutter.take(at, c);
    }
    cutter.end_word(text.len());
    join_letters(cutter.found)
}

/// Words after which a sentence without a stop ends all the same: nobody writes such, and what is sought in it costs its square.
const LONGEST_SENTENCE: usize = 100;

struct Cutter<'a> {
    text: &'a str,
    found: Vec<Token>,
    word: String,
    start: usize,
    sentence: u32,
    words_in_sentence: usize,
    clause: u32,
}

impl Cutter<'_> {
    fn take(&mut self, at: usize, c: char) {
        if is_invisible(c) {
            return;
        }
        if let Some(word) = emoji(c) {
            self.end_word(at);
            self.push(word.to_owned(), at..at + c.len_utf8());
            return;
        }
        let next = self.text.get(at + c.len_utf8()..).and_then(|rest| rest.chars().next());
        let inside = !self.word.is_empty() && next.is_some_and(char::is_alphanumeric);
        let number = self.word.ends_with(|last: char| last.is_ascii_digit())
            && next.is_some_and(|next| next.is_ascii_digit());
        let first = self.word.is_empty();
        match c {
            '*' if !first || next.is_some_and(char::is_alphabetic) => self.word.push('*'),
            '\'' | '’' | '‘' | '`' | '´' | 'ʼ' if !first => {}
            '.' | ',' | '/' | ':' | '-' if number => self.word.push(c),
            '.' | '_' if inside => self.end_word(at),
            '$' if next.is_some_and(char::is_alphabetic) => self.letter(at, 's'),
            // "No + mensajes."
            '+' if next.is_none_or(|next| !next.is_ascii_digit()) => {
                self.end_word(at);
                self.push("mas".to_owned(), at..at + 1);
            }
            '$' | '€' => {
                self.end_word(at);
                self.push("$".to_owned(), at..at + c.len_utf8());
            }
            '#' if next.is_none_or(|next| !next.is_alphabetic()) => {
                self.end_word(at);
                self.push("number".to_owned(), at..at + 1);
            }
            '?' | '？' => {
                self.end_word(at);
                let sentence = self.sentence;
                self.found
                    .iter_mut()
                    .rev()
                    .take_while(|token| token.sentence == sentence)
                    .for_each(|token| token.asks = true);
                self.end_sentence(at);
            }
            '.' | '!' | ';' | '\n' | '¡' | '¿' | '。' | '！' => self.end_sentence(at),
            ',' | ':' | '…' | '(' | ')' | '–' | '—' => self.end_clause(at),
            '-' if !inside => self.end_clause(at),
            _ => match fold(c) {
                Some(folded) => folded.chars().for_each(|letter| self.letter(at, letter)),
                None => self.end_word(at),
            },
        }
    }

    fn letter(&mut self, at: usize, letter: char) {
        if self.word.is_empty() {
            self.start = at;
        }
        self.word.push(letter);
    }

    fn end_word(&mut self, at: usize) {
        let word = without_marks(std::mem::take(&mut self.word));
        if !word.is_empty() {
            let end = at.max(self.start);
            self.push(word, self.start..end);
        }
    }

    fn push(&mut self, word: String, span: Range<usize>) {
        if self.words_in_sentence == LONGEST_SENTENCE {
            self.clause += 1;
            self.sentence += 1;
            self.words_in_sentence = 0;
        }
        self.words_in_sentence += 1;
        let begins = self.found.last().is_none_or(|last| last.sentence != self.sentence);
        let mut letters = self.text.get(span.clone()).unwrap_or_default().chars();
        let capital = !begins
            && letters.next().is_some_and(char::is_uppercase)
            && letters.next().is_some_and(char::is_lowercase);
        self.found.push(Token {
            word,
            span,
            sentence: self.sentence,
            clause: self.clause,
            capital,
            asks: false,
        });
    }

    fn end_clause(&mut self, at: usize) {
        self.end_word(at);
        self.clause += 1;
    }

    fn end_sentence(&mut self, at: usize) {
        self.end_clause(at);
        self.sentence += 1;
        self.words_in_sentence = 0;
    }
}

/// `*STOP*` as messengers write bold. A star that stands for a letter stays: `f*ck`, `sh**`.
fn without_marks(word: String) -> String {
    let bare = word.trim_matches('*');
    let whole = bare.chars().count() >= 3 || matches!(bare, "no" | "ya" | "do");
    let marked = bare.len() < word.len() && whole && bare.chars().all(char::is_alphabetic);
    if marked { bare.to_owned() } else { word }
}

/// `S T O P` and `S.T.O.P.` are one word.
fn join_letters(tokens: Vec<Token>) -> Vec<Token> {
    let letter =
        |token: &Token| token.word.chars().count() == 1 && token.word.chars().all(char::is_alphabetic);
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let run = tokens.iter().skip(at).take_while(|token| letter(token)).count();
        if run >= 3 {
            let letters = tokens.iter().skip(at).take(run);
            let end = tokens.get(at + run - 1).map_or(token.span.end, |last| last.span.end);
            joined.push(Token {
                word: letters.map(|token| token.word.as_str()).collect(),
                span: token.span.start..end,
                ..*token
            });
            at += run;
        } else {
            joined.push(token.clone());
            at += 1;
        }
    }
    joined
}

/// Joiners, marks and variation selectors that only hide a word.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{300}'..='\u{36f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// What an emoji says, where it says something.
fn emoji(c: char) -> Option<&'static str> {
    Some(match c {
        '🛑' | '⛔' | '🚫' | '✋' | '🙅' | '🔕' => "stop",
        '🖕' => "fuck",
        '👍' | '👌' | '✅' | '🆗' => "ok",
        '🙏' => "thanks",
        _ => return None,
    })
}

/// A letter or digit in its plain form; none if it is neither.
fn fold(c: char) -> Option<String> {
    if c.is_ascii_alphanumeric() {
        return Some(c.to_ascii_lowercase().to_string());
    }
    let code = u32::from(c);
    let letter = |offset: u32| char::from_u32(u32::from('a') + offset % 26).map(String::from);
    match code {
        0xff10..=0xff19 => return char::from_u32(code - 0xff10 + 0x30).map(String::from),
        0xff21..=0xff3a => return letter(code - 0xff21),
        0xff41..=0xff5a => return letter(code - 0xff41),
        0x24b6..=0x24e9 => return letter(code - 0x24b6),
        0x1f130..=0x1f149 => return letter(code - 0x1f130),
        0x1f150..=0x1f169 => return letter(code - 0x1f150),
        0x1f170..=0x1f189 => return letter(code - 0x1f170),
        0x1f1e6..=0x1f1ff => return letter(code - 0x1f1e6),
        0x1d400..=0x1d6a3 => return letter(code - 0x1d400),
        _ => {}
    }
    // The letters that the mathematical alphabets leave out, because they were there before.
    let before = "ℂcℍhℕnℙpℚqℝrℤzℬbℰeℱfℋhℐiℒlℳmℛrℯeℊgℴoℭcℌhℑiℜrℨzℎhℓl";
    if let Some(at) = before.find(c) {
        return before.get(at + c.len_utf8()..)?.chars().next().map(String::from);
    }
    let plain = match c.to_lowercase().next()? {
        'á' | 'à' | 'â' | 'ä' | 'ã' | 'å' | 'ā' | 'а' | 'α' => "a",
        'é' | 'è' | 'ê' | 'ë' | 'ē' | 'е' | 'ё' | 'ε' => "e",
        'í' | 'ì' | 'î' | 'ï' | 'ī' | 'і' | 'ı' | 'ι' => "i",
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' | 'ø' | 'ō' | 'о' | 'ο' => "o",
        'ú' | 'ù' | 'û' | 'ü' | 'ū' | 'υ' => "u",
        'ñ' => "n",
        'ç' | 'с' => "c",
        'ѕ' => "s",
        'р' | 'ρ' => "p",
        'т' | 'τ' => "t",
        'у' | 'ý' => "y",
        'х' => "x",
        'к' => "k",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ª' => "a",
        'º' => "o",
        other => return other.is_alphanumeric().then(|| other.to_string()),
    };
    Some(plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.word).collect()
    }

    #[test]
    fn tricks_of_writing_are_undone() {
        for text in [
            "STOP",
            "stop",
            "ＳＴＯＰ",
            "𝐒𝐓𝐎𝐏",
            "𝗌𝗍𝗈𝗉",
            "𝕊𝕋𝕆ℙ",
            "Ⓢⓣⓞⓟ",
            "ѕтор",
            "S.T.O.P.",
            "s t o p",
            "S-T-O-P",
            "st\u{200b}op",
            "$top",
            "🛑",
            "stóp",
            "🅂🅃🄾🄿",
            "*STOP*",
            "**Stop**",
            "_STOP_",
            "*_stop_*",
            "_*stop*_",
            "~*STOP*~",
        ] {
            assert_eq!(words(text), ["stop"], "{text}");
        }
        assert_eq!(words("don’t text: I'm at work"), ["dont", "text", "im", "at", "work"]);
        assert_eq!(words("$1,200.50 on 12/15 at 3:30"), ["$", "1,200.50", "on", "12/15", "at", "3:30"]);
        assert_eq!(words("*No me ESCRIBAN* más"), ["no", "me", "escriban", "mas"]);
        assert_eq!(words("f*ck, sh** *ss"), ["f*ck", "sh**", "*ss"]);
        assert_eq!(words("No más, señor"), ["no", "mas", "senor"]);
        assert!(words("").is_empty() && words(" ... ").is_empty());
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = "¡No más! Señor 🛑";
        for token in tokens(text) {
            assert!(text.get(token.span.clone()).is_some_and(|part| !part.is_empty()), "{token:?}");
        }
        let sentences: Vec<u32> = tokens("stop. now, you").iter().map(|token| token.sentence).collect();
        assert_eq!(sentences, [0, 1, 1]);
        let clauses: Vec<u32> = tokens("stop. now, you").iter().map(|token| token.clause).collect();
        assert_eq!(clauses, [0, 1, 2]);
    }
}
