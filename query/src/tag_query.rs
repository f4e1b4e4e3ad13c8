//! An expression over tags in the language of intarray, whose words are the numbers of tags.

use std::collections::HashMap;

use annals_persistence::{Tag, TagTerm};

/// What `tags @@ …::query_int` takes. A tag without a number is on no event: it becomes one that no row
/// has.
pub(crate) fn query_int(term: &TagTerm, numbers: &HashMap<Tag, i32>) -> String {
    match term {
        TagTerm::Tag(tag) => numbers.get(tag).unwrap_or(&NOWHERE).to_string(),
        TagTerm::Not(term) => format!("!({})", query_int(term, numbers)),
        TagTerm::All(terms) => joined(terms, '&', numbers),
        TagTerm::Any(terms) => joined(terms, '|', numbers),
    }
}

/// Whether only events with some tag can belong to it. An index over tags can find no others.
pub(crate) fn needs_a_tag(term: &TagTerm) -> bool {
    match term {
        TagTerm::Tag(_) => true,
        TagTerm::Not(_) => false,
        TagTerm::All(terms) => terms.iter().any(needs_a_tag),
        TagTerm::Any(terms) => terms.iter().all(needs_a_tag),
    }
}

/// The sequence of `tags` begins with 1.
const NOWHERE: i32 = 0;

fn joined(terms: &[TagTerm], by: char, numbers: &HashMap<Tag, i32>) -> String {
    let mut text = String::from("(");
    for (position, term) in terms.iter().enumerate() {
        if position > 0 {
            text.push(by);
        }
        text.push_str(&query_int(term, numbers));
    }
    text.push(')');
    text
}

#[cfg(test)]
mod tests {
    use annals_persistence::TagExpression;

    use super::*;

    fn of(text: &str) -> (String, bool) {
        let expression: TagExpression = text.parse().unwrap();
        let numbers = ["a", "b", "c"].map(|name| Tag::new(name).unwrap());
        let numbers = numbers.into_iter().zip([11, 12, 13]).collect();
        let term = expression.term();
        (query_int(term, &numbers), needs_a_tag(term))
    }

    #[test]
    fn every_term_keeps_its_place() {
        assert_eq!(of("a"), ("11".to_owned(), true));
        assert_eq!(of("a & (b | !c)"), ("(11&(12|!(13)))".to_owned(), true));
        assert_eq!(of("a | b & never"), ("(11|(12&0))".to_owned(), true));
    }

    #[test]
    fn what_holds_without_tags_is_told() {
        for (text, needs) in [
            ("!a", false),
            ("!a & b", true),
            ("!a | b", false),
            ("!(a & b)", false),
        ] {
            assert_eq!(of(text).1, needs, "{text}");
        }
    }
}
