//! What the codecs cost: bytes and nanoseconds for a small event and for one of ten lines, the best
//! of seven rounds. Run it with
//! `cargo run --release -p annals-persistence --example codec_cost`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use annals_persistence::{Bincode, Codec, CodecError, Json, MessagePack, Upcasters};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Event {
    Deposited {
        account: u64,
        cents: i64,
        reason: String,
        at: i64,
    },
    Ordered {
        customer: String,
        at: i64,
        lines: Vec<Line>,
        note: Option<String>,
    },
}

#[derive(Serialize, Deserialize)]
struct Line {
    article: String,
    pieces: u32,
    cents: i64,
    tax: f64,
}

fn main() -> Result<(), CodecError> {
    let small = Event::Deposited {
        account: 4711,
        cents: 129_900,
        reason: "salary of may".to_owned(),
        at: 1_700_000_000_123,
    };
    let order = Event::Ordered {
        customer: "Customer|4711".to_owned(),
        at: 1_700_000_000_123,
        lines: (0..10)
            .map(|number| Line {
                article: format!("article {number}"),
                pieces: number,
                cents: 1999,
                tax: 0.19,
            })
            .collect(),
        note: None,
    };
    println!("event  codec                      bytes  encode ns  decode ns");
    for (name, event) in [("small", &small), ("order", &order)] {
        print(name, "JSON", &Json, event)?;
        print(name, "MessagePack", &MessagePack, event)?;
        print(name, "bincode", &Bincode::named("Event"), event)?;
        print_old(name, "JSON, of an old version", &Json, event)?;
        print_old(name, "MessagePack, of an old one", &MessagePack, event)?;
    }
    Ok(())
}

fn print(
    name: &str,
    what: &str,
    codec: &impl Codec<Event>,
    event: &Event,
) -> Result<(), CodecError> {
    let payload = codec.encode(event)?;
    let encode = nanos(|| codec.encode(event).is_ok());
    let decode = nanos(|| codec.decode(&payload).is_ok());
    let bytes = payload.bytes.len();
    println!("{name:<6} {what:<26} {bytes:>5} {encode:>10} {decode:>10}");
    Ok(())
}

/// Through a tree and one step that changes nothing.
fn print_old(
    name: &str,
    what: &str,
    codec: &(impl Codec<Event> + annals_persistence::SelfDescribing),
    event: &Event,
) -> Result<(), CodecError> {
    let upcasters = Upcasters::new()
        .upcast("Deposited", 1, Ok)
        .upcast("Ordered", 1, Ok);
    let payload = codec.encode(event)?;
    let decode = nanos(|| upcasters.decode::<Event>(codec, &payload).is_ok());
    let bytes = payload.bytes.len();
    println!("{name:<6} {what:<26} {bytes:>5} {:>10} {decode:>10}", "");
    Ok(())
}

/// Of one call, in the best of seven rounds.
fn nanos(work: impl Fn() -> bool) -> u128 {
    const CALLS: u32 = 100_000;
    let round = || {
        let start = Instant::now();
        for _ in 0..CALLS {
            assert!(black_box(work()), "a codec does not read what it wrote");
        }
        start.elapsed()
    };
    let best = (0..7).map(|_| round()).min();
    best.unwrap_or(Duration::ZERO).as_nanos() / u128::from(CALLS)
}
