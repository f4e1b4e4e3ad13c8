use std::collections::HashSet;

/// Notices that the server was started anew, by prepared transactions.
///
/// A session that ends with the server tells it too, but a pooler hides that. Other transactions ended with
/// the server, whatever they were called; one that is prepared lives on by another name, and a reader that
/// waits for the old one would take it for ended.
#[derive(Debug, Default)]
pub(crate) struct Recovered(HashSet<String>);

impl Recovered {
    /// Takes the names of those who hold the table; says whether one of them has got its name since the
    /// look before.
    pub(crate) fn has_news<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> bool {
        // No session has this number: so the server calls what it found when it started.
        let found = names.filter(|name| name.starts_with("-1/"));
        let found: HashSet<String> = found.map(str::to_owned).collect();
        let news = !found.is_subset(&self.0);
        self.0 = found;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_news_once() {
        let mut recovered = Recovered::default();
        assert!(!recovered.has_news(["3/7"].into_iter()));
        assert!(recovered.has_news(["-1/751", "3/8"].into_iter()));
        assert!(!recovered.has_news(["-1/751"].into_iter()));
        assert!(recovered.has_news(["-1/751", "-1/760"].into_iter()));
        assert!(!recovered.has_news(["-1/760"].into_iter()));
    }
}
