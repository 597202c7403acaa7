//! A TCP proxy on loopback for faults: cuts, stalls, delays and refuses, as told by a handle while it runs. It knows
//! nothing of the protocol that passes through; TLS passes untouched.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::port::Port;

/// A direction of bytes through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// A running proxy. Dropping it closes the port and all connections.
#[derive(Debug)]
pub struct Proxy {
    /// Kept while nobody listens there, too.
    port: Arc<Port>,
    shared: Arc<Shared>,
}

/// Lets so many bytes pass in the directions that it was given to, then holds back what follows. What waits for a moment
/// in the middle of a transfer is thus in the middle of it, however fast the machine is.
#[derive(Debug, Clone, Default)]
pub struct Hold(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    /// How many bytes may still pass; `None` while nothing is held.
    left: Mutex<Option<u64>>,
    changed: Condvar,
    /// How often everything has been lost; changed only while `left` is locked.
    lost: AtomicU64,
}

impl Hold {
    /// So many more bytes may pass, in all directions together.
    pub fn after(&self, bytes: u64) {
        self.change(|left| *left = Some(bytes));
    }

    /// Everything may pass again, first of all what was held back.
    pub fn release(&self) {
        self.change(|left| *left = None);
    }

    /// What the connections that stand at this moment still bring is lost with them, wherever it is on its way, as when
    /// the machine of its sender goes down. Connections that begin later pass.
    pub fn lose(&self) {
        self.change(|left| {
            *left = None;
            self.0.lost.fetch_add(1, Ordering::SeqCst);
        });
    }

    /// Whether all the bytes that might pass have passed.
    #[must_use]
    pub fn holds(&self) -> bool {
        *self.lock() == Some(0)
    }

    /// How often everything has been lost so far.
    fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Option<u64>> {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Option<u64>)) {
        change(&mut self.lock());
        self.0.changed.notify_all();
    }

    /// How many of so many bytes may pass, at least one, of a connection that began when so much had been lost; `None`
    /// once they are lost, or nobody waits for them any more.
    fn pass(&self, wanted: usize, lost: u64, stands: impl Fn() -> bool) -> Option<usize> {
        let mut left = self.lock();
        loop {
            if self.lost() != lost {
                return None;
            }
            match *left {
                None => return Some(wanted),
                Some(0) if !stands() => return None,
                // Looks from time to time whether the connection still stands.
                Some(0) => left = self.0.changed.wait_timeout(left, LOOK).unwrap_or_else(PoisonError::into_inner).0,
                Some(bytes) => {
                    let passing = wanted.min(usize::try_from(bytes).unwrap_or(usize::MAX));
                    *left = Some(bytes - passing as u64);
                    return Some(passing);
                }
            }
        }
    }
}

/// How often what is held back looks whether its connection still stands.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Shared {
    target: u16,
    faults: Mutex<Faults>,
    changed: Condvar,
    connections: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
}

#[derive(Debug, Default)]
struct Faults {
    cut: Option<Cut>,
    /// Numbers the armed cuts, so that connections count anew for each.
    armed: u64,
    stalled: bool,
    one_way: Duration,
    hold: Option<(Direction, Hold)>,
    refusing: bool,
    /// The listener is really gone while refusing.
    closed: bool,
    ended: bool,
    open: BTreeMap<u64, Line>,
}

/// A connection.
#[derive(Debug)]
struct Line {
    client: TcpStream,
    server: TcpStream,
    /// How much the hold had lost when this began, or when it was given a hold.
    lost: u64,
}

#[derive(Debug, Clone, Copy)]
struct Cut {
    direction: Direction,
    after: u64,
    every_connection: bool,
}

