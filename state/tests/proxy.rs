//! Stands between a store and the server, and cuts connections at moments that matter.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use annals_postgres::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// When to cut a connection on which the client has sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never sees it.
    BeforeTheServer,
    /// The server has it; what it makes of it remains open.
    BehindTheServer,
    /// The server has dealt with it, and its answer is lost.
    BeforeTheAnswer,
}

pub(crate) struct Proxy {
    pub(crate) settings: Settings,
    plan: Plan,
}

/// What to do at the next things that clients send, whatever the connection.
type Plan = Arc<Mutex<VecDeque<Cut>>>;

impl Proxy {
    /// A way to the server of `settings`, which has to listen on a Unix socket.
    pub(crate) async fn to(settings: &Settings) -> Self {
        let config = settings.config();
        let Some(Host::Unix(folder)) = config.get_hosts().first() else {
            panic!("no Unix socket: {settings}");
        };
        let socket = folder.join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut through = Config::new();
        through
            .host("127.0.0.1")
            .port(listener.local_addr().unwrap().port())
            .user(settings.user())
            .dbname(settings.database());
        let plan = Plan::default();
        tokio::spawn(accept(listener, socket, Arc::clone(&plan)));
        Self {
            settings: Settings::from_config(through).unwrap(),
            plan,
        }
    }

    pub(crate) fn plan(&self, cuts: impl IntoIterator<Item = Cut>) {
        self.plan.lock().unwrap().extend(cuts);
    }

    pub(crate) fn cuts_left(&self) -> usize {
        self.plan.lock().unwrap().len()
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, plan: Plan) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let server = UnixStream::connect(&socket).await.unwrap();
        tokio::spawn(pass(client, server, Arc::clone(&plan)));
    }
}

/// Ends, and closes both sides, when either side ends or a cut is due.
async fn pass(client: TcpStream, server: UnixStream, plan: Plan) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mute = AtomicBool::new(false);
    let up = async {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            let cut = plan.lock().unwrap().pop_front();
            mute.fetch_or(cut == Some(Cut::BeforeTheAnswer), Ordering::SeqCst);
            let gone = cut == Some(Cut::BeforeTheServer)
                || to_server.write_all(&bytes[..count]).await.is_err();
            if gone || cut == Some(Cut::BehindTheServer) {
                return;
            }
        }
    };
    let down = async {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
            let silent = mute.load(Ordering::SeqCst);
            if silent || to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}
