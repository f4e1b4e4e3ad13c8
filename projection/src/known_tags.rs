//! A query for what is there refuses a tag that no event ever carried. Whoever only wants to know
//! whether anything is there asks without it: it holds nowhere.

use annals_persistence::{Tag, TagExpression, TagTerm};

/// What is left of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Folded {
    /// It holds for every event.
    Always,
    /// It holds for none.
    Never,
    /// It depends on the other tags.
    When(TagExpression),
}

/// The term for a journal in which nothing carries `unknown`.
pub(crate) fn without(term: &TagTerm, unknown: &str) -> Folded {
    let joined = |terms: &[TagTerm], idle: Folded, decisive: Folded, join: Join| {
        terms.iter().fold(idle, |so_far, term| {
            match (so_far, without(term, unknown)) {
                (Folded::When(one), Folded::When(other)) => Folded::When(join(one, other)),
                (one, other) if one == decisive || other == decisive => decisive.clone(),
                (Folded::When(one), _) | (_, Folded::When(one)) => Folded::When(one),
                (one, _) => one,
            }
        })
    };
    match term {
        TagTerm::Tag(tag) if tag.as_str() == unknown => Folded::Never,
        TagTerm::Tag(tag) => Folded::When(Tag::clone(tag).into()),
        TagTerm::Not(term) => match without(term, unknown) {
            Folded::Always => Folded::Never,
            Folded::Never => Folded::Always,
            Folded::When(expression) => Folded::When(!expression),
        },
        TagTerm::All(terms) => joined(terms, Folded::Always, Folded::Never, |a, b| a & b),
        TagTerm::Any(terms) => joined(terms, Folded::Never, Folded::Always, |a, b| a | b),
    }
}

type Join = fn(TagExpression, TagExpression) -> TagExpression;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_holds_for_the_same_events() {
        for text in [
            "x",
            "!x",
            "a",
            "a & x",
            "a | x",
            "a & !x",
            "!(x | a) & b",
            "(x & a | b) & !(b & x)",
            "x | !x",
            "!(a & b & x) | c",
            "x & (a | b) | x",
        ] {
            let expression: TagExpression = text.parse().unwrap();
            let left = without(expression.term(), "x");
            for carried in [
                &[][..],
                &["a"],
                &["b"],
                &["c"],
                &["a", "b"],
                &["a", "b", "c"],
            ] {
                let carries = |tag: &Tag| carried.contains(&tag.as_str());
                let holds = match &left {
                    Folded::Always => true,
                    Folded::Never => false,
                    Folded::When(left) => {
                        assert!(!left.to_string().contains('x'), "{left}");
                        left.matches(carries)
                    }
                };
                assert_eq!(holds, expression.matches(carries), "{text} {carried:?}");
            }
        }
    }
}
