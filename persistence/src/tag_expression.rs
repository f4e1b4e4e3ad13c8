//! Which events, by the tags that they carry: `carrier:UA & origin:JFK & !dest:BOS`.

mod parser;

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};
use std::str::FromStr;

use thiserror::Error;

use crate::{InvalidTag, Tag};

/// Tags joined by *and*, *or* and *not*. An event belongs to it or does not by its own tags alone; one
/// without tags belongs where nothing but absence is asked for.
///
/// Written as text, `&` binds more closely than `|`, and `!` more closely than both; parentheses say
/// otherwise. A tag that holds one of `& | ! ( ) "` or white space stands in double quotes, in which `\`
/// goes before `"` and `\`.
///
/// ```
/// use annals_persistence::{Tag, TagExpression};
///
/// let parsed: TagExpression = "carrier:UA & (origin:JFK | origin:EWR) & !dest:BOS".parse()?;
///
/// let [ua, jfk, ewr, bos] =
///     ["carrier:UA", "origin:JFK", "origin:EWR", "dest:BOS"].map(|tag| Tag::new(tag).unwrap());
/// let built = TagExpression::from(ua.clone()) & (TagExpression::from(jfk.clone()) | ewr) & !TagExpression::from(bos);
/// assert_eq!(parsed, built);
/// assert_eq!(built.to_string(), "carrier:UA & (origin:JFK | origin:EWR) & !dest:BOS");
/// assert!(built.matches(|tag| *tag == ua || *tag == jfk));
/// # Ok::<(), annals_persistence::InvalidTagExpression>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagExpression(TagTerm);

/// A part of a [`TagExpression`], for a store that asks for it in a language of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagTerm {
    /// The event carries it.
    Tag(Tag),
    /// The term does not hold.
    Not(Box<TagTerm>),
    /// Each of them holds; two or more, none of which is such a list again.
    All(Vec<TagTerm>),
    /// One of them holds; two or more, none of which is such a list again.
    Any(Vec<TagTerm>),
}

impl TagExpression {
    /// How many tags one may name, each as often as it is named. A server that looks for them by an index
    /// keeps a state for each.
    pub const MAX_TAGS: usize = 256;

    /// How deep `!` and parentheses may lie in each other.
    pub const MAX_DEPTH: usize = 32;

    /// Whether an event belongs to it of which `carries` says which tags it has.
    pub fn matches(&self, mut carries: impl FnMut(&Tag) -> bool) -> bool {
        self.0.matches(&mut carries)
    }

    /// The tags that it names, in the order in which they stand; one that is named twice is given twice.
    pub fn tags(&self) -> Vec<&Tag> {
        let mut tags = Vec::new();
        self.0.collect(&mut tags);
        tags
    }

    /// The tag, where it is nothing but one.
    pub const fn as_tag(&self) -> Option<&Tag> {
        match &self.0 {
            TagTerm::Tag(tag) => Some(tag),
            _ => None,
        }
    }

    /// How it is built.
    pub const fn term(&self) -> &TagTerm {
        &self.0
    }

    /// # Errors
    /// It names too many tags, or is too deep: see [`Self::MAX_TAGS`] and [`Self::MAX_DEPTH`]. What is
    /// parsed has been checked; what is built is checked by whoever reads by it.
    pub fn check(&self) -> Result<(), InvalidTagExpression> {
        let tags = self.tags().len();
        if tags > Self::MAX_TAGS {
            return Err(InvalidTagExpression::TooManyTags { tags });
        }
        if self.0.depth() > Self::MAX_DEPTH {
            return Err(InvalidTagExpression::TooDeep);
        }
        Ok(())
    }
}

impl From<Tag> for TagExpression {
    fn from(tag: Tag) -> Self {
        Self(TagTerm::Tag(tag))
    }
}

impl<E: Into<Self>> BitAnd<E> for TagExpression {
    type Output = Self;

