//! Runs that are compared, made again where they differ: a machine that stands still
//! for a moment may do so to one of both programs only. What is different in the
//! programs themselves shows every time, or most of the times.

/// So many more runs must differ than agree before it counts.
const MORE_DIFFER: u32 = 5;

/// Whether two programs agree: at once, or in most of several runs.
pub(crate) fn mostly(mut agree: impl FnMut() -> bool) -> bool {
    let mut more_differ = 0;
    loop {
        if !agree() {
            more_differ += 1;
        } else if more_differ == 0 {
            return true;
        } else {
            more_differ -= 1;
        }
        if more_differ == MORE_DIFFER {
            return false;
        }
    }
}

#[test]
fn what_differs_half_of_the_time_is_not_passed_over_at_the_first_chance() {
    let runs = |agree: &str| {
        let mut left = agree.bytes();
        let result = mostly(|| left.next().unwrap() == b'+');
        (result, left.len())
    };
    assert_eq!(runs("+"), (true, 0));
    assert_eq!(runs("-++"), (true, 0));
    assert_eq!(runs("-+-+-----"), (false, 0));
    assert_eq!(runs("-----+"), (false, 1));
}
