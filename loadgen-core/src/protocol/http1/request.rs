//! The bytes of a request.

/// A request, ready to be sent.
#[derive(Debug)]
pub(crate) struct RequestBytes {
    pub(crate) bytes: Vec<u8>,
    /// How many of them are the head, with the empty line.
    pub(crate) head: usize,
}

/// Writes a request (RFC 9112 §2.1): see [`write_head`].
pub(crate) fn write(
    method: &[u8],
    target: &[&[u8]],
    minor_version: u8,
    lines: &[&[u8]],
    body: &[u8],
) -> RequestBytes {
    let mut bytes = Vec::with_capacity(512 + body.len());
    let head = write_head(&mut bytes, method, target, minor_version, lines);
    bytes.extend_from_slice(body);
    RequestBytes { bytes, head }
}

/// Writes a head into what is empty, and says how long it is. `target` is what the request
/// line names, in parts; each of the `lines`, which may be several in one, has its line end.
pub(crate) fn write_head(
    into: &mut Vec<u8>,
    method: &[u8],
    target: &[&[u8]],
    minor_version: u8,
    lines: &[&[u8]],
) -> usize {
    let version: &[u8] = if minor_version == 0 { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" };
    into.extend_from_slice(method);
    into.push(b' ');
    for part in target.iter().chain([&version]).chain(lines).chain([&b"\r\n".as_slice()]) {
        into.extend_from_slice(part);
    }
    into.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_body_stand_where_they_belong() {
        let written =
            write(b"PUT", &[b"http://h", b"/p"], 0, &[b"A: 1\r\n", b"", b"B: 2\r\n"], b"x");
        assert_eq!(written.bytes, b"PUT http://h/p HTTP/1.0\r\nA: 1\r\nB: 2\r\n\r\nx");
        assert_eq!(written.head + 1, written.bytes.len());
        assert_eq!(write(b"GET", &[b"/"], 1, &[], b"").bytes, b"GET / HTTP/1.1\r\n\r\n");
    }
}
