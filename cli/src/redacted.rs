/// The text without what may be a password: between the colon and the last `@` of a URL's authority, and
/// behind `password=`. Rather too much is hidden than too little.
pub(crate) fn redacted(text: &str) -> String {
    without_key(&without_userinfo(text))
}

const HIDDEN: &str = "***";

fn without_userinfo(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, behind) = rest.split_at(at + 3);
        shown.push_str(before);
        // A password that was not escaped may hold a slash or a blank: up to the last @ of the line.
        let line = behind.lines().next().unwrap_or_default();
        rest = behind;
        if let Some(end) = line.rfind('@') {
            let user = line[..end].split(':').next().unwrap_or_default();
            shown.push_str(user);
            if user.len() < end {
                shown.push(':');
                shown.push_str(HIDDEN);
            }
            rest = &behind[end..];
        }
    }
    shown + rest
}

fn without_key(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("password=") {
        let (before, behind) = rest.split_at(at + "password=".len());
        shown.push_str(before);
        shown.push_str(HIDDEN);
        let quoted = behind.strip_prefix('\'').and_then(|it| it.find('\''));
        let end = match quoted {
            Some(end) => end + 2,
            None => behind
                .find(|c: char| c.is_whitespace() || c == '&')
                .unwrap_or(behind.len()),
        };
        rest = &behind[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::redacted;

    #[test]
    fn what_is_no_password_stays() {
        let plain = "no server answers at localhost:5432; see a@b and https://example.org/x";
        assert_eq!(redacted(plain), plain);
        assert_eq!(
            redacted("unexpected 'postgresql://ann:s3/cr@et@db:5432/app' found\nand more@home"),
            "unexpected 'postgresql://ann:***@db:5432/app' found\nand more@home"
        );
        assert_eq!(
            redacted("host=db password='a b' user=ann"),
            "host=db password=*** user=ann"
        );
    }

    proptest! {
        #[test]
        fn no_password_is_left(password in "[a-zA-Z0-9@/:?&=#%]{6,20}") {
            let marked = format!("<{password}>");
            let url = format!("error: 'postgres://ann:{marked}@db/app' is wrong");
            prop_assert!(!redacted(&url).contains(&marked));
            let simple: String = password.chars().filter(|it| *it != '&').collect();
            let pairs = format!("host=db password={simple}<> dbname=app");
            prop_assert!(!redacted(&pairs).contains("<>"));
        }
    }
}
