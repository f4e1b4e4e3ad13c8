use crate::prompt::run;

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).ended(0).stdout;
        for command in [
            "migrate",
            "stats",
            "tail",
            "partitions",
            "projections",
            "doctor",
        ] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    run(&["completions", "dos"]).ended(64);
}

#[test]
fn the_manual_page_has_what_the_help_says() {
    let page = run(&["man"]).ended(0).stdout;
    assert!(page.contains(".TH annals 1"), "{page}");
    for flag in ["url", "partition\\-size", "deep"] {
        assert!(page.contains(flag), "{flag}");
    }
}

#[test]
fn wrong_usage_has_a_code_of_its_own_and_help_is_none() {
    run(&[]).ended(64);
    run(&["migrate", "sideways"]).ended(64);
    run(&["stats", "--json", "--table"]).ended(64);
    let help = run(&["--help"]).ended(0).stdout;
    assert!(help.contains("Exit codes"), "{help}");
    assert!(run(&["--version"]).ended(0).stdout.starts_with("annals "));
}

/// Each is taken as it stands there, up to the point where it would be done.
#[test]
fn the_commands_of_the_documentation_are_understood() {
    let documentation = include_str!("../../../docs/cli.md");
    let commands = documentation
        .lines()
        .filter_map(|it| it.strip_prefix("$ annals "));
    let mut count = 0;
    for command in commands {
        let command = command.split(['#', '>']).next().unwrap();
        // What stands in quotes is one word.
        let quoted = command.split('\'').enumerate();
        let mut words: Vec<&str> = quoted
            .flat_map(|(place, part)| match place % 2 {
                0 => part.split_whitespace().collect(),
                _ => vec![part],
            })
            .collect();
        words.push("--help");
        assert!(
            run(&words).ended(0).stdout.contains("Usage: annals"),
            "{command}"
        );
        count += 1;
    }
    assert!(count > 15, "{count}");
}
