//! The result file: a line of column names, then one row a rate.

use thiserror::Error;

use crate::command::Host;
use crate::config::Config;
use crate::httperf_output::Figure;

/// Columns of one server in the files of autobench: figure and name before the host's.
pub const COLUMNS: [(Figure, &str); 9] = [
    (Figure::ReqRate, "req_rate"),
    (Figure::ConnRate, "con_rate"),
    (Figure::RepRateMin, "min_rep_rate"),
    (Figure::RepRateAvg, "avg_rep_rate"),
    (Figure::RepRateMax, "max_rep_rate"),
    (Figure::RepRateStdv, "stddev_rep_rate"),
    (Figure::RepTime, "resp_time"),
    (Figure::NetIo, "net_io"),
    (Figure::PercentErrors, "errors"),
];

/// Columns that autobench_admin adds.
pub const STATUS_COLUMNS: [(Figure, &str); 5] = [
    (Figure::Status100, "status_100"),
    (Figure::Status200, "status_200"),
    (Figure::Status300, "status_300"),
    (Figure::Status400, "status_400"),
    (Figure::Status500, "status_500"),
];

/// A setting that is no output format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Output Format '{0}' not supported (known: csv, tsv)")]
pub struct UnknownFormat(String);

/// The shape of a result file.
#[derive(Debug, Clone)]
pub struct Table {
    separator: &'static str,
    columns: Vec<(Figure, &'static str)>,
    /// Columns behind those of all servers, of each server.
    behind: Vec<&'static str>,
}

impl Table {
    /// The shape that `output_fmt` asks for, with these columns a server.
    ///
    /// # Errors
    ///
    /// [`UnknownFormat`] unless it is `csv` or `tsv`.
    pub fn new(
        config: &Config,
        columns: impl IntoIterator<Item = (Figure, &'static str)>,
    ) -> Result<Self, UnknownFormat> {
        let separator = match config.get("output_fmt") {
            "csv" => ",",
            "tsv" => "\t",
            other => return Err(UnknownFormat(other.to_owned())),
        };
        Ok(Self { separator, columns: columns.into_iter().collect(), behind: Vec::new() })
    }

    /// The same with further columns a server, behind those of all servers: the columns
    /// of the original keep their places.
    #[must_use]
    pub fn with_behind(mut self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.behind.extend(names);
        self
    }

    /// The first line, with its end.
    #[must_use]
    pub fn header(&self, config: &Config) -> String {
        let hosts = || Host::tested(config).iter().map(|host| host.name(config));
        let of_all = |names: &[&str]| -> Vec<String> {
            let of = |host| names.iter().map(move |name| format!("{name}_{host}"));
            hosts().flat_map(of).collect()
        };
        let names: Vec<&str> = self.columns.iter().map(|(_, name)| *name).collect();
        self.line("dem_req_rate", [of_all(&names), of_all(&self.behind)].concat())
    }

    /// A row with its end: the demanded rate, then the cells of each server.
    #[must_use]
    pub fn row(&self, demanded: &str, cells: impl IntoIterator<Item = String>) -> String {
        self.line(demanded, cells)
    }

    /// The cells of one server; `digits` tells a figure's, empty if it is missing.
    pub fn cells(&self, digits: impl Fn(Figure) -> Option<String>) -> Vec<String> {
        self.columns.iter().map(|&(figure, _)| digits(figure).unwrap_or_default()).collect()
    }

    fn line(&self, first: &str, rest: impl IntoIterator<Item = String>) -> String {
        let mut line = first.to_owned();
        for cell in rest {
            line.push_str(self.separator);
            line.push_str(&cell);
        }
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, "conf", &mut std::io::sink())
    }

    #[test]
    fn header_of_two_servers() {
        let config = config("host1 = 127.0.0.1\nhost2 = localhost\noutput_fmt = csv\n");
        let table = Table::new(&config, COLUMNS).unwrap();
        assert_eq!(
            table.header(&config),
            "dem_req_rate,req_rate_127.0.0.1,con_rate_127.0.0.1,min_rep_rate_127.0.0.1,\
             avg_rep_rate_127.0.0.1,max_rep_rate_127.0.0.1,stddev_rep_rate_127.0.0.1,\
             resp_time_127.0.0.1,net_io_127.0.0.1,errors_127.0.0.1,req_rate_localhost,\
             con_rate_localhost,min_rep_rate_localhost,avg_rep_rate_localhost,\
             max_rep_rate_localhost,stddev_rep_rate_localhost,resp_time_localhost,\
             net_io_localhost,errors_localhost\n"
        );
    }

    #[test]
    fn header_of_one_server_with_statuses() {
        let config = config("host1 = h\nhost2 = i\nsingle_host = 1\noutput_fmt = tsv\n");
        let table = Table::new(&config, COLUMNS.into_iter().chain(STATUS_COLUMNS)).unwrap();
        assert_eq!(
            table.header(&config),
            "dem_req_rate\treq_rate_h\tcon_rate_h\tmin_rep_rate_h\tavg_rep_rate_h\t\
             max_rep_rate_h\tstddev_rep_rate_h\tresp_time_h\tnet_io_h\terrors_h\tstatus_100_h\t\
             status_200_h\tstatus_300_h\tstatus_400_h\tstatus_500_h\n"
        );
    }

    #[test]
    fn missing_figures_leave_their_cells_empty() {
        let config = config("single_host = 1\noutput_fmt = tsv\n");
        let table = Table::new(&config, COLUMNS).unwrap();
        let cells =
            table.cells(|figure| (figure == Figure::PercentErrors).then(|| "101".to_owned()));
        assert_eq!(table.row("40", cells), "40\t\t\t\t\t\t\t\t\t101\n");
    }

    #[test]
    fn other_formats_are_refused() {
        let error = Table::new(&config("output_fmt = xml\n"), COLUMNS).unwrap_err();
        assert_eq!(error.to_string(), "Output Format 'xml' not supported (known: csv, tsv)");
    }
}
