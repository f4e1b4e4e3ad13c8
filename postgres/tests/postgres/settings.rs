use std::time::Duration;

use annals_postgres::{InvalidSettings, Settings};

use crate::waiting::everything_it_says;

#[test]
fn what_is_not_given_gets_a_default() {
    let settings = Settings::parse("postgresql://ann:secret@db.example:5433/journal").unwrap();
    assert_eq!(settings.config().get_application_name(), Some("annals"));
    assert_eq!(
        settings.config().get_connect_timeout(),
        Some(&Duration::from_secs(10))
    );
    assert_eq!(
        settings.config().get_tcp_user_timeout(),
        Some(&Duration::from_secs(20))
    );
    assert_eq!(
        settings.config().get_keepalives_idle(),
        Duration::from_secs(10)
    );
    assert_eq!(settings.config().get_password(), Some(&b"secret"[..]));
    assert_eq!(
        settings.to_string(),
        "database journal at db.example:5433 as ann"
    );
}

#[test]
fn what_is_given_stays() {
    let text =
        "host=/run/pg port=7 user=ann application_name=flights connect_timeout=3 keepalives_idle=9";
    let settings = Settings::parse(text).unwrap();
    assert_eq!(settings.config().get_application_name(), Some("flights"));
    assert_eq!(
        settings.config().get_connect_timeout(),
        Some(&Duration::from_secs(3))
    );
    assert_eq!(
        settings.config().get_keepalives_idle(),
        Duration::from_secs(9)
    );
    assert_eq!(settings.address(), "/run/pg/.s.PGSQL.7");
    assert_eq!(settings.database(), "ann", "as psql does");
}

#[test]
fn tls_that_was_asked_for_is_refused_rather_than_left_out() {
    let error = Settings::parse("postgresql://ann@db/journal?sslmode=require").unwrap_err();
    assert!(matches!(error, InvalidSettings::TlsNotBuilt), "{error}");
    assert!(error.to_string().contains("feature"), "{error}");
}

#[test]
fn an_address_without_a_host_is_refused() {
    assert!(matches!(
        Settings::parse("user=ann dbname=journal"),
        Err(InvalidSettings::NoHost)
    ));
}

#[test]
fn no_text_that_is_refused_shows_its_password() {
    let slips = [
        "postgresql://ann:hunter2",
        "postgresql://ann:hun@ter2@db/journal",
        "postgresql://ann:x@db:hunter2/journal",
        "postgresql://ann:hunter2@db/journal?sslmode=require",
        "postgresql://ann:hunter2@db/journal?colour=blue",
        "postgresql://ann:hunter2@/journal",
        "host=db password=my hunter2=x",
        "host=db password=hunter2 sslrootcert=/ca",
        "host=db password='hunter2",
        "mysql://ann:hunter2@db",
        "hunter2",
    ];
    for slip in slips {
        let error = Settings::parse(slip).expect_err(slip);
        let said = everything_it_says(&error);
        assert!(
            !said.contains("hunter") && !said.contains("ter2"),
            "{slip}: {said}"
        );
    }
}

#[test]
fn neither_debug_nor_display_shows_the_password() {
    let settings = Settings::parse("postgresql://ann:hunter2@db/journal").unwrap();
    let shown = format!("{settings:?} {settings:#?} {settings}");
    assert!(
        shown.contains("ann") && shown.contains("journal") && !shown.contains("hunter2"),
        "{shown}"
    );
}
