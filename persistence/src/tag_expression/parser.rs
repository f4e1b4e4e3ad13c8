use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use super::{InvalidTagExpression, TagExpression};
use crate::Tag;

const A_TAG: &str = "a tag, '!' or '('";

pub(super) fn parse(text: &str) -> Result<TagExpression, InvalidTagExpression> {
    let mut parser = Parser {
        text,
        rest: text.chars().peekable(),
        at: 1,
        depth: 0,
    };
    let expression = parser.any()?;
    match parser.next_token() {
        None => Ok(expression),
        Some(_) => Err(parser.unexpected("'&', '|' or the end")),
    }
}

/// As the parser reads it again.
pub(super) fn write_tag(f: &mut fmt::Formatter<'_>, tag: &str) -> fmt::Result {
    if tag.chars().all(stands_alone) {
        return f.write_str(tag);
    }
    f.write_str("\"")?;
    for character in tag.chars() {
        if matches!(character, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{character}")?;
    }
    f.write_str("\"")
}

fn stands_alone(character: char) -> bool {
    !character.is_whitespace() && !matches!(character, '&' | '|' | '!' | '(' | ')' | '"')
}

struct Parser<'a> {
    text: &'a str,
    rest: Peekable<Chars<'a>>,
    /// Characters from 1, as people count.
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<TagExpression, InvalidTagExpression> {
        let mut any = self.all()?;
        while self.takes('|') {
            any = any | self.all()?;
        }
        Ok(any)
    }

    fn all(&mut self) -> Result<TagExpression, InvalidTagExpression> {
        let mut all = self.one()?;
        while self.takes('&') {
            all = all & self.one()?;
        }
        Ok(all)
    }

    fn one(&mut self) -> Result<TagExpression, InvalidTagExpression> {
        match self.next_token() {
            Some('!') => {
                self.advance();
                self.deeper(Self::one).map(|inner| !inner)
            }
            Some('(') => {
                self.advance();
                let inner = self.deeper(Self::any)?;
                if self.takes(')') {
                    Ok(inner)
                } else {
                    Err(self.unexpected("'&', '|' or ')'"))
                }
            }
            Some('"') => {
                self.advance();
                self.quoted()
            }
            Some(character) if stands_alone(character) => self.word(),
            _ => Err(self.unexpected(A_TAG)),
        }
    }

    /// Bounded, because each level takes a piece of the stack.
    fn deeper(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<TagExpression, InvalidTagExpression>,
    ) -> Result<TagExpression, InvalidTagExpression> {
        if self.depth == TagExpression::MAX_DEPTH {
            return Err(InvalidTagExpression::TooDeep);
        }
        self.depth += 1;
        let expression = inner(self);
        self.depth -= 1;
        expression
    }

    fn word(&mut self) -> Result<TagExpression, InvalidTagExpression> {
        let mut word = String::new();
        while let Some(character) = self.rest.peek().copied().filter(|it| stands_alone(*it)) {
            word.push(character);
            self.advance();
        }
        Ok(Tag::new(word)?.into())
    }

    fn quoted(&mut self) -> Result<TagExpression, InvalidTagExpression> {
        let mut word = String::new();
        loop {
            let Some(mut character) = self.advance() else {
                return Err(self.unexpected("a closing '\"'"));
            };
            if character == '"' {
                return Ok(Tag::new(word)?.into());
            }
            if character == '\\' {
                match self.advance() {
                    Some(escaped) => character = escaped,
                    None => return Err(self.unexpected("a closing '\"'")),
                }
            }
            word.push(character);
        }
    }

    fn takes(&mut self, wanted: char) -> bool {
        let is_there = self.next_token() == Some(wanted);
        if is_there {
            self.advance();
        }
        is_there
    }

    /// The next character that is not white space, which is passed over.
    fn next_token(&mut self) -> Option<char> {
        while self.rest.peek().is_some_and(|it| it.is_whitespace()) {
            self.advance();
        }
        self.rest.peek().copied()
    }

    fn advance(&mut self) -> Option<char> {
        let character = self.rest.next();
        if character.is_some() {
            self.at += 1;
        }
        character
    }

    fn unexpected(&mut self, expected: &'static str) -> InvalidTagExpression {
        let found = match self.rest.peek() {
            None => "the end".to_owned(),
            Some(character) if stands_alone(*character) => {
                let word = self.rest.clone().take_while(|it| stands_alone(*it));
                format!("{:?}", word.take(40).collect::<String>())
            }
            Some(character) => format!("'{character}'"),
        };
        InvalidTagExpression::Unexpected {
            text: self.text.to_owned(),
            at: self.at,
            found,
            expected,
        }
    }
}