    fn bitand(self, other: E) -> Self {
        let mut all = self.0.branches_of_all();
        all.extend(other.into().0.branches_of_all());
        Self(TagTerm::All(all))
    }
}

impl<E: Into<Self>> BitOr<E> for TagExpression {
    type Output = Self;

    fn bitor(self, other: E) -> Self {
        let mut any = self.0.branches_of_any();
        any.extend(other.into().0.branches_of_any());
        Self(TagTerm::Any(any))
    }
}

impl Not for TagExpression {
    type Output = Self;

    fn not(self) -> Self {
        Self(match self.0 {
            TagTerm::Not(inner) => *inner,
            node => TagTerm::Not(Box::new(node)),
        })
    }
}

impl FromStr for TagExpression {
    type Err = InvalidTagExpression;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expression = parser::parse(text)?;
        expression.check()?;
        Ok(expression)
    }
}

impl TagTerm {
    fn matches(&self, carries: &mut impl FnMut(&Tag) -> bool) -> bool {
        match self {
            Self::Tag(tag) => carries(tag),
            Self::Not(node) => !node.matches(carries),
            Self::All(nodes) => nodes.iter().all(|node| node.matches(carries)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(carries)),
        }
    }

    fn collect<'a>(&'a self, tags: &mut Vec<&'a Tag>) {
        match self {
            Self::Tag(tag) => tags.push(tag),
            Self::Not(node) => node.collect(tags),
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().for_each(|it| it.collect(tags)),
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Tag(_) => 0,
            Self::Not(node) => 1 + node.depth(),
            Self::All(nodes) | Self::Any(nodes) => {
                1 + nodes.iter().map(Self::depth).max().unwrap_or(0)
            }
        }
    }

    fn branches_of_all(self) -> Vec<Self> {
        match self {
            Self::All(nodes) => nodes,
            node => vec![node],
        }
    }

    fn branches_of_any(self) -> Vec<Self> {
        match self {
            Self::Any(nodes) => nodes,
            node => vec![node],
        }
    }
}

impl fmt::Display for TagExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TagTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => parser::write_tag(f, tag.as_str()),
            Self::Not(node) => {
                f.write_str("!")?;
                node.fmt_within(f, |it| matches!(it, Self::All(_) | Self::Any(_)))
            }
            Self::All(nodes) => joined(f, nodes, " & ", |it| matches!(it, Self::Any(_))),
            Self::Any(nodes) => joined(f, nodes, " | ", |_| false),
        }
    }
}

