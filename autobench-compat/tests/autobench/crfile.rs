//! `crfile` against what the original was seen to do.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::place::Place;

const USAGE: &str = "\
crfile 1.0, by Julian T. J. Midgley <jtjm@xenoclast.org>

Usage: crfile -f <filename> -s <size> [-n -w[<l>]]
    -f <filename> : Create file <filename>
    -s <size>     : of size <size> bytes
    -n            : pad file with nulls
    -w[<l>]       : Wrap the output at <l> characters, or
                    80 characters if <l> omitted
";

#[test]
fn usage() {
    Place::new().replay("crfile", "", USAGE, 1);
}

#[test]
fn plain() {
    Place::new().replay(
        r#"crfile -f cf/a -s 1000; echo "exit $?"; wc -c cf/a; tr -d " -~" < cf/a | wc -c"#,
        "Creating file 'cf/a', of size 1000 bytes\nexit 0\n1000 cf/a\n0\n",
        "",
        0,
    );
}

#[test]
fn what_exists_stays() {
    let place = Place::new();
    place.replay(
        "touch cf/x; crfile -f cf/x -s 10",
        "Creating file 'cf/x', of size 10 bytes\n",
        "Cannot open file: File exists\n",
        1,
    );
    assert_eq!(place.read("cf/x"), "");
}

#[test]
fn wrapped() {
    let place = Place::new();
    place.replay(
        r#"crfile -f cf/b -s 100 -w20; wc -cl cf/b; awk "{print length(\$0)}" cf/b | tr "\n" " ""#,
        "Creating file 'cf/b', of size 100 bytes\n  5 100 cf/b\n19 19 19 19 19 ",
        "",
        0,
    );
    place.replay(
        r#"crfile -f cf/c -s 400 -w; wc -cl cf/c; awk "{print length(\$0)}" cf/c | tr "\n" " ""#,
        "Creating file 'cf/c', of size 400 bytes\n  5 400 cf/c\n79 79 79 79 79 ",
        "",
        0,
    );
    place.replay("crfile -f cf/d -s 10 -w1", "", "Argument to -w must be greater than 2\n", 1);
    place.replay(
        r#"crfile -f cf/d -s 10 -w2; od -An -c cf/d | cut -c1-60 | tr -s " " | wc -l; wc -cl cf/d"#,
        "Creating file 'cf/d', of size 10 bytes\n1\n 5 10 cf/d\n",
        "",
        0,
    );
}

#[test]
fn a_last_line_feed_only_if_there_is_room() {
    Place::new().replay(
        "for s in 19 20 21 38 39 40 41; do crfile -f cf/w$s -s $s -w20 >/dev/null; \
         printf \"%s: \" $s; wc -cl < cf/w$s; done",
        "19:  0 19\n20:  1 20\n21:  1 21\n38:  1 38\n39:  1 39\n40:  2 40\n41:  2 41\n",
        "",
        0,
    );
}

#[test]
fn sparse() {
    let place = Place::new();
    // The recording counts blocks (8 on its file system).
    place.replay(
        r#"crfile -f cf/e -s 5000000 -n; stat -c "%s bytes" cf/e; head -c 4999999 cf/e | tr -d "\000" | wc -c"#,
        "Creating file 'cf/e', of size 5000000 bytes\n5000000 bytes\n0\n",
        "",
        0,
    );
    assert!(fs::metadata(place.path("cf/e")).unwrap().blocks() < 1000);
}

#[test]
fn size_zero() {
    Place::new().replay(
        "crfile -f cf/f -s 0; stat -c %s cf/f; crfile -f cf/g -s 0 -n; stat -c %s cf/g",
        "Creating file 'cf/f', of size 0 bytes\n0\nCreating file 'cf/g', of size 0 bytes\n1\n",
        "",
        0,
    );
}

#[test]
fn bad_options() {
    Place::new().replay(
        r#"crfile -x -f cf/h -s 10; echo "exit $?"; crfile -f cf/i -s abc; echo "exit $?"; stat -c %s cf/i; crfile -f; echo "exit $?""#,
        "Creating file 'cf/h', of size 10 bytes\nexit 0\n\
         Creating file 'cf/i', of size 0 bytes\nexit 0\n0\nexit 1\n",
        &format!(
            "crfile: invalid option -- 'x'\ncrfile: option requires an argument -- 'f'\n{USAGE}"
        ),
        0,
    );
}

#[test]
fn a_file_that_does_not_fit_is_told_and_removed() {
    let place = Place::new();
    // A limit of file sizes stands in for a full disk.
    place.replay(
        "trap '' XFSZ; ulimit -f 100; crfile -f cf/big -s 900000; status=$?; ls cf; exit $status",
        "Creating file 'cf/big', of size 900000 bytes\n",
        "Cannot write file: File too large (of 900000 bytes; what was written is removed again)\n",
        1,
    );
}

#[test]
fn help_and_version() {
    let place = Place::new();
    place.replay("crfile --help", USAGE, "", 0);
    assert!(place.run("crfile --version").stdout.starts_with("crfile (autobench-compat) "));
}
