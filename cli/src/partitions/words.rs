use super::{Archives, Command, Common, Named};

impl Command {
    /// The script that does it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Detach(_) => "detach",
            Self::Archive(_) => "archive",
            Self::Verify(_) => "verify",
            Self::Drop(_) => "drop",
            Self::Restore(_) => "restore",
            Self::Attach(_) => "attach",
            Self::Run(_) => "run",
        }
    }

    /// What it takes, as the script takes it; names come last, behind `--`, whatever they begin with.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Words::default();
        match self {
            Self::List => {}
            Self::Detach(it) => {
                words.option("--wait", it.wait);
                for reason in &it.force {
                    words.option("--force", Some(reason));
                }
                words.named(&it.named);
            }
            Self::Archive(it) | Self::Verify(it) | Self::Drop(it) => {
                words.archives(&it.archives);
                words.named(&it.named);
            }
            Self::Restore(it) => {
                words.archives(&it.archives);
                words.option("--archive", it.archive.as_ref());
                words.option("--pace", it.pace);
                words.common(&it.common);
                words.names(&it.partitions);
            }
            Self::Attach(named) => words.named(named),
            Self::Run(it) => {
                words.option("--keep-partitions", it.keep_partitions);
                words.option("--keep-days", it.keep_days);
                words.option("--wait", it.wait);
                words.archives(&it.archives);
                words.common(&it.common);
            }
        }
        words.0
    }
}

#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn option(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.extend([name.to_owned(), value.to_string()]);
        }
    }

    fn archives(&mut self, archives: &Archives) {
        self.option("--to", archives.to.as_ref());
        self.option("--hook", archives.hook.as_ref());
    }

    fn common(&mut self, common: &Common) {
        if common.dry_run {
            self.0.push("--dry-run".to_owned());
        }
        self.option("--lock-timeout", common.lock_timeout);
        self.option("--retries", common.retries);
    }

    fn named(&mut self, named: &Named) {
        self.common(&named.common);
        self.names(&named.partitions);
    }

    fn names(&mut self, names: &[String]) {
        if !names.is_empty() {
            self.0.push("--".to_owned());
            self.0.extend(names.iter().cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::arguments::{Arguments, Command as Any};

    fn words(line: &[&str]) -> Vec<String> {
        let arguments = ["annals", "partitions"].iter().chain(line);
        match Arguments::try_parse_from(arguments).unwrap().command {
            Any::Partitions(command) => command.words(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_option_reaches_the_script() {
        assert!(words(&["list"]).is_empty());
        assert_eq!(
            words(&[
                "detach",
                "j_0",
                "--force",
                "a b",
                "--force",
                "c",
                "--wait",
                "5",
                "--dry-run",
                "--",
                "-x"
            ]),
            [
                "--wait",
                "5",
                "--force",
                "a b",
                "--force",
                "c",
                "--dry-run",
                "--",
                "j_0",
                "-x"
            ]
        );
        assert_eq!(
            words(&["archive", "--to", "/a b", "--retries", "3", "j_0"]),
            ["--to", "/a b", "--retries", "3", "--", "j_0"]
        );
        assert_eq!(
            words(&["verify", "--from", "/a", "j_0"]),
            ["--to", "/a", "--", "j_0"]
        );
        assert_eq!(
            words(&["drop", "--hook", "keep", "--lock-timeout", "9", "j_0"]),
            ["--hook", "keep", "--lock-timeout", "9", "--", "j_0"]
        );
        assert_eq!(
            words(&["restore", "--archive", "k", "--from", "/a", "--pace", "0"]),
            ["--to", "/a", "--archive", "k", "--pace", "0"]
        );
        assert_eq!(
            words(&[
                "run",
                "--keep-partitions",
                "2",
                "--keep-days",
                "30",
                "--to",
                "/a",
                "--wait",
                "1"
            ]),
            [
                "--keep-partitions",
                "2",
                "--keep-days",
                "30",
                "--wait",
                "1",
                "--to",
                "/a"
            ]
        );
    }

    #[test]
    fn what_the_scripts_would_refuse_is_wrong_usage() {
        for line in [
            &["detach"][..],
            &["run", "--to", "/a"],
            &["run", "--keep-partitions", "0"],
            &["restore"],
            &["restore", "--archive", "k", "j_0"],
            &["attach", "--to", "/a", "j_0"],
        ] {
            let arguments = ["annals", "partitions"].iter().chain(line);
            assert!(Arguments::try_parse_from(arguments).is_err(), "{line:?}");
        }
    }
}
