use std::process::{Command, Output};

use annals_postgres::TestDatabase;

fn flights(url: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flights"))
        .args(arguments)
        .env("DATABASE_URL", url)
        .output()
        .expect("the program starts")
}

fn error_of(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_the_value_and_the_way_out() {
    let database = TestDatabase::create().await.unwrap();
    let url = database.url();

    let unknown_tag = error_of(&flights(&url, &["tail", "carrier:XX"]));
    assert!(
        unknown_tag.contains("\"carrier:XX\"") && unknown_tag.contains("spelling"),
        "{unknown_tag}"
    );

    let unknown_aircraft = error_of(&flights(&url, &["aircraft", "N1"]));
    assert!(
        unknown_aircraft.contains("N1") && unknown_aircraft.contains("load the year"),
        "{unknown_aircraft}"
    );

    let no_aircraft = error_of(&flights(&url, &["aircraft", "much-too-long"]));
    assert!(no_aircraft.contains("much-too-long"), "{no_aircraft}");

    let nowhere = "postgresql://me:secret@127.0.0.1:1/flights";
    let no_server = error_of(&flights(nowhere, &["carriers"]));
    assert!(no_server.contains("127.0.0.1:1"), "{no_server}");
    assert!(!no_server.contains("secret"), "{no_server}");
}
