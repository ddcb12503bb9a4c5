//! The table of clients: who is connected, from where, waiting for what since when, and who has to go when there is no room.
//! Must not touch what a client sends; forgets an address with its last connection.

use socket2::{SockAddr, Socket};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Silence between two requests that makes a client one who may have to go. Below it its request may be on the way.
const IDLE_MS: u64 = 1_000;
/// A request that takes longer than this to come is not of somebody in a hurry.
const READING_MS: u64 = 2_000;
/// An answer of which nothing was taken for so long is not being read.
const STALLED_MS: u64 = 5_000;
/// The same where its address has most of all places.
const PAYING_STALLED_MS: u64 = 1_000;
/// Where nobody has been any of this for long: below this age even then. A round trip to the other side of the world is 0.3 s,
/// but whoever floods so fast that this counts leaves a choice between some of the clients and none.
const YOUNG_MS: u64 = 100;
/// Who has to go is found for so many at once.
const VICTIMS: usize = 64;
/// After a search in vain: no other before this.
const SEARCH_PAUSE_MS: u64 = 10;

/// What counts as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A Unix socket: all of its clients together.
    Local,
    V4(Ipv4Addr),
    /// What one subscriber has, a /64.
    V6([u16; 4]),
}

impl Key {
    fn of(ip: IpAddr) -> Key {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Key::V4(ip),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Key::V6([a, b, c, d])
            }
        }
    }

    /// An address of it.
    pub(super) fn ip(self) -> Option<IpAddr> {
        match self {
            Key::Local => None,
            Key::V4(ip) => Some(ip.into()),
            Key::V6([a, b, c, d]) => Some(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 1).into()),
        }
    }
}

/// What is waited for, on behalf of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The first byte of a request.
    Idle = 0,
    /// The rest of it.
    Reading = 1,
    /// The handlers.
    Answering = 2,
    /// The client, which has to take an answer.
    Writing = 3,
}

const PHASES: [Phase; 4] = [
    Phase::Idle,
    Phase::Reading,
    Phase::Answering,
    Phase::Writing,
];

/// A client, as others see it.
pub(super) struct Peer {
    pub(super) stream: Socket,
    /// `None` on a Unix socket.
    pub(super) address: Option<SocketAddr>,
    pub(super) key: Key,
    /// The gate itself, looking whether it is served. In no table and no counter.
    pub(super) is_own: bool,
    /// Had to go: what its thread sees now is our doing.
    is_evicted: AtomicBool,
    born: Instant,
    /// Milliseconds from `born`, times four, and the phase.
    state: AtomicU64,
}

impl Peer {
    pub(super) fn new(stream: Socket, address: &SockAddr, is_own: bool, born: Instant) -> Peer {
        let address = address.as_socket();
        let peer = Peer {
            stream,
            address,
            key: address.map_or(Key::Local, |address| Key::of(address.ip())),
            is_own,
            is_evicted: AtomicBool::new(false),
            born,
            state: AtomicU64::new(0),
        };
        peer.enter(Phase::Idle);
        peer
    }

    /// Begins a phase, or tells that it goes on as it should.
    pub(super) fn enter(&self, phase: Phase) {
        let state = ms_since(self.born) << 2 | phase as u64;
        self.state.store(state, Ordering::SeqCst);
    }

    /// The phase, and since when.
    fn look(state: u64) -> (Phase, u64) {
        (PHASES[(state & 3) as usize], state >> 2)
    }

    pub(super) fn phase(&self) -> Phase {
        Peer::look(self.state.load(Ordering::SeqCst)).0
    }

    /// Writes, and nothing was taken for so long.
    pub(super) fn is_stalled(&self, limit: Duration) -> bool {
        let (phase, since_ms) = Peer::look(self.state.load(Ordering::SeqCst));
        let stalled_ms = ms_since(self.born).saturating_sub(since_ms);
        phase == Phase::Writing && limit.as_millis() <= u128::from(stalled_ms)
    }

