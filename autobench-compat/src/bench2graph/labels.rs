//! What the axes are called.

use super::results::Results;

/// Beginnings of autobench's column names, and the units of their figures.
const UNITS: [(&str, &str); 9] = [
    ("req_rate_", "requests/s"),
    ("con_rate_", "connections/s"),
    ("min_rep_rate_", "replies/s"),
    ("avg_rep_rate_", "replies/s"),
    ("max_rep_rate_", "replies/s"),
    ("stddev_rep_rate_", "replies/s"),
    ("resp_time_", "ms"),
    ("net_io_", "KB/s"),
    // Errors per 100 replies.
    ("errors_", "errors %"),
];

/// The x axis: autobench's in words, others by their name.
pub(super) fn x(results: &Results) -> &str {
    if results.x == "dem_req_rate" { "demanded request rate [requests/s]" } else { &results.x }
}

/// The y axis: the units of all columns drawn, each once. Empty for files of others.
pub(super) fn y(results: &Results) -> String {
    let mut units = Vec::new();
    for column in &results.columns {
        for (_, unit) in UNITS.into_iter().filter(|(begin, _)| column.name.starts_with(begin)) {
            if !units.contains(&unit) {
                units.push(unit);
            }
        }
    }
    units.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_the_columns_drawn() {
        let results =
            Results::parse("dem_req_rate,req_rate_h,avg_rep_rate_h,max_rep_rate_h,errors_h");
        assert_eq!(x(&results), "demanded request rate [requests/s]");
        assert_eq!(y(&results), "requests/s, replies/s, errors %");
        let foreign = Results::parse("users\tfelt");
        assert_eq!((x(&foreign), y(&foreign).as_str()), ("users", ""));
    }
}