impl Proxy {
    /// Forwards a free port of 127.0.0.1 to `target`.
    pub fn start(target: u16) -> Result<Proxy> {
        let port = Arc::new(Port::reserve()?);
        let listener = port.listen()?;
        let shared = Arc::new(Shared {
            target,
            faults: Mutex::default(),
            changed: Condvar::new(),
            connections: AtomicU64::new(0),
            to_server: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
        });
        let (accepting, at) = (Arc::clone(&shared), Arc::clone(&port));
        thread::spawn(move || accept(listener, &at, &accepting));
        Ok(Proxy { port, shared })
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Cuts the first connection that has carried `bytes` in `direction`, counted from now; then forgets the order.
    /// The bytes up to there are delivered.
    pub fn cut_once_after(&self, direction: Direction, bytes: u64) {
        self.arm(Cut { direction, after: bytes, every_connection: false });
    }

    /// Cuts every connection after `bytes` in `direction`, until [`Proxy::never_cut`].
    pub fn cut_each_after(&self, direction: Direction, bytes: u64) {
        self.arm(Cut { direction, after: bytes, every_connection: true });
    }

    fn arm(&self, cut: Cut) {
        let mut faults = self.shared.lock();
        faults.armed += 1;
        faults.cut = Some(cut);
    }

    /// Takes the order to cut back.
    pub fn never_cut(&self) {
        self.shared.lock().cut = None;
    }

    /// Whether an order to cut still stands (a single cut that fired does not).
    #[must_use]
    pub fn will_cut(&self) -> bool {
        self.shared.lock().cut.is_some()
    }

    /// Closes all connections now.
    pub fn cut_now(&self) {
        close_all(&mut self.shared.lock());
    }

    /// Holds all bytes back in both directions, or lets them go again. Connections stay open.
    pub fn stall(&self, stalled: bool) {
        self.shared.lock().stalled = stalled;
        self.shared.changed.notify_all();
    }

    /// What goes in this direction is let through by `hold`, which may be given to several proxies.
    pub fn hold(&self, direction: Direction, hold: &Hold) {
        let mut faults = self.shared.lock();
        let lost = hold.lost();
        faults.open.values_mut().for_each(|line| line.lost = lost);
        faults.hold = Some((direction, hold.clone()));
    }

    /// Every byte arrives half this time after it was sent, however many are under way.
    pub fn delay(&self, round_trip: Duration) {
        self.shared.lock().one_way = round_trip / 2;
    }

    /// While refusing, nothing listens on the port: connecting fails as on a stopped server. Connections stay. Returns
    /// when the port is closed, or open again.
    pub fn refuse(&self, refusing: bool) {
        let mut faults = self.shared.lock();
        faults.refusing = refusing;
        self.shared.changed.notify_all();
        if refusing && !faults.closed {
            drop(faults);
            self.wake_listener();
            faults = self.shared.lock();
        }
        while faults.closed != refusing && !faults.ended {
            faults = self.shared.changed.wait(faults).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The listener waits in `accept`; a connection makes it look at its orders.
    fn wake_listener(&self) {
        // Only the attempt matters.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number())));
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Connections open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.lock().open.len()
    }

    /// Bytes delivered in a direction so far, over all connections.
    #[must_use]
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.shared.total(direction).load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let closed = {
            let mut faults = self.shared.lock();
            faults.ended = true;
            close_all(&mut faults);
            faults.closed
        };
        self.shared.changed.notify_all();
        if !closed {
            self.wake_listener();
        }
    }
}

impl Shared {
    /// A panic elsewhere must not hide behind a poisoned lock: the state is plain data.
    fn lock(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of so many bytes may go now; `None` where the connection has ended meanwhile.
    fn may_pass(&self, number: u64, direction: Direction, wanted: usize) -> Option<usize> {
        let (hold, lost) = {
            let faults = self.lock();
            match &faults.hold {
                Some((held, hold)) if *held == direction => (hold.clone(), faults.open.get(&number)?.lost),
                _ => return Some(wanted),
            }
        };
        let stands = || {
            let faults = self.lock();
            !faults.ended && faults.open.contains_key(&number)
        };
        hold.pass(wanted, lost, stands)
    }

    fn total(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }
}

fn close_all(faults: &mut Faults) {
    std::mem::take(&mut faults.open).values().for_each(close);
}

fn close(line: &Line) {
    // The other side may have closed already.
    let _ = line.client.shutdown(Shutdown::Both);
    let _ = line.server.shutdown(Shutdown::Both);
}

fn accept(first: TcpListener, port: &Port, shared: &Arc<Shared>) {
    let mut listener = Some(first);
    let mut number = 0;
    loop {
        let Some(listening) = &listener else {
            let mut faults = shared.lock();
            while faults.refusing && !faults.ended {
                faults = shared.changed.wait(faults).unwrap_or_else(PoisonError::into_inner);
            }
            if faults.ended {
                return;
            }
            drop(faults);
            // Where it cannot listen there yet, it tries again.
            if let Ok(again) = port.listen() {
                listener = Some(again);
                shared.lock().closed = false;
                shared.changed.notify_all();
            }
            continue;
        };
        let accepted = listening.accept();
        let (ended, refusing) = {
            let faults = shared.lock();
            (faults.ended, faults.refusing)
        };
        if ended {
            return;
        }
        if refusing {
            listener = None;
            // A port that is open for somebody else is as good as closed: nobody accepts there.
            let _ = port.wait_until_free();
            shared.lock().closed = true;
            shared.changed.notify_all();
            continue;
        }
        if let Ok((client, _)) = accepted {
            number += 1;
            shared.connections.fetch_add(1, Ordering::SeqCst);
            // A server that is down shows as a connection that closes at once.
            if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.target)) {
                let _ = carry(number, client, server, shared);
            }
        }
    }
}

/// Starts the four threads of a connection: a reader and a writer for each direction.
fn carry(number: u64, client: TcpStream, server: TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    {
        let mut faults = shared.lock();
        let lost = faults.hold.as_ref().map_or(0, |(_, hold)| hold.lost());
        faults.open.insert(number, Line { client: client.try_clone()?, server: server.try_clone()?, lost });
    }
    for (from, to, direction) in
        [(client.try_clone()?, server.try_clone()?, Direction::ToServer), (server, client, Direction::ToClient)]
    {
        let (sender, receiver) = channel();
        let reading = Arc::clone(shared);
        thread::spawn(move || read(from, &sender, &reading));
        let writing = Arc::clone(shared);
        thread::spawn(move || deliver(number, to, &receiver, direction, &writing));
    }
    Ok(())
}

/// Bytes and when they are due. Bandwidth is not limited, so a delayed direction may hold many.
fn read(mut from: TcpStream, sender: &Sender<(Instant, Vec<u8>)>, shared: &Shared) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let due = Instant::now() + shared.lock().one_way;
        // An empty chunk carries the end of the stream, with the same delay.
        if sender.send((due, buffer[..count].to_vec())).is_err() || count == 0 {
            return;
        }
    }
}