    /// Has sent nothing for so long.
    pub(super) fn is_idle_for(&self, limit: Duration) -> bool {
        let (phase, since_ms) = Peer::look(self.state.load(Ordering::SeqCst));
        let silent_ms = ms_since(self.born).saturating_sub(since_ms);
        phase == Phase::Idle && limit.as_millis() <= u128::from(silent_ms)
    }

    pub(super) fn is_evicted(&self) -> bool {
        self.is_evicted.load(Ordering::SeqCst)
    }
}

pub(super) fn ms_since(instant: Instant) -> u64 {
    u64::try_from(instant.elapsed().as_millis()).unwrap_or(u64::MAX >> 2)
}

/// One address's part of the table.
#[derive(Default)]
struct Holding {
    n_connections: usize,
    /// When it was last searched in vain for one that may go.
    searched_ms: Option<u64>,
}

#[derive(Default)]
pub(super) struct Peers {
    by_id: HashMap<u64, Arc<Peer>>,
    by_key: HashMap<Key, Holding>,
    next_id: u64,
    /// Clients whose socket is not closed yet, among them those that had to go and are not in the table any more.
    pub(super) n_inside: usize,
    /// Who has to go next, last first: found together, looked at again one by one.
    victims: Vec<(u64, u64)>,
    searched_ms: Option<u64>,
}

impl Peers {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.by_id.values().map(Arc::as_ref)
    }

    /// Connections of one address.
    pub(super) fn held_by(&self, key: Key) -> usize {
        self.by_key.get(&key).map_or(0, |held| held.n_connections)
    }

    pub(super) fn add(&mut self, peer: &Arc<Peer>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.by_id.insert(id, Arc::clone(peer));
        self.by_key.entry(peer.key).or_default().n_connections += 1;
        id
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Arc<Peer>> {
        let peer = self.by_id.remove(&id)?;
        if let Some(held) = self.by_key.get_mut(&peer.key) {
            held.n_connections -= 1;
            if held.n_connections == 0 {
                self.by_key.remove(&peer.key);
            }
        }
        Some(peer)
    }

    /// Sends away whoever has the least claim to a place; false where nobody may be sent away.
    pub(super) fn evict_one(&mut self, now_ms: u64) -> bool {
        loop {
            while let Some((id, state)) = self.victims.pop() {
                // Whoever has moved since the search is somebody else's business.
                if self.state_of(id) == Some(state) {
                    self.evict(id);
                    return true;
                }
            }
            if !is_due(self.searched_ms, now_ms) {
                return false;
            }
            self.victims = self.search(now_ms);
            self.searched_ms = self.victims.is_empty().then_some(now_ms);
            if self.victims.is_empty() {
                return false;
            }
        }
    }

    /// Sends away the client of `key` that has been idle for longest; false where none has been for long enough.
    pub(super) fn evict_idle_of(&mut self, key: Key, now_ms: u64) -> bool {
        let searched_ms = self.by_key.get(&key).and_then(|held| held.searched_ms);
        if !is_due(searched_ms, now_ms) {
            return false;
        }
        let idle = self.by_id.iter().filter(|(_, peer)| peer.key == key);
        let longest = idle
            .filter_map(|(id, peer)| {
                let (phase, since_ms) = Peer::look(peer.state.load(Ordering::SeqCst));
                let is_idle = phase == Phase::Idle && IDLE_MS <= now_ms.saturating_sub(since_ms);
                is_idle.then_some((since_ms, *id))
            })
            .min();
        match longest {
            Some((_, id)) => self.evict(id),
            None => {
                if let Some(held) = self.by_key.get_mut(&key) {
                    held.searched_ms = Some(now_ms);
                }
            }
        }
        longest.is_some()
    }

    /// Sends away the client that has left an answer lying for longest, if there is one.
    pub(super) fn evict_stalled(&mut self, now_ms: u64) -> bool {
        let stalled = self.by_id.iter().filter_map(|(id, peer)| {
            let (phase, since_ms) = Peer::look(peer.state.load(Ordering::SeqCst));
            let is_stalled =
                phase == Phase::Writing && STALLED_MS <= now_ms.saturating_sub(since_ms);
            is_stalled.then_some((since_ms, *id))
        });
        let Some((_, id)) = stalled.min() else {
            return false;
        };
        self.evict(id);
        true
    }

    fn state_of(&self, id: u64) -> Option<u64> {
        let peer = self.by_id.get(&id)?;
        Some(peer.state.load(Ordering::SeqCst))
    }

    fn evict(&mut self, id: u64) {
        if let Some(peer) = self.remove(id) {
            peer.is_evicted.store(true, Ordering::SeqCst);
            let _ = peer.stream.shutdown(Shutdown::Both);
        }
    }

    /// Those that may be sent away, the first to go last. An address with over half of all connections pays before anybody
    /// else does; besides, whoever has been silent, slow or deaf for long, from the address that holds most; then the rest.
    fn search(&self, now_ms: u64) -> Vec<(u64, u64)> {
        let held = self
            .by_key
            .iter()
            .map(|(key, held)| (held.n_connections, *key));
        let largest = held.filter(|(n, _)| 1 < *n).max_by_key(|(n, _)| *n);
        let has_most = largest.is_some_and(|(n, _)| self.by_id.len() < n * 2);
        let mut found: Vec<_> = self
            .by_id
            .iter()
            .filter_map(|(id, peer)| {
                let state = peer.state.load(Ordering::SeqCst);
                let (phase, since_ms) = Peer::look(state);
                let is_of_largest = largest.is_some_and(|(_, key)| key == peer.key);
                let pays = is_of_largest && has_most;
                let class = class(phase, now_ms.saturating_sub(since_ms), pays)?;
                let group = (!pays, class == LAST && !pays);
                let rank = (group, !is_of_largest, class, since_ms, *id);
                Some((Reverse(rank), state))
            })
            .collect();
        found.sort_unstable();
        // Those of one group alone: by the time that they have gone, or moved on, the next group may be another.
        if let Some((Reverse((first, ..)), _)) = found.last().copied() {
            found.retain(|(Reverse((group, ..)), _)| *group == first);
        }
        let n_spared = found.len().saturating_sub(VICTIMS);
        let victims = found.into_iter().skip(n_spared);
        victims
            .map(|(Reverse((.., id)), state)| (id, state))
            .collect()
    }
}

