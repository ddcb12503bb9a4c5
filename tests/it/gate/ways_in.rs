//! Other ways in than a port: a Unix socket, and sockets that a supervisor has opened.

use crate::support::program::{Folder, Running, wait_for};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn is_served(mut stream: impl Read + Write) -> bool {
    stream.write_all(REQUEST).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ok\n")
}

#[test]
fn a_unix_socket_is_served_and_gone_at_the_end() {
    let folder = Folder::new();
    // What a server that died of a signal leaves behind.
    drop(UnixListener::bind(folder.path("http.sock")).unwrap());
    let server = Running::start(folder.command("serve --listen unix:http.sock"));
    assert_eq!(server.ready, "listening on unix:http.sock");
    let path = folder.path("http.sock");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert!(is_served(UnixStream::connect(&path).unwrap()));

    // Whoever asks for localhost through it may be anybody: a proxy is in front.
    let mut stream = UnixStream::connect(&path).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");

    let second = folder.run("serve --listen unix:http.sock --log other.log");
    assert_eq!(second.code, 1, "{second:?}");
    assert!(
        second
            .stderr
            .contains("`unix:http.sock`: the address is in use"),
        "{}",
        second.stderr
    );
    assert!(
        is_served(UnixStream::connect(&path).unwrap()),
        "it lives on"
    );
    let run = server.stop("TERM");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!path.exists());
}

#[test]
fn a_socket_that_cannot_be_made_is_an_error() {
    let folder = Folder::new();
    folder.write("taken", "a file");
    for listen in ["unix:taken", "unix:nowhere/http.sock"] {
        let run = folder.run(&format!("serve --listen {listen}"));
        assert_eq!(run.code, 1, "{run:?}");
        assert!(
            run.stderr.starts_with("call-metrics: error: ") && run.stderr.contains(listen),
            "{}",
            run.stderr
        );
    }
    assert_eq!(folder.read("taken"), "a file");
}

/// Runs `serve` as a supervisor does that has opened `socket`.
fn activated(folder: &Folder, socket: OwnedFd) -> Running {
    let serve = folder.command("serve --listen 127.0.0.1:1");
    let mut command = std::process::Command::new("sh");
    // The descriptor comes as stdin and becomes the third; the process keeps its number when sh gives way to it.
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"";
    command.args(["-c", script]).arg(serve.get_program());
    command
        .args(serve.get_args())
        .current_dir(serve.get_current_dir().unwrap())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(socket);
    Running::start(command)
}

#[test]
fn sockets_of_a_supervisor_count_instead_of_the_address() {
    let folder = Folder::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let server = activated(&folder, tcp.into());
    assert_eq!(server.url(), format!("http://{address}"));
    assert!(is_served(TcpStream::connect(address).unwrap()));
    assert_eq!(server.stop("TERM").code, 0);

    let path = folder.path("given.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let server = activated(&folder, unix.into());
    assert_eq!(server.url(), format!("unix:{}", path.display()));
    assert!(is_served(UnixStream::connect(&path).unwrap()));
    assert_eq!(server.stop("TERM").code, 0);
    wait_for("the supervisor's file, which is not ours", || {
        path.exists().then_some(())
    });
}
