//! A GET through a tunnel: how node_exporter is read although it listens on the machine's loopback only.
//!
//! HTTP/1.0 on purpose: the answer then ends with the connection and comes neither compressed nor in chunks. A
//! server that sends chunks all the same is understood.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::Connection;
use super::{HttpAnswer, SshError, SshSettings};

/// The head of an answer is at most this long.
const HEAD_BYTES_MAX: usize = 64 << 10;

impl Connection {
    pub(crate) async fn http_get(
        &self,
        port: u16,
        path: &str,
        settings: &SshSettings,
    ) -> Result<HttpAnswer, SshError> {
        let failed = |message: String| SshError::Http {
            host: self.host_shown().to_owned(),
            port,
            path: path.to_owned(),
            message,
        };
        if !path.starts_with('/') || path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(failed("a path begins with `/` and has no blanks".to_owned()));
        }
        let work = async {
            let mut stream = self.direct("127.0.0.1", port, settings).await?;
            let request =
                format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAccept: text/plain\r\n\r\n");
            stream.write_all(request.as_bytes()).await.map_err(|error| failed(error.to_string()))?;
            let mut answer = Vec::new();
            let bytes_max = HEAD_BYTES_MAX + settings.http_body_bytes_max;
            let mut limited = (&mut stream).take(bytes_max as u64 + 1);
            limited.read_to_end(&mut answer).await.map_err(|error| failed(error.to_string()))?;
            if answer.len() > bytes_max {
                return Err(failed(format!("the answer is longer than {bytes_max} bytes")));
            }
            read_answer(&answer).map_err(failed)
        };
        match tokio::time::timeout(settings.own_command_limit, work).await {
            Ok(done) => done,
            Err(_) => Err(SshError::TimedOut {
                host: self.host_shown().to_owned(),
                doing: "a GET through a tunnel",
                limit: settings.own_command_limit,
                started: false,
            }),
        }
    }
}

/// Reads a whole HTTP answer.
fn read_answer(answer: &[u8]) -> Result<HttpAnswer, String> {
    let end = answer.windows(4).take(HEAD_BYTES_MAX).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or("the answer is no HTTP")?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| "the head of the answer is no text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1."));
    let status = status.and_then(|line| line.split(' ').nth(1)).and_then(|word| word.parse().ok());
    let status = status.ok_or("the answer is no HTTP")?;
    let mut content_type = None;
    let mut length: Option<usize> = None;
    let mut chunked = false;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-type" => content_type = Some(value.to_owned()),
            "content-length" => length = value.parse().ok(),
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let rest = &answer[end + 4..];
    let body = match (chunked, length) {
        (true, _) => join_chunks(rest)?,
        (false, Some(length)) if rest.len() < length => {
            return Err(format!("the answer broke off after {} of {length} bytes", rest.len()));
        }
        (false, Some(length)) => rest[..length].to_vec(),
        (false, None) => rest.to_vec(),
    };
    Ok(HttpAnswer { status, content_type, body: Bytes::from(body) })
}

fn join_chunks(mut rest: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n").ok_or("the answer broke off")?;
        let size = std::str::from_utf8(&rest[..line]).ok().and_then(|word| word.split(';').next());
        let size = size.and_then(|word| usize::from_str_radix(word.trim(), 16).ok()).ok_or("a bad chunk")?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(rest.get(..size).ok_or("the answer broke off")?);
        rest = rest.get(size + 2..).ok_or("the answer broke off")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_answers_with_length_chunks_and_neither() {
        let body = |text: &str| read_answer(text.as_bytes()).map(|answer| answer.body);
        assert_eq!(body("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nabc").unwrap(), "ab");
        assert_eq!(body("HTTP/1.0 200 OK\r\n\r\nabc").unwrap(), "abc");
        let chunks =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n";
        assert_eq!(body(chunks).unwrap(), "abc");
        assert_eq!(
            body("HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nabc").unwrap_err(),
            "the answer broke off after 3 of 9 bytes"
        );
        assert_eq!(body("SSH-2.0-x\r\n\r\n").unwrap_err(), "the answer is no HTTP");
        assert_eq!(read_answer(b"HTTP/1.1 404 Not Found\r\n\r\n").unwrap().status, 404);
    }
}
