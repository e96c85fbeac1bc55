//! Media types: what a request's body is, and what the client accepts. Strict, as JSON:API asks: 415 and 406.

use axum::http::{HeaderMap, HeaderValue, header};
use muster_api::problem::{Problem, ProblemKind};

use crate::refusal::Refusal;

/// The body must be of this type, without parameters.
pub fn content_type(headers: &HeaderMap, wanted: &str) -> Result<(), Refusal> {
    let given = headers.get(header::CONTENT_TYPE).map(HeaderValue::to_str);
    match given {
        Some(Ok(given)) if given.trim().eq_ignore_ascii_case(wanted) => Ok(()),
        Some(Ok(given)) => {
            let detail = format!("send the body as `{wanted}` without parameters, not as `{given}`");
            Err(Problem::new(ProblemKind::UnsupportedMediaType, detail).header("content-type").into())
        }
        Some(Err(_)) | None => {
            let detail = format!("say that the body is `{wanted}`");
            Err(Problem::new(ProblemKind::UnsupportedMediaType, detail).header("content-type").into())
        }
    }
}

/// The first of the offered types that the client accepts; a client that says nothing accepts the first.
pub fn accept<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Result<&'a str, Refusal> {
    let mut said_anything = false;
    for value in headers.get_all(header::ACCEPT) {
        for range in value.to_str().unwrap_or("").split(',').map(str::trim).filter(|range| !range.is_empty())
        {
            said_anything = true;
            if let Some(found) = offered.iter().find(|offer| matches(range, offer)) {
                return Ok(found);
            }
        }
    }
    match offered.first() {
        Some(first) if !said_anything => Ok(first),
        _ => {
            let detail = format!("this address answers {}", offered.join(", "));
            Err(Problem::new(ProblemKind::NotAcceptable, detail).header("accept").into())
        }
    }
}

fn matches(range: &str, offer: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or("").to_ascii_lowercase();
    for parameter in parts {
        match parameter.split_once('=') {
            // A weight; 0 means "not this one".
            Some((name, weight)) if name.trim() == "q" => {
                if weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0) {
                    return false;
                }
            }
            // A parameter asks for another type than ours.
            _ => return false,
        }
    }
    let family = offer.split('/').next().unwrap_or("");
    kind == offer || kind == "*/*" || kind == format!("{family}/*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_api::media;

    fn accepting(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(text).unwrap());
        headers
    }

    #[test]
    fn accepts_what_json_api_allows() {
        let offered = [media::JSON_API, media::NDJSON];
        assert_eq!(accept(&HeaderMap::new(), &offered).unwrap(), media::JSON_API);
        assert_eq!(accept(&accepting("*/*"), &offered).unwrap(), media::JSON_API);
        assert_eq!(
            accept(&accepting("text/html, application/x-ndjson;q=0.5"), &offered).unwrap(),
            media::NDJSON
        );
        assert_eq!(accept(&accepting("application/*"), &offered).unwrap(), media::JSON_API);
        let refused = accept(&accepting("text/html"), &offered).unwrap_err();
        assert_eq!(refused.0.status(), 406);
        assert!(accept(&accepting("application/vnd.api+json; charset=utf-8"), &offered).is_err());
        assert!(accept(&accepting("application/vnd.api+json;q=0"), &[media::JSON_API]).is_err());
    }

    #[test]
    fn a_body_has_its_type_and_nothing_else() {
        let mut headers = HeaderMap::new();
        assert_eq!(content_type(&headers, media::JSON_API).unwrap_err().0.status(), 415);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/vnd.api+json; charset=utf-8"),
        );
        assert!(content_type(&headers, media::JSON_API).is_err());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("Application/Vnd.Api+Json"));
        assert!(content_type(&headers, media::JSON_API).is_ok());
    }
}
