//! Requests of the `http` crate as ours.

use bytes::Bytes;

use super::Request;
use crate::error::PlanError;
use crate::target::Target;

/// A request that was put together with the types of the `http` crate. Of its URI, path and
/// query are asked for, and a host in it is what the `Host` header says, unless there is one;
/// where connections go is the plan's [`Target`]. Headers keep their order, their names are in
/// lower case, and the values of [sensitive](http::HeaderValue::is_sensitive) ones are sent but
/// never written. Extensions are not looked at.
///
/// # Errors
/// [`PlanError::Request`] for a version that is not HTTP/1.1, the value of a header that is not
/// text, and a URI with a user or without a path.
///
/// ```
/// use loadgen_core::Request;
///
/// let cart = http::Request::post("/cart?item=7").header("content-type", "text/plain");
/// let request = Request::try_from(cart.body("1")?)?;
/// assert_eq!(request.method(), "POST");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<B: Into<Bytes>> TryFrom<http::Request<B>> for Request {
    type Error = PlanError;

    fn try_from(given: http::Request<B>) -> Result<Self, PlanError> {
        let (parts, body) = given.into_parts();
        let wrong = |what, value: String| Err(PlanError::Request { what, value });
        if parts.version != http::Version::HTTP_11 {
            return wrong("version, which is HTTP/1.1", format!("{:?}", parts.version));
        }
        let Some(path) = parts.uri.path_and_query() else {
            return wrong("URI with a path", parts.uri.to_string());
        };
        let mut request = Self::get().with_method(&parts.method).with_path(path.as_str());
        if let Some(authority) = parts.uri.authority()
            && !parts.headers.contains_key(http::header::HOST)
        {
            if authority.as_str().contains('@') {
                // It may have a password, so it is not told.
                let what = "URI without a user: send an Authorization header";
                return wrong(what, format!("…@{}", authority.host()));
            }
            request = request.with_header("host", authority.as_str());
        }
        for (name, value) in &parts.headers {
            let Ok(text) = value.to_str() else {
                return wrong("value of a header, which is visible ASCII,", format!("of {name}"));
            };
            request = match value.is_sensitive() {
                true => request.with_secret_header(name.as_str(), text),
                false => request.with_header(name.as_str(), text),
            };
        }
        let body: Bytes = body.into();
        Ok(request.with_body(body))
    }
}

/// As [`Target::parse`], of a URI with a host.
///
/// ```
/// use loadgen_core::Target;
///
/// let uri: http::Uri = "http://127.0.0.1:8080/index.html".parse()?;
/// assert_eq!(Target::try_from(uri)?.url(), "http://127.0.0.1:8080/index.html");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl TryFrom<http::Uri> for Target {
    type Error = PlanError;

    fn try_from(uri: http::Uri) -> Result<Self, PlanError> {
        Self::parse(&uri.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(given: http::Request<&'static str>) -> String {
        let request = Request::try_from(given).unwrap();
        request.validate().unwrap();
        let target = Target::parse("http://127.0.0.1:8080/other").unwrap();
        String::from_utf8(request.encode(&target, false).bytes).unwrap()
    }

    #[test]
    fn what_is_sent_is_what_was_built() {
        let built = http::Request::builder().method("PURGE").uri("http://shop.test/a?b=c");
        let built = built.header("X-Two", "2").header("x-one", "1").header("x-two", "3");
        let text = sent(built.body("body").unwrap());
        assert!(text.starts_with("PURGE /a?b=c HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("\r\nhost: shop.test\r\n"), "{text}");
        assert!(!text.contains("127.0.0.1"), "{text}");
        // Those of one name stand together, as the map has them.
        assert!(text.contains("\r\nx-two: 2\r\nx-two: 3\r\nx-one: 1\r\n"), "{text}");
        assert!(text.ends_with("\r\nContent-Length: 4\r\n\r\nbody"), "{text}");
        let own = http::Request::get("http://a.test/").header("Host", "b.test").body("").unwrap();
        let text = sent(own);
        assert!(text.contains("host: b.test") && !text.contains("a.test"), "{text}");
        assert!(sent(http::Request::get("/").body("").unwrap()).contains("Host: 127.0.0.1:8080"));
    }

    #[test]
    fn what_cannot_be_sent_so_is_refused() {
        let get = |uri: &str| http::Request::get(uri).header("a", "b");
        for (given, word) in [
            (get("/").version(http::Version::HTTP_2), "HTTP/1.1"),
            (get("http://user:hunter2@h/"), "without a user"),
            (get("h:80"), "with a path"),
            (get("/").header("x", &b"\xff"[..]), "of x"),
        ] {
            let error = Request::try_from(given.body("").unwrap()).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn sensitive_values_are_not_written() {
        let mut value = http::HeaderValue::from_static("hunter2");
        value.set_sensitive(true);
        let given = http::Request::get("/").header("x-mine", value).body("").unwrap();
        let request = Request::try_from(given).unwrap();
        assert!(!serde_json::to_string(&request).unwrap().contains("hunter2"));
        assert!(!format!("{request:?}").contains("hunter2"));
    }
}
