//! HTTP/1.x without input or output: bytes in, progress out.
