use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::*;

/// A stream whose bytes can be looked at.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const ALL: MessageParts = MessageParts { head: true, body: true };
const HEAD: MessageParts = MessageParts { head: true, body: false };
const BODY: MessageParts = MessageParts { head: false, body: true };

/// What is printed to standard output and standard error.
fn printed(printing: Printing, happening: impl FnOnce(&mut Printer)) -> (String, String) {
    let (out, err) = (Kept::default(), Kept::default());
    let printing = Printing { program: b"httperf".to_vec(), ..printing };
    let (to_out, to_err) = (SharedOutput::new(out.clone()), SharedOutput::new(err.clone()));
    happening(&mut Printer::new(printing, to_out.clone(), to_err));
    to_out.finish().unwrap();
    (out.text(), err.text())
}

/// A call as in the capture of a log of sessions.
fn call(printer: &mut Printer) {
    let head = b"DELETE /echo HTTP/1.1\r\nUser-Agent: httperf/0.9.0\r\nHost: 127.0.0.1\r\n\
                 Content-length: 22\r\n\r\n";
    printer.request(3, head, b"line1\nline2 \"esc\" 'in'");
    for line in ["HTTP/1.1 200 OK\r", "Server: odd\r", "\r"] {
        printer.reply_line(3, line.as_bytes());
    }
    for part in ["DELETE /ec", "ho HTTP/1.1\r\nHo", "st: 127.0.0.1\r", "\n\r\nline1\nline2"] {
        printer.reply_body(3, part.as_bytes());
    }
    printer.reply_body(3, b" end");
    printer.reply_end(3, ReplySizes { header: 53, content: 111, footer: 0 });
}

#[test]
fn requests_and_replies() {
    let (out, err) = printed(Printing { request: ALL, reply: ALL, ..Printing::default() }, call);
    assert_eq!(
        out,
        "SH3:DELETE /echo HTTP/1.1\r\n\
         SH3:User-Agent: httperf/0.9.0\r\n\
         SH3:Host: 127.0.0.1\r\n\
         SH3:Content-length: 22\r\n\
         SH3:\r\n\
         SB3:line1\n\
         SB3:line2 \"esc\" 'in'\n\
         SS3: header 89 content 22\n\
         RH3:HTTP/1.1 200 OK\r\n\
         RH3:Server: odd\r\n\
         RH3:\r\n\
         RB3:DELETE /echo HTTP/1.1\r\n\
         RB3:Host: 127.0.0.1\r\n\
         RB3:\r\n\
         RB3:line1\n\
         RB3:line2 end\n\
         RS3: header 53 content 111 footer 0\n"
    );
    assert_eq!(err, "");
}

#[test]
fn parts_of_them() {
    let (out, _) = printed(Printing { request: HEAD, reply: BODY, ..Printing::default() }, call);
    assert_eq!(out.lines().filter(|line| line.starts_with("SH3:")).count(), 5);
    assert_eq!(out.lines().filter(|line| line.starts_with("RB3:")).count(), 5);
    assert_eq!(out.lines().count(), 12, "{out}");
    let (out, _) = printed(Printing { request: BODY, ..Printing::default() }, call);
    assert_eq!(out, "SB3:line1\nSB3:line2 \"esc\" 'in'\nSS3: header 89 content 22\n");
    let (out, _) = printed(Printing::default(), call);
    assert_eq!(out, "");
}

#[test]
fn a_head_without_its_end_and_a_uri_of_two_lines() {
    let printing = Printing { request: HEAD, ..Printing::default() };
    let (out, _) = printed(printing, |printer| {
        printer.request(0, b"GET /a\n/b\n HTTP/1.1\r\nX-A: one\r\n", b"");
    });
    assert_eq!(
        out,
        "SH0:GET /a\nSH0:/b\nSH0: HTTP/1.1\r\nSH0:X-A: one\r\nSS0: header 31 content 0\n"
    );
}

#[test]
fn lines_of_calls_do_not_mix() {
    let (out, _) = printed(Printing { reply: BODY, ..Printing::default() }, |printer| {
        printer.reply_body(0, b"a0");
        printer.reply_body(1, b"b0\nb1");
        printer.reply_body(0, b"a0\na1");
        printer.reply_end(1, ReplySizes::default());
        printer.reply_end(0, ReplySizes::default());
    });
    let lines: Vec<_> = out.lines().filter(|line| line.starts_with("RB")).collect();
    assert_eq!(lines, ["RB1:b0", "RB0:a0a0", "RB1:b1", "RB0:a1"]);
}

