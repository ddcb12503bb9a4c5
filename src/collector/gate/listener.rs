//! Where clients come in: a TCP port, a Unix socket for a proxy on this machine, or sockets that a supervisor has opened.
//! Must not accept anybody, nor know who may come.

use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Clients that may wait to be accepted: std's 128 lets bursts wait for a second.
const BACKLOG: i32 = 4096;
/// Whoever may write to the file may connect: its owner and its group.
const SOCKET_MODE: u32 = 0o660;
/// A look at whoever may be listening already, and the call that wakes an accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a listener is, as its clients name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A port, never 0.
    Tcp(SocketAddr),
    /// The file of a Unix socket; empty for one without a name.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "http://{address}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Address {
    /// Whether nobody but this machine reaches it. Not so for a Unix socket: behind it is a proxy, and behind that the world.
    pub fn is_loopback(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_loopback())
    }

    /// `None` for a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Address::Tcp(address) => Some(address.ip().to_canonical()),
            Address::Unix(_) => None,
        }
    }

    /// Where this process reaches it.
    pub(super) fn reached_from_here(&self) -> io::Result<SockAddr> {
        match self {
            Address::Tcp(address) => {
                let ip = match address.ip() {
                    ip if !ip.is_unspecified() => ip,
                    IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                };
                let mut address = *address;
                address.set_ip(ip);
                Ok(address.into())
            }
            Address::Unix(path) => SockAddr::unix(path),
        }
    }
}

/// An open listener. Dropping it removes the file of a Unix socket that it made.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: Socket,
    address: Address,
    _file: Option<SocketFile>,
}

impl Listener {
    /// Listens on the first of `addresses` that can be had.
    ///
    /// # Errors
    ///
    /// The last address tried, and what the system says.
    pub fn tcp(addresses: &[SocketAddr]) -> Result<Listener, (Address, io::Error)> {
        let open = |address: SocketAddr| {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
            // A restart must not wait for connections of the last run to be forgotten.
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Listener::of(socket, None)
        };
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let mut failure = (nowhere, io::ErrorKind::AddrNotAvailable.into());
        for &address in addresses {
            match open(address) {
                Ok(listener) => return Ok(listener),
                Err(cause) => failure = (address, cause),
            }
        }
        Err((Address::Tcp(failure.0), failure.1))
    }

    /// Listens on a Unix socket at `path`, in place of one that a dead server has left there.
    ///
    /// # Errors
    ///
    /// Where something lives there, or the file cannot be made.
    pub fn unix(path: &Path) -> Result<Listener, (Address, io::Error)> {
        let open = || {
            remove_stale(path)?;
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.bind(&SockAddr::unix(path)?)?;
            let file = SocketFile::of(path)?;
            // Before it listens, so that nobody slips in while the mode is what the umask made of it.
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
            socket.listen(BACKLOG)?;
            Listener::of(socket, Some(file))
        };
        open().map_err(|cause| (Address::Unix(path.to_owned()), cause))
    }

    /// A socket that listens already.
    ///
    /// # Errors
    ///
    /// Where it does not, or its clients would not be streams.
    pub fn inherited(socket: OwnedFd) -> io::Result<Listener> {
        let socket = Socket::from(socket);
        if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
            let cause = "it is no stream socket that listens";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
        }
        socket.set_nonblocking(false)?;
        Listener::of(socket, None)
    }

    fn of(socket: Socket, file: Option<SocketFile>) -> io::Result<Listener> {
        let local = socket.local_addr()?;
        let address = match local.as_socket() {
            Some(address) => Address::Tcp(address),
            None => Address::Unix(local.as_pathname().map(Path::to_owned).unwrap_or_default()),
        };
        Ok(Listener {
            socket,
            address,
            _file: file,
        })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Wakes an accept that waits. Should it fail, the backlog is full and the accept awake.
    pub(super) fn wake(&self) {
        if let Ok(address) = self.address.reached_from_here() {
            let _ = connect(&address);
        }
    }
}

fn connect(address: &SockAddr) -> io::Result<()> {
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    socket.connect_timeout(address, CONNECT_TIMEOUT)
}

/// Removes a socket that nobody listens on. What else is there, stays, and is in the way.
fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {}
        _ => return Ok(()),
    }
    match connect(&SockAddr::unix(path)?) {
        Err(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        // It lives, or cannot be told from one that lives.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// The file of a socket, removed on drop; not, however, that of another which has taken its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile {
            path: path.to_owned(),
            device_and_inode: device_and_inode(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if device_and_inode(&self.path).is_ok_and(|now| now == self.device_and_inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn device_and_inode(path: &Path) -> io::Result<(u64, u64)> {
    let found = std::fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_servers_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let live = Listener::unix(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        let (address, cause) = Listener::unix(&path).unwrap_err();
        assert_eq!(cause.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(address.to_string(), format!("unix:{}", path.display()));
        drop(live);
        assert!(!path.exists(), "removed at the end");

        // Bound by somebody who died of a signal: the file is there, nobody listens.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let second = Listener::unix(&path).unwrap();

        // Whoever has taken the place keeps it.
        std::fs::remove_file(&path).unwrap();
        let third = Listener::unix(&path).unwrap();
        drop(second);
        assert!(path.exists());
        drop(third);

        std::fs::write(&path, "a file").unwrap();
        assert!(Listener::unix(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
    }

    #[test]
    fn only_what_listens_is_inherited() {
        let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listening.local_addr().unwrap();
        let listener = Listener::inherited(listening.into()).unwrap();
        assert_eq!(listener.address(), &Address::Tcp(address));
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(Listener::inherited(udp.into()).is_err());
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert!(Listener::inherited(bound.into()).is_err());
    }
}