impl TagTerm {
    fn fmt_within(
        &self,
        f: &mut fmt::Formatter<'_>,
        needs_parentheses: impl Fn(&Self) -> bool,
    ) -> fmt::Result {
        if needs_parentheses(self) {
            write!(f, "({self})")
        } else {
            write!(f, "{self}")
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    nodes: &[TagTerm],
    by: &str,
    needs_parentheses: impl Fn(&TagTerm) -> bool,
) -> fmt::Result {
    for (position, node) in nodes.iter().enumerate() {
        if position > 0 {
            f.write_str(by)?;
        }
        node.fmt_within(f, &needs_parentheses)?;
    }
    Ok(())
}

/// Why a text, or what was built, is no expression over tags.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidTagExpression {
    /// Something else should stand there.
    #[error(
        "{text:?} is no tag expression: at character {at} there is {found}, where {expected} should be; \
         write such as: carrier:UA & (origin:JFK | origin:EWR) & !dest:BOS"
    )]
    Unexpected {
        /// The whole of it.
        text: String,
        /// Counted from 1.
        at: usize,
        /// What is there.
        found: String,
        /// What might be there.
        expected: &'static str,
    },
    /// A word in it is no tag.
    #[error(transparent)]
    Tag(#[from] InvalidTag),
    /// More tags than a server should look for at once.
    #[error(
        "the expression names {tags} tags, at most {} fit; read by two expressions, or give the events a tag of their own",
        TagExpression::MAX_TAGS
    )]
    TooManyTags {
        /// How many.
        tags: usize,
    },
    /// Parentheses in parentheses, further than anybody reads.
    #[error(
        "the expression is deeper than {}; join more tags on one level",
        TagExpression::MAX_DEPTH
    )]
    TooDeep,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> TagExpression {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn holds(expression: &str, carried: &[&str]) -> bool {
        parsed(expression).matches(|tag| carried.contains(&tag.as_str()))
    }

    #[test]
    fn not_binds_before_and_and_and_before_or() {
        assert!(holds("a | b & !c", &["a", "c"]));
        assert!(!holds("(a | b) & !c", &["a", "c"]));
        assert!(holds("!a & !b", &[]));
        assert!(!holds("!(a | b)", &["b"]));
        assert!(holds("!!a", &["a"]));
    }

    #[test]
    fn tags_keep_their_case_their_colons_and_what_stands_in_quotes() {
        let expression = parsed(r#"Carrier:UA&"two words"|"say \"hi\" \\""#);
        let tags: Vec<&str> = expression.tags().into_iter().map(Tag::as_str).collect();
        assert_eq!(tags, ["Carrier:UA", "two words", r#"say "hi" \"#]);
    }

    #[test]
    fn what_is_no_expression_says_where_and_why() {
        for (text, says) in [
            ("", "at character 1 there is the end, where a tag"),
            ("a &", "at character 4 there is the end, where a tag"),
            ("a b", "at character 3 there is \"b\", where"),
            ("(a | b", "at character 7 there is the end, where"),
            ("a)", "at character 2 there is ')', where"),
            ("& a", "at character 1 there is '&', where a tag"),
            (
                "ü & \"open",
                "at character 10 there is the end, where a closing",
            ),
            ("\"\"", "\"\" is no tag"),
        ] {
            let error = text.parse::<TagExpression>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn what_nobody_could_look_for_is_refused_and_never_overflows_the_stack() {
        let many = vec!["a"; TagExpression::MAX_TAGS + 1].join(" | ");
        let error = many.parse::<TagExpression>().unwrap_err();
        assert_eq!(error, InvalidTagExpression::TooManyTags { tags: 257 });
        for deep in [
            "!(a & ".repeat(100_000),
            "(".repeat(100_000),
            "!".repeat(100_001),
        ] {
            let error = deep.parse::<TagExpression>().unwrap_err();
            assert_eq!(error, InvalidTagExpression::TooDeep);
        }
    }

    fn expression() -> impl Strategy<Value = TagExpression> {
        let word = prop_oneof![
            "[a-d]".prop_map(|it| it),
            "[a-z:&|!() \"\\\\]{1,6}".prop_map(|it| it),
        ];
        let tag = word.prop_map(|text| TagExpression::from(Tag::new(text).unwrap()));
        tag.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|it| !it),
                (inner.clone(), inner.clone()).prop_map(|(one, other)| one & other),
                (inner.clone(), inner).prop_map(|(one, other)| one | other),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_expression_is_read_as_it_is_written(expression in expression()) {
            prop_assert_eq!(parsed(&expression.to_string()), expression);
        }

        #[test]
        fn any_text_is_an_expression_or_an_error(text in any::<String>()) {
            let _ = text.parse::<TagExpression>();
        }

        #[test]
        fn operators_mean_what_they_say(one in expression(), other in expression(), carried in "[a-d]{0,4}") {
            let carries = |tag: &Tag| carried.contains(tag.as_str());
            let (left, right) = (one.matches(carries), other.matches(carries));
            prop_assert_eq!((one.clone() & other.clone()).matches(carries), left && right);
            prop_assert_eq!((one.clone() | other).matches(carries), left || right);
            prop_assert_eq!((!one).matches(carries), !left);
        }
    }
}