#[test]
fn unfinished_lines_have_a_limit() {
    let part = vec![b'x'; 1 << 20];
    let (out, _) = printed(Printing { reply: BODY, ..Printing::default() }, |printer| {
        for call in 0..40 {
            printer.reply_body(call, &part);
            assert!(printer.unfinished_bytes <= MOST_UNFINISHED);
        }
        let kept: usize = printer.unfinished.values().map(Vec::len).sum();
        assert_eq!(kept, printer.unfinished_bytes);
    });
    assert_eq!(out.lines().count(), 24);
    assert!(out.starts_with("RB0:xxx"));
}

#[test]
fn rates_and_uris_by_verbosity() {
    let happening = |printer: &mut Printer| {
        for gap in [0.0065, 0.06321] {
            printer.gap(gap);
        }
        printer.uri(b"/1k.html\n/10k.bin\n");
        printer.fetching(b"/a.gif");
        printer.notice(Notice::ForeignUri(b"http://other/d.gif"));
        printer.sample(Sample { replies_per_s: 19.6, sessions_per_s: 9.6 });
    };
    let verbose = |verbosity, sessions| Printing { verbosity, sessions, ..Printing::default() };
    assert_eq!(printed(verbose(0, true), happening), (String::new(), String::new()));
    let (out, err) = printed(verbose(1, false), happening);
    assert_eq!(out, "httperf: accessing URI `/1k.html\n/10k.bin\n'\nreply-rate = 19.6    \n");
    assert_eq!(err, "");
    let (out, err) = printed(verbose(2, true), happening);
    assert_eq!(
        out,
        "httperf: accessing URI `/1k.html\n/10k.bin\n'\nhttperf: fetching `/a.gif'\n\
         reply-rate = 19.6    \nsession-rate = 9.6     \n"
    );
    assert_eq!(err, "httperf: ignoring absolute URI `http://other/d.gif'\n");
    let (_, err) = printed(verbose(3, false), happening);
    assert_eq!(
        err,
        "next arrival delay = 0.0065\nnext arrival delay = 0.0632\n\
         httperf: ignoring absolute URI `http://other/d.gif'\n"
    );
}

#[test]
fn periodic_counts() {
    let (out, _) = printed(Printing { periodic: true, ..Printing::default() }, |printer| {
        assert_eq!(printer.statuses_every_s(), Some(1.0));
        printer.statuses(0.994_447, &[(200, 100), (404, 3)]);
        printer.statuses(1.995_961, &[(302, 7)]);
    });
    assert_eq!(out, "[0.994447 s] 200=100, 302=0\n[1.995961 s] 200=0, 302=7\n");
}

#[test]
fn notices_have_the_words_of_the_original() {
    for (notice, text) in [
        (
            Notice::BadStatusLine(b"THIS IS NOT HTTP"),
            "httperf.parse_status_line: invalid status line `THIS IS NOT HTTP'!!\n",
        ),
        (Notice::BadStatus(99), "httperf.parse_status_line: bad status 99\n"),
        (
            Notice::UnknownTransferEncoding(b"gzip"),
            "httperf.parse_headers: unknown transfer encoding `gzip'\n",
        ),
        (Notice::BadChunkLine(b"zz"), "httperf.xfer_chunked: bad chunk line `zz'\n"),
        (
            Notice::LongLine(3010, 1024),
            "httperf.get_line: truncating header from 3010 to 1024 bytes\n",
        ),
        (Notice::LongCookie(245), "httperf.sess_cookie: truncating cookie to 245 bytes\n"),
        (Notice::UnexpectedError(101), "httperf: connection failed with unexpected error 101\n"),
        (Notice::ForeignUri(b"http://other/"), ""),
    ] {
        let (out, err) = printed(Printing::default(), |printer| printer.notice(notice));
        assert_eq!((out.as_str(), err.as_str()), ("", text));
    }
}

/// A stream that is full after some bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_at_the_end() {
    let output = SharedOutput::new(Full(300));
    let printing = Printing { request: ALL, reply: ALL, ..Printing::default() };
    let mut printer = Printer::new(printing, output.clone(), SharedOutput::new(Full(0)));
    for _ in 0..3 {
        call(&mut printer);
    }
    assert_eq!(output.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    output.finish().unwrap();
}