fn deliver(
    number: u64,
    mut to: TcpStream,
    receiver: &Receiver<(Instant, Vec<u8>)>,
    direction: Direction,
    shared: &Shared,
) {
    let (mut armed, mut carried) = (0, 0_u64);
    // What a hold let through of a chunk, and what is left of it.
    let mut rest = Vec::new();
    loop {
        if rest.is_empty() {
            let Ok((due, chunk)) = receiver.recv() else { break };
            if let Some(wait) = due.checked_duration_since(Instant::now()) {
                thread::sleep(wait);
            }
            rest = chunk;
        }
        let mut chunk = std::mem::take(&mut rest);
        if !chunk.is_empty() {
            let Some(passing) = shared.may_pass(number, direction, chunk.len()) else { break };
            rest = chunk.split_off(passing);
        }
        let (allowed, cut) = {
            let mut faults = shared.lock();
            while faults.stalled && !faults.ended && faults.open.contains_key(&number) {
                faults = shared.changed.wait(faults).unwrap_or_else(PoisonError::into_inner);
            }
            if faults.armed != armed {
                (armed, carried) = (faults.armed, 0);
            }
            match faults.cut.filter(|cut| cut.direction == direction) {
                Some(cut) if carried + chunk.len() as u64 >= cut.after => {
                    if !cut.every_connection {
                        faults.cut = None;
                    }
                    let left = usize::try_from(cut.after - carried.min(cut.after)).unwrap_or(usize::MAX);
                    (left.min(chunk.len()), true)
                }
                _ => (chunk.len(), false),
            }
        };
        let written = to.write_all(&chunk[..allowed]);
        carried += allowed as u64;
        shared.total(direction).fetch_add(allowed as u64, Ordering::SeqCst);
        if cut || written.is_err() {
            break;
        }
        if chunk.is_empty() {
            // The other direction may still have something to say.
            let _ = to.shutdown(Shutdown::Write);
            if direction == Direction::ToServer {
                return;
            }
            break;
        }
    }
    if let Some(line) = shared.lock().open.remove(&number) {
        close(&line);
    }
}