/// The last class: nothing can be said against them but that there is no room.
const LAST: u8 = 3;

/// In which order those that wait may be sent away; `None`: not at all. `pays` is of an address that has most of all places.
fn class(phase: Phase, age_ms: u64, pays: bool) -> Option<u8> {
    match phase {
        Phase::Idle if IDLE_MS <= age_ms => Some(0),
        Phase::Reading if READING_MS <= age_ms => Some(1),
        Phase::Writing if STALLED_MS <= age_ms => Some(2),
        Phase::Idle | Phase::Reading if pays || YOUNG_MS <= age_ms => Some(LAST),
        Phase::Writing if pays && PAYING_STALLED_MS <= age_ms => Some(LAST),
        _ => None,
    }
}

fn is_due(searched_ms: Option<u64>, now_ms: u64) -> bool {
    searched_ms.is_none_or(|last_ms| SEARCH_PAUSE_MS <= now_ms.saturating_sub(last_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};

    struct Table {
        peers: Peers,
        born: Instant,
    }

    impl Table {
        fn new() -> Table {
            Table {
                peers: Peers::default(),
                born: Instant::now(),
            }
        }

        /// A client that has been in `phase` since `since_ms`.
        fn add(&mut self, ip: &str, phase: Phase, since_ms: u64) -> Arc<Peer> {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            let address = SocketAddr::new(ip.parse().unwrap(), 1).into();
            let peer = Arc::new(Peer::new(socket, &address, false, self.born));
            peer.state
                .store(since_ms << 2 | phase as u64, Ordering::SeqCst);
            self.peers.add(&peer);
            peer
        }
    }

    #[test]
    fn the_longest_idle_go_first_then_slow_ones_then_deaf_ones_then_the_rest() {
        let mut table = Table::new();
        let phases = [
            (Phase::Answering, 0),
            (Phase::Idle, 99_950),
            (Phase::Idle, 99_000 - 400),
            (Phase::Reading, 99_500),
            (Phase::Writing, 94_000),
            (Phase::Writing, 96_000),
            (Phase::Reading, 97_000),
            (Phase::Reading, 90_000),
            (Phase::Idle, 98_000),
        ];
        // Of as many addresses: none holds more than another.
        let peers: Vec<Arc<Peer>> = phases
            .iter()
            .enumerate()
            .map(|(i, (phase, since))| table.add(&format!("10.0.0.{i}"), *phase, *since))
            .collect();
        let mut order = Vec::new();
        while table.peers.evict_one(100_000) {
            let gone = |i: &usize| peers[*i].is_evicted() && !order.contains(i);
            let next = (0..peers.len()).find(gone).unwrap();
            order.push(next);
        }
        assert_eq!(order, [8, 2, 7, 6, 4, 3]);
        assert_eq!(table.peers.len(), 3, "who works or has just come stays");
    }

    #[test]
    fn the_address_that_holds_most_pays() {
        let mut table = Table::new();
        let old = table.add("10.0.0.1", Phase::Idle, 0);
        let crowd: Vec<Arc<Peer>> = (0..3)
            .map(|i| table.add("10.0.0.2", Phase::Reading, 99_000 + i))
            .collect();
        // Three of four: its youngest go before anybody's oldest.
        assert!(table.peers.evict_one(100_000));
        assert!(crowd[0].is_evicted() && !old.is_evicted());

        // Without such a majority, what is old goes first, and of the old those of the address that holds most.
        let mut table = Table::new();
        let young = table.add("10.0.0.2", Phase::Idle, 99_500);
        let old = table.add("10.0.0.2", Phase::Writing, 0);
        let others: Vec<Arc<Peer>> = (3..6)
            .map(|i| table.add(&format!("10.0.0.{i}"), Phase::Idle, 1_000))
            .collect();
        assert!(table.peers.evict_one(100_000));
        assert!(old.is_evicted());
        for _ in 0..3 {
            assert!(table.peers.evict_one(100_000));
        }
        assert!(others.iter().all(|peer| peer.is_evicted()) && !young.is_evicted());
    }

    #[test]
    fn who_has_moved_since_the_search_stays() {
        let mut table = Table::new();
        let first = table.add("10.0.0.1", Phase::Idle, 0);
        let second = table.add("10.0.0.1", Phase::Idle, 1);
        let third = table.add("10.0.0.1", Phase::Idle, 2);
        assert!(table.peers.evict_one(100_000));
        second.enter(Phase::Answering);
        assert!(table.peers.evict_one(100_000));
        assert_eq!(
            [&first, &second, &third].map(|peer| peer.is_evicted()),
            [true, false, true]
        );
    }

    #[test]
    fn an_address_is_forgotten_with_its_last_connection() {
        let mut table = Table::new();
        for i in 0..100 {
            table.add(&format!("2001:db8::{i:x}"), Phase::Idle, 0);
            table.add(&format!("::ffff:10.0.0.{i}"), Phase::Idle, 0);
        }
        let subscriber = Key::of("2001:db8::ffff:1".parse().unwrap());
        assert_eq!(table.peers.held_by(subscriber), 100, "a /64 counts as one");
        assert_eq!(table.peers.held_by(Key::V4(Ipv4Addr::new(10, 0, 0, 7))), 1);
        assert!(table.peers.evict_idle_of(subscriber, 100_000));
        assert_eq!(table.peers.held_by(subscriber), 99);
        for id in 0..200 {
            table.peers.remove(id);
        }
        assert!(table.peers.by_key.is_empty() && table.peers.len() == 0);
    }
}
