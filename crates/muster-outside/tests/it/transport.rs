//! The real transport: what it says about requests that got no answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use muster_outside::transport::{HttpTransport, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn request(method: Method, url: &str) -> Request<Bytes> {
    Request::builder().method(method).uri(url).body(Bytes::from_static(b"{}")).unwrap()
}

/// A server that reads one request on each connection and answers with these bytes, then closes.
async fn raw(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/server", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let _ = socket.read(&mut buffer).await;
            let _ = socket.write_all(answer).await;
            let _ = socket.shutdown().await;
        }
    });
    url
}

#[tokio::test]
async fn a_refused_connection_was_never_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/server", listener.local_addr().unwrap());
    drop(listener);
    let error = HttpTransport::new().unwrap().send(request(Method::POST, &url)).await.unwrap_err();
    assert!(error.never_sent, "{error}");
    assert!(error.message.contains("Connection refused"), "{error}");
    let nowhere =
        HttpTransport::new().unwrap().send(request(Method::POST, "http://no-such-host.invalid/")).await;
    assert!(nowhere.unwrap_err().never_sent);
}

#[tokio::test]
async fn a_broken_answer_may_have_been_sent() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"ID\"",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{\"I",
    ] {
        let url = raw(answer).await;
        let error = HttpTransport::new().unwrap().send(request(Method::POST, &url)).await.unwrap_err();
        assert!(!error.never_sent, "{error}");
        assert!(!error.message.contains(&url), "{error}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_answers_are_whole() {
    let url =
        raw(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nno").await;
    let answer = HttpTransport::new().unwrap().send(request(Method::GET, &url)).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (302, &b"no"[..]));
}

/// A TLS handshake that fails happened before anything was sent.
#[tokio::test]
async fn a_failed_handshake_was_never_sent() {
    let url = raw(b"plain text").await.replace("http://", "https://");
    let error = HttpTransport::new().unwrap().send(request(Method::POST, &url)).await.unwrap_err();
    assert!(error.never_sent, "{error}");
}

/// Connections are pooled: many requests, one connection.
#[tokio::test]
async fn connections_are_reused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let opened = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = opened.clone();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]").await.unwrap();
                }
            });
        }
    });
    let transport = HttpTransport::new().unwrap();
    for _ in 0..20 {
        transport.send(request(Method::GET, &url)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(opened.load(std::sync::atomic::Ordering::SeqCst) <= 2);
}
