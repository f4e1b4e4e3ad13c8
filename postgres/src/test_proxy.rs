use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::Settings;

/// When to cut a connection on which the client has sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never sees it.
    BeforeTheServer,
    /// The server has it; what it makes of it remains open.
    BehindTheServer,
    /// The server has dealt with it, and its answer is lost.
    BeforeTheAnswer,
}

/// Stands between a store and its server, for tests of what becomes of lost requests and lost
/// replies: it cuts connections at moments that matter.
#[derive(Debug)]
pub struct TestProxy {
    settings: Settings,
    plan: Plan,
    at_work: watch::Sender<usize>,
}

/// What is to become of the next things that clients send; `None` lets one through.
type Plan = Arc<Mutex<VecDeque<Option<Cut>>>>;

impl TestProxy {
    /// A way to the server of `settings`.
    ///
    /// # Panics
    /// The server does not listen on a Unix socket, as a [`PrivateServer`](crate::PrivateServer)
    /// does, or no port is free.
    pub async fn to(settings: &Settings) -> Self {
        let config = settings.config();
        let Some(Host::Unix(folder)) = config.get_hosts().first() else {
            panic!("no Unix socket: {settings}");
        };
        let socket = folder.join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut through = Config::new();
        through
            .host("127.0.0.1")
            .port(listener.local_addr().expect("an address").port())
            .user(settings.user())
            .dbname(settings.database());
        let plan = Plan::default();
        let at_work = watch::Sender::new(0);
        tokio::spawn(accept(listener, socket, Arc::clone(&plan), at_work.clone()));
        Self {
            settings: Settings::from_config(through).expect("settings like those of the server"),
            plan,
            at_work,
        }
    }

    /// The way through it.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What to do at the next things that clients send, whatever the connection.
    pub fn plan(&self, cuts: impl IntoIterator<Item = Cut>) {
        lock(&self.plan).extend(cuts.into_iter().map(Some));
    }

    /// Lets so many things through before what is planned next.
    pub fn let_pass(&self, things: usize) {
        lock(&self.plan).extend(std::iter::repeat_n(None, things));
    }

    /// Lets everything through again.
    pub fn forget_plan(&self) {
        lock(&self.plan).clear();
    }

    /// How many of the planned cuts have not happened yet.
    pub fn cuts_left(&self) -> usize {
        lock(&self.plan).iter().flatten().count()
    }

    /// Returns once the server has ended the session of every connection that was lost: nothing that was
    /// sent before can still come about.
    pub async fn settled(&self) {
        let mut at_work = self.at_work.subscribe();
        // The sender is here, so it does not go away.
        let _ = at_work.wait_for(|sessions| *sessions == 0).await;
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, plan: Plan, at_work: watch::Sender<usize>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        // Without a server the client finds its connection closed, as it would without the proxy.
        let Ok(server) = UnixStream::connect(&socket).await else {
            continue;
        };
        let (plan, at_work) = (Arc::clone(&plan), at_work.clone());
        tokio::spawn(pass(client, server, plan, at_work));
    }
}

/// Ends, and closes both sides, when either side ends or a cut is due.
async fn pass(client: TcpStream, server: UnixStream, plan: Plan, at_work: watch::Sender<usize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mute = AtomicBool::new(false);
    let up = async {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            let cut = lock(&plan).pop_front().flatten();
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
    // Before the client can know.
    at_work.send_modify(|sessions| *sessions += 1);
    drop((from_client, to_client, to_server));
    // The server ends the session once it is done with what was sent.
    let _ = tokio::io::copy(&mut from_server, &mut tokio::io::sink()).await;
    at_work.send_modify(|sessions| *sessions -= 1);
}

/// A test that panicked elsewhere must not hide behind a poisoned lock.
fn lock(plan: &Plan) -> MutexGuard<'_, VecDeque<Option<Cut>>> {
    plan.lock().unwrap_or_else(PoisonError::into_inner)
}
